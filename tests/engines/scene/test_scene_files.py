"""Scene files: what is wrong is told with file, line, key, value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.scene.errors import SceneError
from engines.scene.reading import load_scene, scene_schema
from runtime.demo.boutique.store import SCENE

SHOP = """name: shop
seconds: 20
room: {size_m: [8, 6]}
doors: [{name: door, wall: front, from_m: 1, to_m: 2.5}]
racks: [{name: shirts, at: [4.5, 3.0], garments: {count: 12, prefix: "e28000"}}]
cameras: [{name: a, at: [0.3, 0.3, 2.8], looks_at: [5, 4, 0.8]}]
people:
  - name: ana
    start: [1.7, -1.5]
    acts: [{do: walk, to: [[4.4, 2.4]]}, {do: turn, rack: shirts, garment: 6, seconds: 5}]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


def test_a_scene_is_read(tmp_path: Path) -> None:
    scene = load_scene(write(tmp_path, SHOP))
    assert scene.people[0].name == "ana"
    assert scene.rack("shirts").epcs()[11] == "e2800000000000000000000c"


def test_the_shipped_scene_is_read() -> None:
    assert len(load_scene(SCENE).cameras) == 3


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("seconds: 20", "seconds: -1", "shop.yaml:2: seconds: -1 is wrong"),
        ("seconds: 20", "seconds: .inf", "shop.yaml:2: seconds: inf is wrong; a finite number"),
        ("seconds: 20", "seconds: 20\nlamps: 3", "shop.yaml:3: lamps: unknown field `lamps`"),
        ("room: {size_m: [8, 6]}", "room: {}", "shop.yaml:3: room.size_m: the key size_m is missing"),
        ("wall: front", "wall: roof", "shop.yaml:4: doors.0.wall: 'roof' is wrong"),
        (
            "to_m: 2.5",
            "to_m: 9",
            "shop.yaml:4: doors.0.to_m: 9.0 is wrong; between from_m and the wall's 8 m",
        ),
        ('prefix: "e28000"', 'prefix: "xyz"', "racks.0.garments.prefix: 'xyz' is wrong; hex digits"),
        ("looks_at: [5, 4, 0.8]", "looks_at: [0.3, 0.3, 0]", "cameras.0.looks_at"),
        ("garment: 6", "garment: 13", "people.0.acts.1.garment: 13 is wrong; 1 to 12, what shirts has"),
        ("rack: shirts", "rack: coats", "people.0.acts.1.rack: 'coats' is wrong; shirts would be right"),
        (
            "to: [[4.4, 2.4]]",
            "to: [[2.0, 2.4]]",
            "people.0.acts.1.rack: 'shirts' is wrong; a rack within 1.05 m",
        ),
        ("to: [[4.4, 2.4]]", "to: [[40, 2.4]]", "people.0.acts.0.to.0: (40.0, 2.4) is wrong"),
        ("do: walk", "do: fly", "people.0.acts.0"),
        ("seconds: 20", "seconds: 20\nopen_s: [[5, 2]]", "open_s.0: (5.0, 2.0) is wrong; from 0 s on"),
        (
            "seconds: 20",
            "seconds: 20\nopen_s: [[0, 1]]",
            "people.0.enters_s: 0.0 is wrong; a time by which they are within while the shop is open",
        ),
        ("name: shop", "name: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(tmp_path: Path, before: str, after: str, says: str) -> None:
    assert before in SHOP
    with pytest.raises(SceneError) as told:
        load_scene(write(tmp_path, SHOP.replace(before, after)))
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = SHOP + "  - {name: ana, start: [1, 1], acts: [{do: stand, seconds: 3}]}\n"
    with pytest.raises(SceneError, match=r"people\.1\.name: 'ana' is wrong"):
        load_scene(write(tmp_path, twice))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="cannot be read"):
        load_scene(tmp_path / "none.yaml")


def test_every_key_of_the_schema_is_known() -> None:
    names = set(scene_schema()["$defs"])
    assert {"Scene", "ScenePerson", "SceneCamera", "Turn", "Walk"} <= names
