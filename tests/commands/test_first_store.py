"""A first store.yaml is sound wherever it is written, and never in the place of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.commands.first_store import write_first_store
from runtime.config import load
from tagsight.errors import TagsightError


@pytest.mark.parametrize("name", ["shop", "My Shop (2)", "007", "yes", "Über-Laden", "-", "a" * 80])
def test_a_first_store_is_sound(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    write_first_store(folder / "store.yaml")
    store = load(folder / "store.yaml")
    assert store.console.enabled and store.console.host == "127.0.0.1"
    assert store.cameras == [] and store.floor.extent_m == (0, 0, 20, 12)


def test_what_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "store.yaml"
    file.write_text("mine")
    with pytest.raises(TagsightError, match="cannot be written: File exists"):
        write_first_store(file)
    with pytest.raises(TagsightError, match="choose a folder of yours"):
        write_first_store(tmp_path / "nowhere" / "store.yaml")
    assert file.read_text() == "mine"
