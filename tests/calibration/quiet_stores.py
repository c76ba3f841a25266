"""A small simulated store for the antenna tools: three racks of six tags, an antenna over each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from rfid_reader.reads import ReadTable
from rfid_reader.simulator.scenarios.files import Scenario, ScenarioFile
from rfid_reader.simulator.world import World

RACKS = ("shirts", "coats", "skirts")
TAGS = 6
EPOCH_S = 1.7e9


def epc_of(rack: int, tag: int) -> str:
    """Tag number `tag` (from 1) of rack number `rack` (from 0)."""
    return f"e2801{rack}{tag:018x}"


def store_with(flips: list[dict[str, Any]], **changes: Any) -> ScenarioFile:
    """The store; `flips` are turned on request, `changes` replace top-level keys of the scenario."""
    plan: dict[str, Any] = {
        "name": "quiet",
        "seed": 5,
        "hop_plan": "etsi",
        "duration_s": 400.0,
        "reader": {"antennas": 4, "mode": 2},
        "antennas": [{"port": number + 1, "at": [3 * number, 0]} for number in range(3)],
        "racks": [
            {"name": name, "at": [3 * number, 0.5], "tags": {"count": TAGS, "prefix": f"e2801{number}"}}
            for number, name in enumerate(RACKS)
        ],
        "flips": {"given": flips},
    }
    return ScenarioFile(msgspec.convert({**plan, **changes}, Scenario), Path())


def recorded(store: ScenarioFile, seconds: float) -> ReadTable:
    """What the store's reader hears in `seconds`, from EPOCH_S on."""
    world = World(store)
    reads = world.reads(seconds, world.setup())
    return replace(reads, time_s=reads.time_s + EPOCH_S)


def with_antennas(reads: ReadTable, renamed: dict[int, int]) -> ReadTable:
    """The same reads with antennas on other ports."""
    antenna = reads.antenna.copy()
    for old, new in renamed.items():
        antenna[reads.antenna == old] = new
    return replace(reads, antenna=antenna)


def weaker(reads: ReadTable, antenna: int, by_db: float) -> ReadTable:
    """The same reads with one antenna's RSSI lowered."""
    return replace(reads, rssi_dbm=reads.rssi_dbm - by_db * (reads.antenna == antenna))
