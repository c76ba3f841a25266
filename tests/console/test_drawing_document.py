"""A drawing goes into store.yaml and nothing else of the file changes: not a comment, not a digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import inspect

from runtime.commands.first_store import TEXT
from runtime.config.model import StoreConfig
from runtime.config.sections import Antenna, Camera, Entrance, Fixture, Floor, Reader, Zone
from runtime.console.drawing.document import ANTENNA_KEYS, FLOOR_KEYS, KEYS, ShopDocument
from runtime.console.drawing.judging import diff_of, judge_shop
from web.errors import WebError

SHOP = """\
# A shop by hand.
site: {name: corner, device: box}   # both appear in topics
floor:
  extent_m: [0, 0, 10, 8]           # measured on Monday
cameras:
  - name: door
    uri: rtsp://user:${SECRET}@10.0.0.2/a
    homography:
      - [1.e-06, 4.4298897290692035e-06, 0.10]
      - [0.0, 1.50, -2]
      - [0, 0, 1]
zones:
  # the one in front
  - name: coats                     # winter
    polygon: [[1, 1], [3, 1], [3, 3], [1, 3]]

  # the one at the back
  - {name: till, polygon: [[5, 5], [6, 5], [6, 6]]}

fixtures:
  - name: rail
    at: [2.0, 2]
    skus:
      - {sku: "0042", epcs: ["E280*"]}   # all of them

