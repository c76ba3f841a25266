"""The row about what a reader hears: tags that nobody sewed in anywhere, thousands of them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.fault_rig import Outcome
from bench.fault_trial import ARRIVES_S, Trial, fresh_trial
from rfid_reader.reads import ReadTable, save_reads
from rfid_reader.simulator.scenario import Scenario, ScenarioFile
from rfid_reader.simulator.world import World
from testing.cloud import ROOT, TAGSIGHT
from testing.waiting import wait_for

INVENTED = 30_000
FLOOD_S = 8.0
AFTER_HZ = 300.0
QUIET_S = 8.0
PLAYED_S = 22.0
MEMORY_MB = 200.0
FLIPS = (("shirts", 2), ("coats", 3))
FLIP_S = 3.0
STORE: dict[str, Any] = {
    "name": "flooded",
    "seed": 3,
    "hop_plan": "etsi",
    "duration_s": 60.0,
    "reader": {"antennas": 4, "mode": 2},
    "antennas": [{"port": 1, "at": [0, 0]}, {"port": 2, "at": [4, 0]}],
    "racks": [
        {"name": "shirts", "at": [0, 0.5], "tags": {"count": 4, "prefix": "e28011"}},
        {"name": "coats", "at": [4, 0.5], "tags": {"count": 4, "prefix": "e28012"}},
    ],
    "flips": {
        "given": [
            {
                "rack": rack,
                "tag": tag,
                "start_s": QUIET_S + FLIP_S * number,
                "end_s": QUIET_S + FLIP_S * (number + 1),
            }
            for number, (rack, tag) in enumerate(FLIPS)
        ]
    },
}


def epc_flood(times: int) -> Outcome:
    """A reader hears 30,000 invented EPCs, and then eight real garments, of which two are turned over."""
    with fresh_trial(reader=True) as trial:
        trial.box.kill_reader()
        flips, worst_mb = 0, 0.0
        for _ in range(times):
            _play(trial, flooded_reads(), start_box=not flips)
            flips += len(FLIPS)
            wait_for(
                lambda: _count(trial, "kind = 'flip' AND body LIKE '%e2801%'") >= flips,  # noqa: B023
                f"real garments were turned over {flips} times, and it was not seen",
                ARRIVES_S,
            )
            worst_mb = max(worst_mb, _peak_mb(trial.box.pids()["reader:ceiling"]))
            trial.box.kill_reader()
        assert worst_mb < MEMORY_MB, f"the reader process took {worst_mb:.0f} MB"
        said = "key LIKE 'health:reader:%' AND body LIKE '%more tags are heard%'"
        wait_for(lambda: _count(trial, said) > 0, "health does not tell of the flood", ARRIVES_S)
        return trial.settle(
            "flood of invented EPCs", times, f"{flips} flips of real tags seen, {worst_mb:.0f} MB"
        )


def flooded_reads() -> ReadTable:
    """INVENTED reads of as many EPCs in FLOOD_S; then the real store, with AFTER_HZ more of them."""
    world = World(ScenarioFile(msgspec.convert(STORE, Scenario), Path()))
    real = world.reads(PLAYED_S, world.setup())
    later = ReadTable(
        real.time_s + FLOOD_S, real.epc, real.antenna, real.channel, real.rssi_dbm, real.phase_rad
    )
    after = int(PLAYED_S * AFTER_HZ)
    times = np.concatenate(
        [np.linspace(0.0, FLOOD_S, INVENTED), np.linspace(FLOOD_S, FLOOD_S + PLAYED_S, after)]
    )
    chance = np.random.default_rng(1)
    count = len(times)
    channel = chance.integers(1, 5, count)
    flood = ReadTable.from_columns(
        times,
        [f"ffff{number:020x}" for number in range(count)],
        chance.integers(3, 5, count),
        channel,
        chance.normal(-55.0, 0.5, count),
        channel * 0.7 % 6.0,
    )
    return ReadTable.concatenate([flood, later]).in_time_order()


def _play(trial: Trial, reads: ReadTable, start_box: bool) -> None:
    """Let a reader that replays the reads take the simulated one's place."""
    table = trial.folder / "reads.csv"
    save_reads(table, reads)
    command = [*TAGSIGHT, "rfid", "replay", str(table), "--port", str(trial.box.rport)]
    with (trial.folder / "replay.log").open("ab") as log:
        trial.box.reader = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    if start_box:
        trial.start()


def _count(trial: Trial, condition: str) -> int:
    with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
        return int(db.execute(f"SELECT count(*) FROM events WHERE {condition}").fetchone()[0])


def _peak_mb(pid: int) -> float:
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0
