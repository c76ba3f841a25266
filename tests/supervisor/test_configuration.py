"""The configuration in force: a new one only where it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.config import ConfigErrors, StoreConfig, load, load_running
from runtime.supervisor.configuration.current import Configuration
from tagsight.errors import TagsightError

MAX_READ_S = 30.0

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 10, 10]}
cameras: [{name: room, uri: room.mp4}]
"""


def reload(one: Configuration) -> bool:
    """As the supervisor's loop does it: ask, and look again until the answer is there."""
    one.ask()
    end_s = time.monotonic() + MAX_READ_S
    while one.is_reloading and time.monotonic() < end_s:
        if one.poll():
            return True
        time.sleep(0.01)
    assert not one.is_reloading, "the file was not read in time"
    return False


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
    assert not reload(one)
    assert one.current is before
    assert "an older one is in force" in one.fault and "zoness" in one.fault
    store_yaml.write_text(STORE + "zones: [{name: a, polygon: [[1, 1], [2, 1], [2, 2]]}]\n")
    assert reload(one)
    assert [zone.name for zone in one.current.zones] == ["a"]
    assert one.fault == ""


def test_a_file_that_is_gone_leaves_the_old_one_in_force(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    store_yaml.unlink()
    assert not reload(one)
    assert str(store_yaml) in one.fault


def test_an_unplugged_camera_does_not_keep_the_rest_from_changing(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    store_yaml.with_name("room.mp4").unlink()
    store_yaml.write_text(STORE + "intervals: {footfall_s: 5}\n")
    assert reload(one)
    assert one.current.intervals.footfall_s == 5


@pytest.mark.parametrize(("verbose", "level"), [(False, logging.ERROR), (True, logging.DEBUG)])
def test_the_log_level_follows_the_file_unless_all_was_asked_for(
    store_yaml: Path, verbose: bool, level: int
) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose)
    store_yaml.write_text(STORE + "log: {level: error}\n")
    assert reload(one)
    assert logging.getLogger().level == level


def test_more_changes_than_one_wants_to_read_are_counted(
    store_yaml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    zones = [f"{{name: z{number}, polygon: [[1, 1], [2, 1], [2, 2]]}}" for number in range(50)]
    store_yaml.write_text(STORE + f"zones: [{', '.join(zones)}]\n")
    with caplog.at_level(logging.INFO):
        assert reload(one)
    assert "zones[z0] added: in force at once" in caplog.text
    assert "and 10 changes more" in caplog.text


def test_asking_takes_no_time_whatever_the_file_holds(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    zones = [f"{{name: z{number}, polygon: [[1, 1], [2, 1], [2, 2]]}}" for number in range(250)]
    store_yaml.write_text(STORE + f"zones: [{', '.join(zones)}]\n")
    one.ask()
    assert one.is_reloading and not one.current.zones, "it is read while the caller goes on"
    one.close()
    assert not one.is_reloading


def test_a_file_that_changes_while_it_is_read_is_read_again(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    one.ask()
    store_yaml.write_text(STORE + "intervals: {footfall_s: 5}\n")
    assert reload(one)
    assert one.current.intervals.footfall_s == 5


LOOSE = STORE.replace(
    "uri: room.mp4", "uri: 'rtsp://10.0.0.7/a', username: ann, password_file: door.password"
)


def test_a_box_goes_on_with_a_secret_that_others_can_read_and_says_so(store_yaml: Path) -> None:
    secret = store_yaml.with_name("door.password")
    secret.write_text("S3cretPW\n")
    secret.chmod(0o644)
    store_yaml.write_text(LOOSE)
    with pytest.raises(ConfigErrors, match="chmod 600"):
        load(store_yaml)
    store, mistakes = load_running(store_yaml)
    one = Configuration(store_yaml, store, False, mistakes)
    told = " ".join(one.faults())
    assert f"{store_yaml}:4" in told and "chmod 600" in told and "S3cretPW" not in told
    store_yaml.write_text(LOOSE + "intervals: {footfall_s: 5}\n")
    assert reload(one), "an old mistake keeps nothing else from changing"
    secret.chmod(0o600)
    assert reload(one)
    assert list(one.faults()) == []


def test_a_new_secret_that_others_can_read_is_refused_at_a_reload(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    secret = store_yaml.with_name("door.password")
    secret.write_text("S3cretPW\n")
    secret.chmod(0o644)
    store_yaml.write_text(LOOSE)
    assert not reload(one)
    assert "chmod 600" in one.fault and one.current.cameras[0].username is None


def test_a_reload_reads_the_stock_list_too(store_yaml: Path) -> None:
    listed = store_yaml.with_name("stock.csv")
    listed.write_text("epc,sku\nAA01,COAT\n")
    store_yaml.write_text(STORE + "epcs_file: stock.csv\nfixtures: [{name: rack, at: [1, 1]}]\n")
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    listed.write_text("epc,sku\nAA01,COAT\nAA02,COAT\n")
    assert reload(one)
    assert one.current.fixtures[0].skus[0].epcs == ["AA01", "AA02"]
    listed.write_text("epc,sku\nAA01,COAT\nAA01,SHOE\n")
    assert not reload(one)
    assert f"{listed}:3: epcs_file: 'AA01' is also at {listed}:2" in one.fault


def test_what_the_box_cannot_go_over_to_is_refused(store_yaml: Path) -> None:
    one = Configuration(store_yaml, load(store_yaml), verbose=False)
    before = one.current
    store_yaml.write_text(STORE + "intervals: {footfall_s: 5}\n")

    def refuse(config: StoreConfig) -> None:
        raise TagsightError(f"state_dir {config.state_dir} is another's")

    one.ask()
    while one.is_reloading:
        assert not one.poll(accept=refuse)
        time.sleep(0.02)
    assert one.current is before
    assert "is another's" in one.fault
