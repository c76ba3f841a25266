"""Recordings as other readers would have made them: what a detector must not lean on is varied at random.

Reads are dropped, time runs faster or slower, levels shift as a whole, phases run the other way round, half
turns come at random on every read or on weak ones, noise is added, reports are coarser, times uneven, the
reader pauses.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.training.worlds.recording import WorldRecording

LEAST_RATE_HZ = 1.8
RATES_HZ, HIGH_RATES_HZ = (2.5, 14.0), (14.0, 100.0)
HIGH_RATES, HALF_TURNS = 0.25, 0.3
"""Shares of the readers."""


class _Reader:
    """One draw of everything that a reader does to all of its reads."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.pace = float(np.exp(rng.uniform(-0.3, 0.3)))
        self.shift_db = rng.uniform(-9, 9)
        self.mirrored = bool(rng.random() < 0.5)
        self.half_turns = rng.uniform(0.03, 0.5) if rng.random() < HALF_TURNS else 0.0
        self.weak_half_turns = rng.uniform(0.0, 0.3) if rng.random() < 0.3 else 0.0
        self.weak_share = rng.uniform(0.05, 0.4)
        self.noise_rad = rng.uniform(0, 0.12) if rng.random() < 0.3 else 0.0
        self.noise_db = rng.uniform(0, 0.8) if rng.random() < 0.3 else 0.0
        self.step_db = float(rng.choice([0.1, 0.5, 1.0], p=[0.2, 0.5, 0.3]))
        self.phase_steps = int(rng.choice([4096, 256, 128], p=[0.75, 0.15, 0.1]))
        low_hz, high_hz = HIGH_RATES_HZ if rng.random() < HIGH_RATES else RATES_HZ
        self.reads_hz = float(np.exp(rng.uniform(math.log(low_hz), math.log(high_hz))))
        self.jitter_s = rng.uniform(0.0, 0.04) if rng.random() < 0.2 else 0.0

    def heard(self, reads: ReadTable, keep: float, rng: np.random.Generator) -> ReadTable:
        reads = reads.take(rng.random(len(reads)) < keep)
        phase, level = -reads.phase_rad if self.mirrored else reads.phase_rad.copy(), reads.rssi_dbm
        count = len(reads)
        half = rng.random(count) < self.half_turns
        if self.weak_half_turns and count:
            weak = level < np.quantile(level, self.weak_share)
            half ^= weak & (rng.random(count) < self.weak_half_turns)
        phase = phase + math.pi * half + self.noise_rad * rng.normal(size=count)
        phase = np.round(phase / TWO_PI * self.phase_steps) % self.phase_steps / self.phase_steps * TWO_PI
        level = level + self.shift_db + self.noise_db * rng.normal(size=count)
        time_s = np.maximum(reads.time_s * self.pace + self.jitter_s * rng.normal(size=count), 0.0)
        return replace(
            reads,
            time_s=time_s,
            phase_rad=phase,
            rssi_dbm=np.round(level / self.step_db) * self.step_db,
        ).in_time_order()


def disturbed(recording: WorldRecording, seed: int) -> WorldRecording:
    """The same store through another reader; everything follows from the seed."""
    rng = np.random.default_rng([seed, 404])
    reader = _Reader(rng)
    rate_hz = len(recording.reads) / recording.duration_s / max(recording.tags, 1)
    keep = min(1.0, max(reader.reads_hz, LEAST_RATE_HZ) / max(rate_hz, 1e-9))
    still = reader.heard(recording.still, keep, rng)
    reads = reader.heard(recording.reads, keep, rng)
    if rng.random() < 0.12:
        reads = reads.take(~_pauses(reads.time_s, rng))
    handlings = tuple(
        replace(one, start_s=one.start_s * reader.pace, end_s=one.end_s * reader.pace)
        for one in recording.handlings
    )
    return replace(
        recording,
        still=still,
        reads=reads,
        handlings=handlings,
        duration_s=recording.duration_s * reader.pace,
    )


def _pauses(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where the reader says nothing, for 2 to 12 s now and then."""
    silent = np.zeros(len(time_s), np.bool_)
    at_s = 0.0
    while at_s < float(time_s.max(initial=0.0)):
        at_s += rng.exponential(40.0)
        end_s = at_s + rng.uniform(2, 12)
        silent |= (time_s > at_s) & (time_s < end_s)
        at_s = end_s
    return silent
