"""Scenes of tags that people wear: everything moves at once, often from the first read on.

One or two people walk, stand, or move their arms in a room with a few fixed echoes; each wears some tags,
whose distance to an antenna changes with the way, the stride and the arm. The body shades a tag as its wearer
turns away. In two of five scenes a row of untouched tags hangs beside them, which the bodies only disturb.
What moves is true as carried: the spans in which its wearer walks, and of tags on an arm those in which the
arm moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import ReadTable
from rfid_reader.training.worlds.recording import CARRIED, Handling, WorldRecording

Array = NDArray[np.float64]
STEP_S = 0.02
C_M_PER_S = 299_792_458.0
WALKS, STANDS, GESTURES = range(3)
NOBODY = -1
LEAST_SPAN_S = 1.0
IN_PIECES = 0.4
"""Share of the scenes whose reader pauses every few seconds, as recordings made one after another do."""


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


class _Wearer:
    """One person's way: floor positions (times, 2), heading (times,), and spans of activities as (activity,
    first row, row after the last)."""

    def __init__(self, rows: int, room_m: float, rng: np.random.Generator) -> None:
        self.xy, self.heading = np.zeros((rows, 2)), np.zeros(rows)
        self.spans: list[tuple[int, int, int]] = []
        self._place, self._heading = rng.uniform(0.15, 0.85, 2) * room_m, rng.uniform(0, 2 * math.pi)
        likely, row = rng.dirichlet([2.0, 2.0, 1.5]), 0
        while row < rows:
            activity = int(rng.choice(3, p=likely))
            stop = min(row + int(rng.uniform(2.0, 9.0) / STEP_S), rows)
            if activity == WALKS:
                self._walk(row, stop, room_m, rng)
            else:
                drift = np.cumsum(rng.normal(0, 1e-4, (stop - row, 2)), 0) * rng.uniform(0.2, 1.5)
                self.xy[row:stop], self.heading[row:stop] = self._place + drift, self._heading
            if (stop - row) * STEP_S > LEAST_SPAN_S:
                self.spans.append((activity, row, stop))
            row = stop

    def _walk(self, start: int, stop: int, room_m: float, rng: np.random.Generator) -> None:
        speed, turn = rng.uniform(0.5, 1.4), rng.normal(0, 1.2)
        for row in range(start, stop):
            self._heading += turn * STEP_S
            way = np.array([math.cos(self._heading), math.sin(self._heading)])
            ahead = self._place + speed * STEP_S * way
            if ((ahead < 0.2) | (ahead > room_m - 0.2)).any():
                self._heading += math.pi * rng.uniform(0.4, 0.9)
                ahead = np.clip(ahead, 0.2, room_m - 0.2)
            self._place = ahead
            self.xy[row], self.heading[row] = ahead, self._heading


@dataclass(frozen=True)
class _Tag:
    """Where a tag is (times, 3), which way it looks (times,), who wears it, and rows of the spans in which it
    moves."""

    at: Array
    facing: Array
    wearer: int
    moves: tuple[tuple[int, int], ...] = ()


def _worn_tag(number: int, wearer: _Wearer, times: Array, rng: np.random.Generator) -> _Tag:
    on_arm, side = rng.random() < 0.5, rng.uniform(-0.3, 0.3)
    ahead, up = float(rng.choice([-0.12, 0.12])), rng.uniform(0.5, 1.6)
    cosine, sine = np.cos(wearer.heading), np.sin(wearer.heading)
    at = np.column_stack(
        [
            wearer.xy[:, 0] + ahead * cosine - side * sine,
            wearer.xy[:, 1] + ahead * sine + side * cosine,
            np.full(len(times), up),
        ]
    )
    moving = []
    for activity, start, stop in wearer.spans:
        rows = np.arange(start, stop)
        moves = activity == WALKS or (activity == GESTURES and on_arm)
        size_m = rng.uniform(0.0, 0.003)
        if moves:
            moving.append((start, stop - 1))
            size_m = rng.uniform(0.1, 0.45) if on_arm else rng.uniform(0.01, 0.05)
        edge = np.clip(np.minimum(rows - start, stop - 1 - rows) * STEP_S / 0.4, 0, 1)
        swing = np.sin(2 * math.pi * rng.uniform(0.4, 1.2) * times[rows] + rng.uniform(0, 2 * math.pi))
        way = rng.normal(0, 1, 3)
        at[rows] += size_m * (edge * swing)[:, None] * way / np.linalg.norm(way)
    facing = wearer.heading + (0.0 if ahead > 0 else math.pi)
    return _Tag(at, facing, number, tuple(moving))


def _rack(times: Array, room_m: float, rng: np.random.Generator) -> list[_Tag]:
    place, heading = rng.uniform(0.5, room_m - 0.5, 2), rng.uniform(0, math.pi)
    spots = [
        np.array([*(place + 0.06 * number * np.array([math.cos(heading), math.sin(heading)])), 1.3])
        for number in range(int(rng.integers(3, 14)))
    ]
    return [_Tag(np.tile(spot, (len(times), 1)), np.zeros(len(times)), NOBODY) for spot in spots]


def worn_scene(seed: int) -> WorldRecording:
    """One scene of 25 to 60 s, without a quiet time before."""
    rng = np.random.default_rng([seed, 808])
    room_m = float(rng.uniform(3.5, 6.0))
    times = np.arange(0.0, rng.uniform(25, 60), STEP_S)
    wearers = [_Wearer(len(times), room_m, rng) for _ in range(int(rng.choice([1, 2], p=[0.8, 0.2])))]
    tags = [
        _worn_tag(number, wearer, times, rng)
        for number, wearer in enumerate(wearers)
        for _ in range(int(rng.integers(1, 14)))
    ]
    if rng.random() < 0.4:
        tags += _rack(times, room_m, rng)
    epcs = [f"e2a0{seed & 0xFFFF:04x}{number:016x}" for number in range(len(tags))]
    truth = [
        Handling(epc, CARRIED, float(times[start]), float(times[stop]))
        for epc, tag in zip(epcs, tags, strict=True)
        for start, stop in tag.moves
    ]
    reads = _reads(tags, np.array(epcs), wearers, room_m, rng)
    if rng.random() < IN_PIECES:
        heard_s, silent_s = rng.uniform(4.0, 9.0), rng.uniform(2.1, 6.0)
        reads = reads.take(reads.time_s % (heard_s + silent_s) < heard_s)
    truth.sort(key=lambda one: one.start_s)
    return WorldRecording(f"worn-{seed}", ReadTable.empty(), reads, tuple(truth), len(tags), float(times[-1]))


def _reads(
    tags: list[_Tag],
    epcs: NDArray[np.str_],
    wearers: list[_Wearer],
    room_m: float,
    rng: np.random.Generator,
) -> ReadTable:
    """A Poisson process thinned by level; the field is the sum of the direct way, fixed echoes and bodies,
    squared for backscatter."""
    rows = len(tags[0].at)
    count = rng.poisson(_log_uniform(rng, 4.0, 25.0) * len(tags) * rows * STEP_S)
    time_s = np.sort(rng.uniform(0, rows * STEP_S, count))
    tag, row = rng.integers(0, len(tags), count), np.minimum((time_s / STEP_S).astype(np.int64), rows - 1)
    number = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    antennas = np.column_stack(
        [rng.uniform(0, room_m, number), rng.uniform(0, 0.4, number), rng.uniform(0.8, 2.4, number)]
    )
    channels = int(rng.choice([1, 4, 16, 50], p=[0.55, 0.15, 0.15, 0.15]))
    antenna = (time_s / rng.uniform(0.1, 0.6)).astype(np.int64) % number
    channel = (time_s / rng.uniform(0.2, 2.0)).astype(np.int64) % channels
    hertz = rng.uniform(865e6, 920e6) + 0.4e6 * rng.permutation(channels)[channel]
    wave = 2 * math.pi * hertz / C_M_PER_S
    at, place = np.stack([one.at for one in tags])[tag, row], antennas[antenna]
    facing = np.stack([one.facing for one in tags])[tag, row]
    wearer = np.array([one.wearer for one in tags])[tag]
    far_m = np.maximum(np.linalg.norm(at - place, axis=1), 0.3)
    bearing = np.arctan2(place[:, 1] - at[:, 1], place[:, 0] - at[:, 0])
    away = 0.5 - 0.5 * np.cos(bearing - facing)
    loss_db = np.where(wearer == NOBODY, 0.0, rng.uniform(2, 16) * away**1.5)
    field = 10 ** (-loss_db / 20) * np.exp(-1j * wave * far_m) / far_m
    for _ in range(int(rng.integers(2, 7))):
        point = np.append(rng.uniform(-0.5, room_m + 0.5, 2), rng.uniform(0, 2.8))
        there_m, on_m = np.linalg.norm(point - place, axis=1), np.linalg.norm(at - point, axis=1)
        field = field + rng.uniform(0.05, 0.5) * np.exp(-1j * wave * (there_m + on_m)) / (there_m + on_m)
    echo_m = _log_uniform(rng, 0.1, 0.6)
    for person, one in enumerate(wearers):
        body = np.column_stack([one.xy[row], np.full(count, 1.1)])
        there_m = np.maximum(np.linalg.norm(body - place, axis=1), 0.3)
        on_m = np.maximum(np.linalg.norm(at - body, axis=1), 0.3)
        echo = echo_m * np.exp(-1j * wave * (there_m + on_m)) / (there_m * on_m)
        field = field + np.where(wearer == person, 0.3, 1.0) * echo
    level = 40 * np.log10(np.abs(field) + 1e-4) + rng.normal(0, 2.0, len(tags))[tag]
    level += rng.uniform(-60, -48) - np.median(level)
    noise_rad = np.clip(_log_uniform(rng, 0.03, 0.12) * 10 ** ((-62.5 - level) / 20), 0.009, 0.6)
    phase = 2 * np.angle(field) + rng.uniform(0, 2 * math.pi, (number, channels))[antenna, channel]
    phase = phase + rng.uniform(0, 2 * math.pi, len(tags))[tag] + noise_rad * rng.normal(size=count)
    heard = rng.random(count) < 1 / (1 + np.exp(-(level - rng.uniform(-76, -68)) / 2.0))
    level = np.round(2 * (level + 5 * noise_rad * rng.normal(size=count))) / 2
    return ReadTable.from_columns(
        time_s[heard],
        epcs[tag[heard]],
        antenna[heard] + 1,
        channel[heard] + 1,
        level[heard],
        phase[heard] % (2 * math.pi),
    )
