"""The configuration in force: a new one only where it is whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.config import load
from runtime.supervisor.configuration import Configuration

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 10, 10]}
cameras: [{name: room, uri: room.mp4}]
"""


@pytest.fixture
def store_yaml(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "room.mp4").touch()
    (tmp_path / "store.yaml").write_text(STORE)
    root = logging.getLogger()
    level = root.level
    yield tmp_path / "store.yaml"
    root.setLevel(level)


def test_a_broken_file_leaves_the_old_one_in_force_until_it_is_mended(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    before = one.current
    store_yaml.write_text(STORE + "zoness: []\n")
    assert not one.reload()
    assert one.current is before
    assert "an older one is in force" in one.fault and "zoness" in one.fault
    store_yaml.write_text(STORE + "zones: [{name: a, polygon: [[1, 1], [2, 1], [2, 2]]}]\n")
    assert one.reload()
    assert [zone.name for zone in one.current.zones] == ["a"]
    assert one.fault == ""


def test_a_file_that_is_gone_leaves_the_old_one_in_force(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    store_yaml.unlink()
    assert not one.reload()
    assert str(store_yaml) in one.fault


def test_an_unplugged_camera_does_not_keep_the_rest_from_changing(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    store_yaml.with_name("room.mp4").unlink()
    store_yaml.write_text(STORE + "intervals: {footfall_s: 5}\n")
    assert one.reload()
    assert one.current.intervals.footfall_s == 5


@pytest.mark.parametrize(("verbose", "level"), [(False, logging.ERROR), (True, logging.DEBUG)])
def test_the_log_level_follows_the_file_unless_all_was_asked_for(
    store_yaml: Path, verbose: bool, level: int
) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose)
    store_yaml.write_text(STORE + "log: {level: error}\n")
    assert one.reload()
    assert logging.getLogger().level == level


def test_more_changes_than_one_wants_to_read_are_counted(
    store_yaml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    zones = [f"{{name: z{number}, polygon: [[1, 1], [2, 1], [2, 2]]}}" for number in range(50)]
    store_yaml.write_text(STORE + f"zones: [{', '.join(zones)}]\n")
    with caplog.at_level(logging.INFO):
        assert one.reload()
    assert "zones[z0] added: in force at once" in caplog.text
    assert "and 10 changes more" in caplog.text
