"""The row about what a reader reads: tags that nobody sewed in anywhere, thousands of them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.trial import ARRIVES_S, Trial, fresh_trial
from rfid_reader.reads import ReadTable, save_reads
from rfid_reader.simulator.scenarios.files import Scenario, ScenarioFile
from rfid_reader.simulator.world import World
from testing.delivery.cloud import ROOT, TAGSIGHT
from testing.waiting import until, wait_for

INVENTED, TIMES_EACH = 20_000, 2
QUIET_S = 8.0
"""What a busy box may miss at its start."""
FLOOD_S = 18.0
COATS_COME_S = 12.0
PLAYED_S = 40.0
MEMORY_MB = 200.0
FLIPS = (("shirts", 1, 18.0), ("coats", 1, 22.0), ("shirts", 2, 28.0), ("coats", 2, 32.0))
"""Rack, tag, and when the garment is turned over: two while the flood runs, two just after it."""
FLIP_S = 3.0
REAL = "e2801"
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
            {"rack": rack, "tag": tag, "start_s": start_s, "end_s": start_s + FLIP_S}
            for rack, tag, start_s in FLIPS
        ]
    },
}


def epc_flood(times: int) -> Outcome:
    """A reader reads 20,000 invented EPCs, each twice, beside eight real garments, of which four come amid
    the flood. Of each four one is turned over while it runs, and another just after it."""
    with fresh_trial(reader=True) as trial:
        trial.box.kill_reader()
        reads, turned = flooded_reads()
        worst_mb = 0.0
        for number in range(1, times + 1):
            _play(trial, reads, start_box=number == 1)
            until(lambda: not _unseen(trial, turned, number), PLAYED_S + ARRIVES_S)  # noqa: B023
            unseen = _unseen(trial, turned, number)
            assert not unseen, f"garments were turned over and it was not seen: {unseen}"
            worst_mb = max(worst_mb, _peak_mb(trial.box.pids()["reader:ceiling"]))
            trial.box.kill_reader()
        assert worst_mb < MEMORY_MB, f"the reader process took {worst_mb:.0f} MB"
        said = "key LIKE 'health:reader:%' AND body LIKE '%more tags are read%'"
        wait_for(lambda: _count(trial, said) > 0, "health does not tell of the flood", ARRIVES_S)
        flips = len(turned) * times
        return trial.settle(
            "flood of invented EPCs",
            times,
            f"{flips} flips of real tags seen, half of them amid it, {worst_mb:.0f} MB",
        )


def flooded_reads() -> tuple[ReadTable, list[str]]:
    """The real store's reads, and within FLOOD_S those of INVENTED EPCs, each TIMES_EACH times; also the EPCs
    of FLIPS, in their order."""
    world = World(ScenarioFile(msgspec.convert(STORE, Scenario), Path()))
    reads = world.reads(PLAYED_S, world.setup())
    flips = sorted(world.finished_flips(PLAYED_S), key=lambda flip: flip.start_s)
    late = np.array([epc.startswith("e28012") for epc in reads.epc.tolist()]) & (reads.time_s < COATS_COME_S)
    chance = np.random.default_rng(1)
    count = INVENTED * TIMES_EACH
    channel = chance.integers(1, 5, count)
    flood = ReadTable.from_columns(
        np.linspace(QUIET_S, QUIET_S + FLOOD_S, count),
        [f"ffff{number // TIMES_EACH:020x}" for number in range(count)],
        chance.integers(3, 5, count),
        channel,
        chance.normal(-55.0, 0.5, count),
        channel * 0.7 % 6.0,
    )
    return ReadTable.concatenate([flood, reads.take(~late)]).in_time_order(), [flip.epc for flip in flips]


def _flips_of(trial: Trial) -> list[str]:
    """The EPC of every flip of a real tag that the consumer has, once for each flip."""
    query = "SELECT DISTINCT key, json_extract(body, '$.epc') FROM events WHERE kind = 'flip'"
    with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
        return [epc for _, epc in db.execute(query) if epc.startswith(REAL)]


def _unseen(trial: Trial, turned: list[str], times: int) -> str:
    """Which of FLIPS were not seen so often."""
    seen = _flips_of(trial)
    return ", ".join(
        f"{rack}/{tag} at {start_s:.0f} s"
        for (rack, tag, start_s), epc in zip(FLIPS, turned, strict=True)
        if seen.count(epc) < times
    )


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