# the end
state_dir: state
"""


def drawn(text: str = SHOP) -> tuple[ShopDocument, dict[str, Any]]:
    document = ShopDocument(text)
    return document, document.drawing()


@pytest.mark.parametrize(
    "file", ["runtime/config/example.yaml", "runtime/demo/plaza.yaml", "hand-written", "dumped"]
)
def test_a_drawing_put_back_untouched_changes_nothing(repo: Path, file: str) -> None:
    text = {"hand-written": SHOP, "dumped": yaml.safe_dump(yaml.safe_load(SHOP))}.get(file)
    document, drawing = drawn((repo / file).read_text() if text is None else text)
    assert document.with_drawing(drawing) == document.text


def test_only_what_was_drawn_is_another_line() -> None:
    document, drawing = drawn()
    drawing["zones"][0]["polygon"][2] = [3.5, 3]
    drawing["fixtures"][0]["at"] = [4, 2]
    text = document.with_drawing(drawing)
    changed = [line for line in diff_of(SHOP, text) if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == [
        "-    polygon: [[1, 1], [3, 1], [3, 3], [1, 3]]",
        "+    polygon: [[1, 1], [3, 1], [3.5, 3], [1, 3]]",
        "-    at: [2.0, 2]",
        "+    at: [4, 2]",
    ]


def test_things_come_and_go_and_comments_stay() -> None:
    document, drawing = drawn()
    del drawing["zones"][1]
    drawing["zones"].append(
        {"name": "new", "kind": "fitting_room", "polygon": [[1.0, 5.0], [2, 5], [2, 6.25]]}
    )
    drawing["entrances"] = [{"name": "gate", "line": [[1, 8], [3, 8]], "inside": [2, 6]}]
    drawing["readers"] = [
        {"name": "r", "host": "10.0.0.3", "antennas": [{"port": 1, "name": "a", "at": [2, 2]}]}
    ]
    text = document.with_drawing(drawing)
    read = yaml.safe_load(text)
    assert [zone["name"] for zone in read["zones"]] == ["coats", "new"]
    assert read["entrances"][0]["line"] == [[1, 8], [3, 8]]
    assert read["readers"][0]["antennas"] == [{"port": 1, "name": "a", "at": [2, 2]}]
    assert "  - {name: new, kind: fitting_room, polygon: [[1, 5], [2, 5], [2, 6.25]]}\n" in text
    for comment in ("# A shop by hand.", "# measured on Monday", "# winter", "# all of them", "# the end"):
        assert comment in text
    again = ShopDocument(text)
    assert again.with_drawing(again.drawing()) == text


@pytest.mark.parametrize(
    "text",
    [
        TEXT.format(file="store.yaml", site="shop", device="box", zone="UTC", port=""),
        "site: {name: a, device: b}\nfloor: {extent_m: [0, 0, 9, 9]}\n",
        "site:\n    name: a\n    device: b\nfloor:\n    extent_m: [0, 0, 9, 9]\n",
        "site: {name: a, device: b}\ncameras: []\nzones:\n",
        "site: {name: a, device: b}\nengines:\n- not\n- ours\n",
        "",
    ],
)
def test_everything_is_drawn_into_a_file_that_has_none_of_it(text: str) -> None:
    document, drawing = drawn(text)
    full = ShopDocument(SHOP).drawing()
    full["readers"] = [{"name": "r", "host": "h", "antennas": [{"port": 1, "name": "a"}]}]
    for section, items in full.items():
        drawing[section] = items if section == "floor" else [{**item, "was": None} for item in items]
    read = yaml.safe_load(document.with_drawing(drawing))
    for section in ("cameras", "zones", "fixtures", "readers"):
        assert [one["name"] for one in read[section]] == [one["name"] for one in full[section]]
    assert read["cameras"][0]["homography"] == full["cameras"][0]["homography"]
    assert read["readers"][0]["antennas"] == [{"port": 1, "name": "a"}]


def test_a_renamed_thing_keeps_its_other_keys() -> None:
    document, drawing = drawn()
    drawing["fixtures"][0]["name"] = "long rail"
    read = yaml.safe_load(document.with_drawing(drawing))
    assert read["fixtures"] == [
        {"name": "long rail", "at": [2, 2], "skus": [{"sku": "0042", "epcs": ["E280*"]}]}
    ]


def test_a_key_that_is_emptied_is_taken_out() -> None:
    document, drawing = drawn()
    drawing["fixtures"][0] |= {"at": None, "polygon": [[1, 1], [2, 1], [2, 2]]}
    read = yaml.safe_load(document.with_drawing(drawing))
    assert "at" not in read["fixtures"][0] and read["fixtures"][0]["polygon"] == [[1, 1], [2, 1], [2, 2]]


def test_a_login_in_an_address_is_neither_shown_nor_lost() -> None:
    text = SHOP.replace("${SECRET}", "hunter2")
    document, drawing = drawn(text)
    assert "hunter2" not in str(drawing)
    assert document.with_drawing(drawing) == text
    drawing["zones"][0]["name"] = "winter"
    assert "hunter2" in document.with_drawing(drawing)
    moved = text.replace("hunter2@10.0.0.2", "hunter2@10.0.0.9")
    assert "hunter2" not in "".join(diff_of(text, moved)) and diff_of(text, moved)


@pytest.mark.parametrize(
    "drawing",
    [
        {"zones": {}},
        {"zones": ["x"]},
        {"floor": []},
        {"zones": [{"name": "a", "polygon": [[[[[[[1]]]]]]]}]},
        {"zones": [{"name": "a", "polygon": [[1, 1]] * 30_000}]},
    ],
)
def test_what_is_no_drawing_is_refused(drawing: dict[str, Any]) -> None:
    with pytest.raises(WebError):
        ShopDocument(SHOP).with_drawing(drawing)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "a: 1\na: 2\n", "x" * 1_000_001])
def test_what_is_no_store_yaml_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(WebError, match=r"store\.yaml"):
        ShopDocument(text)


@pytest.mark.parametrize("name", ["yes", "null", "012", "1e3", "a: b", "# x", "Ä & Ö", "- x"])
def test_a_name_is_read_as_it_was_typed(name: str) -> None:
    document, drawing = drawn()
    drawing["zones"][0]["name"] = name
    drawing["zones"].append({"name": f"{name} 2", "polygon": [[0, 0], [1, 0], [1, 1]]})
    assert [zone["name"] for zone in yaml.safe_load(document.with_drawing(drawing))["zones"]] == [
        name,
        "till",
        f"{name} 2",
    ]


def test_small_numbers_stay_numbers() -> None:
    document, drawing = drawn()
    drawing["cameras"][0]["homography"] = [[1e-06, -2e-07, 1.5e-10], [1, 2.0, 0.25], [0, 0, 1]]
    read = yaml.safe_load(document.with_drawing(drawing))
    assert read["cameras"][0]["homography"] == drawing["cameras"][0]["homography"]


def test_keys_that_cannot_be_drawn_are_left_alone() -> None:
    document, drawing = drawn()
    drawing["site"] = {"name": "other"}
    drawing["console"] = {"host": "0.0.0.0"}
    drawing["zones"][0]["extra"] = 1
    drawing["cameras"][0]["password_file"] = "/etc/shadow"
    assert document.with_drawing(drawing) == SHOP


def test_every_key_that_can_be_drawn_is_one_of_store_yaml() -> None:
    kinds = {"cameras": Camera, "entrances": Entrance, "zones": Zone, "fixtures": Fixture, "readers": Reader}
    assert set(KEYS) == set(kinds)
    assert set(KEYS) <= set(StoreConfig.__struct_fields__)
    for keys, kind in [
        *((KEYS[name], kind) for name, kind in kinds.items()),
        (ANTENNA_KEYS, Antenna),
        (FLOOR_KEYS, Floor),
    ]:
        described = inspect.type_info(kind)
        assert isinstance(described, inspect.StructType)
        assert set(keys) <= {field.name for field in described.fields}


def test_mistakes_are_told_where_they_are(tmp_path: Path) -> None:
    document, drawing = drawn(SHOP.replace("user:${SECRET}@", ""))
    drawing["zones"][0]["polygon"][1] = [11, 1]
    drawing["readers"] = [
        {"name": "r", "host": "h", "antennas": [{"port": 1, "name": "a", "fixture": "rial"}]}
    ]
    judged = judge_shop(document.with_drawing(drawing), tmp_path / "store.yaml")
    assert not judged.is_sound and judged.shown is None
    found = {(one.section, one.index, one.key): one.words for one in judged.mistakes}
    assert "lies off the floor" in found["zones", 0, "polygon[1]"]
    assert "did you mean 'rail'?" in found["readers", 0, "antennas[0].fixture"]


def test_what_is_tolerated_may_stay_and_may_not_be_added(tmp_path: Path) -> None:
    plain = SHOP.replace("user:${SECRET}@10.0.0.2/a", "10.0.0.2/a?password=abc")
    judged = judge_shop(plain, tmp_path / "store.yaml", plain)
    assert judged.is_sound and [one.weight for one in judged.mistakes if one.weight != "remark"] == [
        "tolerated"
    ]
    assert not judge_shop(plain, tmp_path / "store.yaml", SHOP.replace("user:${SECRET}@", "")).is_sound
