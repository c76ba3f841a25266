"""Stores pieced together from what a real reader heard: for testing only, as the recordings' terms ask.

Every garment is a tag that hung still before an Impinj R420 (rfid-r420-locate, Test12 and Test13), its
recording played to and fro and thinned to a shop's rate. A handling puts reads of a tag that a person carried
(MovementTesting) in place of the garment's own, for as long as it lasts. What is simulated is who is near: a
body's wave is added to the reads of all garments beside a handling, and to those of a rack where somebody
only stands.
"""

from __future__ import annotations

import csv
import math
import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.training.worlds.recording import TURNED, Handling, WorldRecording

Columns = NDArray[np.float64]
STILL_S = 60.0
LEAST_READS, LEAST_CARRIED = 400, 60
STILL_WITHIN_DB = 6.0
"""A second whose level is further off the recording's median is not of a still tag: in one of the recordings
(Test13d-7-45) the tag is being put in its place for the first four seconds."""
STILL, CARRIED = ("Test12", "Test13"), ("MovementTesting",)


def data_folder() -> Path | None:
    """Where the recordings are, None where they are not (TAGSIGHT_SHARED names the shared folder)."""
    shared = Path(os.environ.get("TAGSIGHT_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    path = shared / "data" / "rfid-r420-locate"
    return path if path.is_dir() else None


@cache
def _recordings(names: tuple[str, ...], least: int) -> tuple[Columns, ...]:
    """Recordings of one tag on its busiest antenna: time from 0, channel, RSSI (dBm), phase (rad)."""
    folder = data_folder()
    assert folder is not None
    found = []
    for path in sorted(path for name in names for path in (folder / name).rglob("*.csv")):
        with path.open(newline="") as file:
            rows = [
                (
                    float(row["timestamp"]),
                    *(float(row[name]) for name in ("antenna", "channel_index", "rssi", "phase_angle")),
                )
                for row in csv.DictReader(file)
                if row.get("phase_angle") and row.get("channel_index") and row.get("epc")
            ]
        if len(rows) < least:
            continue
        table = np.array(sorted(rows))
        antennas, count = np.unique(table[:, 1], return_counts=True)
        table = table[table[:, 1] == antennas[count.argmax()]]
        if len(table) >= least:
            phase = table[:, 4] % 4096 * TWO_PI / 4096
            if names == STILL:
                table, phase = _settled(table, phase)
            found.append(np.column_stack([table[:, 0] - table[0, 0], table[:, 2], table[:, 3], phase]))
    return tuple(found)


def _settled(table: Columns, phase: Columns) -> tuple[Columns, Columns]:
    """What follows the last second in which the tag was not still."""
    second = np.floor(table[:, 0] - table[0, 0])
    usual_dbm = np.median(table[:, 3])
    every = np.unique(second)
    level_dbm = np.array([np.median(table[second == one, 3]) for one in every])
    moved = every[np.abs(level_dbm - usual_dbm) > STILL_WITHIN_DB]
    kept = second > moved.max() if len(moved) else np.ones(len(table), bool)
    return table[kept], phase[kept]


def _looped(piece: Columns, seconds: float, rate_hz: float, rng: np.random.Generator) -> Columns:
    """A recording played forth and back for `seconds`, so that no seam moves the tag, thinned to rate_hz."""
    length_s = piece[-1, 0] + 0.02
    start_s = rng.uniform(0, length_s)
    rounds = int((start_s + seconds) / length_s) + 1
    back = piece[::-1] * np.array([-1, 1, 1, 1]) + np.array([piece[-1, 0], 0, 0, 0])
    whole = np.concatenate(
        [(back if number % 2 else piece) + np.array([length_s * number, 0, 0, 0]) for number in range(rounds)]
    )
    whole = whole[(whole[:, 0] >= start_s) & (whole[:, 0] < start_s + seconds)]
    kept = rng.random(len(whole)) < min(1.0, rate_hz * length_s / len(piece))
    return np.asarray(whole[kept] - np.array([start_s, 0, 0, 0]), np.float64)


def _near(own: Columns, from_s: float, to_s: float, size: float, rng: np.random.Generator) -> None:
    """A body's wave added to reads (in place) from from_s to to_s: relative amplitude `size`, its length
    changing as the body sways."""
    here = (own[:, 0] >= from_s) & (own[:, 0] <= to_s)
    if not here.any():
        return
    share = (own[here, 0] - from_s) / max(to_s - from_s, 0.1)
    fade = np.sqrt(np.clip(np.minimum(share, 1 - share) / 0.2, 0, 1))
    sway = sum(
        rng.uniform(0.2, 1.5)
        * np.sin(2 * math.pi * rng.uniform(0.05, 0.5) * own[here, 0] + rng.uniform(0, TWO_PI))
        for _ in range(3)
    )
    wave = 1 + size * fade * np.exp(1j * (rng.uniform(0, TWO_PI) + sway))
    own[here, 2] += 40 * np.log10(np.maximum(np.abs(wave), 0.05))
    own[here, 3] = (own[here, 3] + 2 * np.angle(wave)) % TWO_PI


def simulate(seed: int, seconds: float = 120.0) -> WorldRecording:
    """One store of 12 to 24 garments. Raises AssertionError without the recordings."""
    rng = np.random.default_rng([seed, 2_007])
    still, carried = _recordings(STILL, LEAST_READS), _recordings(CARRIED, LEAST_CARRIED)
    tags, rate_hz = int(rng.integers(12, 25)), float(np.exp(rng.uniform(math.log(3), math.log(8))))
    epcs = [f"e2f0{seed & 0xFFFF:04x}{tag:016x}" for tag in range(tags)]
    pieces = [still[number] for number in rng.integers(0, len(still), tags)]
    turns = rng.uniform(0, TWO_PI, tags)
    quiet = [_looped(piece, STILL_S, rate_hz, rng) for piece in pieces]
    busy = [_looped(piece, seconds, rate_hz, rng) for piece in pieces]
    echo, handlings, now_s = rng.uniform(0.05, 0.5), [], 4.0
    while (now_s := now_s + rng.exponential(5.0) + 1.0) < seconds - 7:
        length_s, tag = rng.uniform(1.2, 5.0), int(rng.integers(0, tags))
        for other in range(tags):
            size = echo * float(rng.rayleigh(0.8)) / (1 + 0.3 * abs(other - tag))
            _near(busy[other], now_s - rng.uniform(0.5, 3), now_s + length_s + rng.uniform(0.5, 3), size, rng)
        if rng.random() < 0.35:
            continue
        piece = carried[int(rng.integers(0, len(carried)))]
        from_s = rng.uniform(0, max(piece[-1, 0] - length_s, 0.1))
        part = piece[(piece[:, 0] >= from_s) & (piece[:, 0] < from_s + length_s)]
        part = part[rng.random(len(part)) < min(1.0, rate_hz * length_s / max(len(part), 1))].copy()
        part[:, 0] += now_s - from_s
        if len(part):
            part[:, 2] += np.median(busy[tag][:, 2]) - np.median(part[:, 2]) - rng.uniform(-1, 5)
        own = busy[tag]
        busy[tag] = np.concatenate([own[(own[:, 0] < now_s) | (own[:, 0] > now_s + length_s)], part])
        handlings.append(Handling(epcs[tag], TURNED, now_s, now_s + length_s))
        now_s += length_s

    def table(parts: list[Columns]) -> ReadTable:
        epc = np.repeat(np.array(epcs), [len(part) for part in parts])
        turn = np.repeat(turns, [len(part) for part in parts])
        columns = np.concatenate(parts)
        return ReadTable.from_columns(
            columns[:, 0],
            epc,
            np.ones(len(epc)),
            columns[:, 1],
            np.round(columns[:, 2]),
            (columns[:, 3] + turn) % TWO_PI,
        ).in_time_order()

    return WorldRecording(f"splices-{seed}", table(quiet), table(busy), tuple(handlings), tags, seconds)
