"""Memory, descriptors and threads of processes over time, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

MB = 1e6
SETTLED_AFTER_S = 60.0
"""A process's first minute fills every buffer once; what it takes then is not growth."""


class Sample(msgspec.Struct, frozen=True):
    """One process at one moment; `memory` is what it has written for itself alone, in bytes."""

    time_s: float
    pid: int
    memory: int
    descriptors: int
    threads: int


class ProcessTrend(msgspec.Struct, frozen=True):
    """One process over the soak.

    `lives` counts its starts. The other figures are of its longest life, from a minute after its start:
    memory in MB at first, at most and at last, the slope of a straight line through it in MB an hour, and
    descriptors and threads at first, at most and at last.
    """

    process: str
    lives: int
    life_s: float
    first_mb: float
    highest_mb: float
    last_mb: float
    mb_per_hour: float
    descriptors: tuple[int, int, int]
    threads: tuple[int, int, int]


def sample(pid: int, time_s: float) -> Sample | None:
    """Figures of one process; None where it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None
    private = re.search(r"^Private_Dirty:\s+(\d+) kB", rollup, re.MULTILINE)
    if private is None:
        return None
    return Sample(time_s, pid, int(private.group(1)) * 1024, descriptors, threads)


def sample_all(pids: Mapping[str, int], time_s: float) -> dict[str, Sample]:
    """Figures of the processes that are there."""
    found = {name: sample(pid, time_s) for name, pid in pids.items()}
    return {name: one for name, one in found.items() if one is not None}


def course_of(process: str, samples: list[Sample]) -> ProcessTrend | None:
    """What became of one process; None where no life of it was longer than a minute."""
    lives: dict[int, list[Sample]] = {}
    for one in samples:
        lives.setdefault(one.pid, []).append(one)
    longest = max(lives.values(), key=lambda life: life[-1].time_s - life[0].time_s)
    settled = [one for one in longest if one.time_s - longest[0].time_s >= SETTLED_AFTER_S]
    if not settled:
        return None
    first, last = settled[0], settled[-1]
    memory_mb = [one.memory / MB for one in settled]
    hours = np.array([one.time_s for one in settled]) / 3600
    slope = float(np.polyfit(hours - hours[0], memory_mb, 1)[0]) if len(settled) > 1 else 0.0
    return ProcessTrend(
        process=process,
        lives=len(lives),
        life_s=round(last.time_s - longest[0].time_s, 1),
        first_mb=round(memory_mb[0], 1),
        highest_mb=round(max(memory_mb), 1),
        last_mb=round(memory_mb[-1], 1),
        mb_per_hour=round(slope, 2),
        descriptors=(first.descriptors, max(one.descriptors for one in settled), last.descriptors),
        threads=(first.threads, max(one.threads for one in settled), last.threads),
    )
