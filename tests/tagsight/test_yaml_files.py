"""What is wrong in a YAML file of ours is said with its file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from tagsight.errors import TagsightError
from tagsight.yaml_files import KeyFault, read_yaml, refuse


class Plant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    height_m: Annotated[float, Meta(gt=0)] = 1.0


class Garden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    plants: list[Plant] = []


class GardenError(TagsightError):
    """The reader's own error."""


def no_weeds(garden: Garden) -> None:
    for number, plant in enumerate(garden.plants):
        if plant.name == "weed":
            refuse(f"plants.{number}.name", plant.name, "a plant that was planted")


def read(path: Path) -> Garden:
    return read_yaml(
        path, Garden, no_weeds, GardenError, name="garden", empty="a garden has keys: name, plants"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "name: a\nplants:\n  - name: b\n    hight_m: 2\n",
            ":4: plants.0.hight_m: unknown field `hight_m`; did",
        ),
        ("name: a\nplants:\n  - height_m: 2\n", ":3: plants.0.name: the key name is missing"),
        (
            "name: a\nplants:\n  - {name: b}\n  - {name: weed}\n",
            ":4: plants.1.name: 'weed' is wrong; a plant that",
        ),
        ("name: 12\n", ":1: name: 12 is wrong; str would be right; put it in quotes"),
        (
            "name: a\nplants:\n  - {name: b, height_m: .inf}\n",
            ":3: plants.0.height_m: inf is wrong; a finite",
        ),
        ("name: a\nplants:\n  - {name: b, height_m: -1}\n", ":3: plants.0.height_m: -1 is wrong"),
        ("- a\n", "a garden has keys: name, plants"),
        ("", "a garden has keys: name, plants"),
        ("name: [\n", "not YAML"),
        ("name: !!python/object:os.system {}\n", "not YAML"),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "garden.yaml"
    file.write_text(text)
    with pytest.raises(GardenError) as told:
        read(file)
    assert str(told.value).startswith(f"{file}:") and says in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_right_is_read(tmp_path: Path) -> None:
    file = tmp_path / "garden.yaml"
    file.write_text("name: a\nplants:\n  - {name: b, height_m: 2}\n")
    assert read(file) == Garden("a", [Plant("b", 2.0)])


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path) -> None:
    with pytest.raises(GardenError, match="the garden cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(GardenError, match="at most 4194304 would be right"):
        read(large)


def test_a_fault_names_its_key() -> None:
    with pytest.raises(KeyFault, match="a: 1 is wrong; 2 would be right") as told:
        refuse("a", 1, "2")
    assert told.value.key == "a"
