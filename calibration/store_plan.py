"""What store.yaml says about one reader: which antenna should hear which garment best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from calibration.errors import CalibrationError
from rfid_reader.settings import ReaderSettings
from runtime.config import Fixture, Reader, load_at_work
from runtime.reader_settings import settings_of


@dataclass(frozen=True)
class StorePlan:
    """ports: the antennas that must be heard. rack, sku and port by EPC, as far as the store says."""

    ports: tuple[int, ...] = ()
    rack_of: dict[str, str] = field(default_factory=dict)
    sku_of: dict[str, str] = field(default_factory=dict)
    port_of: dict[str, int] = field(default_factory=dict)


def _reader_of(config: Path, name: str | None) -> tuple[Reader, list[Fixture]]:
    store = load_at_work(config)
    readers = {reader.name: reader for reader in store.readers}
    if name is None and len(readers) == 1:
        name = next(iter(readers))
    if name not in readers:
        known = ", ".join(readers) or "none is in it"
        raise CalibrationError(f"{config}: which reader? --name with one of: {known}")
    return readers[name], store.fixtures


def settings_from(config: Path, name: str | None) -> ReaderSettings:
    """How to reach the reader called `name` (may be left out where there is one). Raises CalibrationError."""
    entry, _ = _reader_of(config, name)
    return settings_of(entry)


def plan_from(config: Path, name: str | None, epcs: Iterable[str]) -> StorePlan:
    """The plan for the tags `epcs` and one reader. Raises CalibrationError where there is no such reader."""
    entry, fixtures = _reader_of(config, name)
    port_of_fixture = {
        antenna.fixture: antenna.port for antenna in entry.antennas if antenna.fixture is not None
    }
    plan = StorePlan(tuple(antenna.port for antenna in entry.antennas))
    patterns = [
        (pattern.lower(), fixture.name, sku.sku)
        for fixture in fixtures
        for sku in fixture.skus
        for pattern in sku.epcs
    ]
    for epc in epcs:
        for pattern, rack, sku in patterns:
            if fnmatchcase(epc, pattern):
                plan.rack_of[epc], plan.sku_of[epc] = rack, sku
                if rack in port_of_fixture:
                    plan.port_of[epc] = port_of_fixture[rack]
                break
    return plan
