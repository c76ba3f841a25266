"""A store of waves: no room and no geometry, only what a link's phasor does.

Every link (tag, antenna) rests at a phasor of its own on every channel. People are processes that add to all
links of a place, slowly while they stand and fast while they walk; a hand turns and moves one tag along a
random path that each of its antennas sees from another side; the garments beside it are shaken. The squared
sum is what the reader gets. Nothing follows from positions: what holds here holds for no one arrangement.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import ReadTable
from rfid_reader.training.worlds.recording import CARRIED, REHUNG, TURNED, Handling, WorldRecording

Array = NDArray[np.float64]
Field = NDArray[np.complex128]
STEP_S = 0.05
STILL_S = 70.0


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _smoothed(rng: np.random.Generator, shape: tuple[int, ...], memory_s: float) -> Array:
    """Gaussian series of unit variance along the last axis with a correlation time of memory_s."""
    from scipy.signal import lfilter

    keep = math.exp(-STEP_S / memory_s)
    noise = rng.normal(0, math.sqrt(1 - keep**2), shape)
    noise[..., 0] /= math.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], noise, axis=-1))


class _Links:
    """Rests, channels and noises of all links, drawn once."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.antennas = int(rng.integers(1, 5))
        self.places = int(rng.integers(1, 5))
        per_place = rng.integers(5, 18, self.places)
        self.place = np.repeat(np.arange(self.places), per_place)
        self.tags = len(self.place)
        self.channels = int(rng.choice([1, 4, 10, 16, 50], p=[0.1, 0.25, 0.1, 0.2, 0.35]))
        self.dwell_s = _log_uniform(rng, 0.15, 3.0)
        near = rng.normal(0, rng.uniform(2, 7), (self.places, self.antennas))
        near[np.arange(self.places), np.arange(self.places) % self.antennas] += rng.uniform(0, 9)
        own = rng.normal(0, rng.uniform(1, 5), self.tags)
        each = rng.normal(0, rng.uniform(1, 3), (self.tags, self.antennas))
        self.level_db = near[self.place] + own[:, None] + each
        self.level_db -= np.median(self.level_db.max(1))
        ratio = rng.uniform(0.05, 0.6)
        echoes = rng.normal(size=(2, self.tags, self.antennas, 3)) * ratio / math.sqrt(6)
        lengths_m = rng.exponential(rng.uniform(1, 6), (self.tags, self.antennas, 3))
        frequencies_hz = rng.uniform(865e6, 925e6) + rng.permutation(self.channels) * rng.uniform(
            0.2e6, 0.6e6
        )
        wave = 2 * math.pi * frequencies_hz / 3e8
        self.echo: Field = (
            (echoes[0] + 1j * echoes[1])[..., None] * np.exp(-1j * lengths_m[..., None] * wave)
        ).sum(2)
        self.side = rng.uniform(-1, 1, (self.tags, self.antennas, 3))
        self.polar = rng.uniform(0, math.pi, (self.tags, self.antennas))
        self.depth = 0.9 * rng.uniform() ** 1.5
        self.offset = rng.uniform(0, 2 * math.pi, (self.antennas, self.channels))
        self.rest = rng.uniform(0, 2 * math.pi, (self.tags, self.antennas))
        self.wave = float(wave.mean())
        self.sway_m = _log_uniform(rng, 1e-5, 2e-3)


class _People:
    """What everybody adds to the links of each place: (times, tags, antennas) is made read by read from slow
    series, (people, places) strengths and (people, tags, antennas) phasors that turn as the person moves."""

    def __init__(self, links: _Links, times: Array, rng: np.random.Generator) -> None:
        self.count = int(rng.integers(1, 5))
        rows = len(times)
        self.at = np.full((self.count, rows), -1)
        self.way_m = np.zeros((self.count, rows))
        still_m, walk_m = _log_uniform(rng, 0.01, 0.12), rng.uniform(0.4, 1.3)
        for person in range(self.count):
            row = int(rng.integers(0, rows // 4))
            speed = np.full(rows, walk_m)
            while row < rows:
                stay = int(rng.exponential(rng.choice([4, 10, 25])) / STEP_S) + 10
                self.at[person, row : row + stay] = int(rng.integers(-1, links.places))
                speed[row : row + stay] = still_m
                row += stay + int(rng.uniform(0.5, 5) / STEP_S)
            drift = _smoothed(rng, (rows,), 0.7) * speed
            self.way_m[person] = np.cumsum(drift + (speed == walk_m) * speed) * STEP_S
        self.strength = _log_uniform(rng, 0.06, 0.6) * np.exp(
            rng.normal(0, 0.5, (self.count, links.tags, links.antennas))
        )
        self.far = rng.uniform(0.05, 0.4)
        self.phase = rng.uniform(0, 2 * math.pi, (self.count, links.tags, links.antennas))
        self.slant = rng.uniform(-1.9, 1.9, (self.count, links.tags, links.antennas))
        self.fade = np.clip(0.6 + 0.5 * _smoothed(rng, (self.count, rows), 1.5), 0, 2)
        self.shade_db = rng.uniform(0, 9) * (rng.random((self.count, links.tags, links.antennas)) < 0.25)

    def added(
        self, links: _Links, tag: NDArray[np.int64], antenna: NDArray[np.int64], row: NDArray[np.int64]
    ) -> tuple[Field, Array]:
        """Relative field (n,) and loss of the link's own part (dB)."""
        total: Field = np.zeros(len(tag), np.complex128)
        loss_db = np.zeros(len(tag))
        for person in range(self.count):
            here = self.at[person, row] == links.place[tag]
            size = (
                self.strength[person, tag, antenna] * self.fade[person, row] * np.where(here, 1.0, self.far)
            )
            angle = self.phase[person, tag, antenna]
            angle = angle + links.wave * self.slant[person, tag, antenna] * self.way_m[person, row]
            total += size * np.exp(1j * angle)
            loss_db += here * self.shade_db[person, tag, antenna] * np.minimum(self.fade[person, row], 1.0)
        return total, loss_db


class _Handled:
    """Where hands take tags: displacement (m) along three directions, turn, loss; and the truth."""

    def __init__(self, links: _Links, people: _People, times: Array, rng: np.random.Generator) -> None:
        rows = len(times)
        self.move_m = np.zeros((links.tags, 3, rows), np.float32)
        self.turn = np.zeros((links.tags, rows), np.float32)
        self.loss_db = np.zeros((links.tags, rows), np.float32)
        self.gone = np.zeros((links.tags, rows), bool)
        self.truth: list[tuple[int, str, float, float]] = []
        busy = np.zeros((links.tags, rows), bool)
        pause_s, pushes, shake_m = (
            rng.uniform(1.5, 7.0),
            rng.uniform(0.1, 0.6),
            _log_uniform(rng, 0.002, 0.03),
        )
        row = int(5 / STEP_S)
        while True:
            row += int(rng.exponential(pause_s) / STEP_S)
            if row > rows - int(8 / STEP_S):
                break
            there = np.unique(people.at[:, row])
            near = np.flatnonzero(np.isin(links.place, there) & ~busy[:, row])
            if not len(near):
                continue
            tag = int(rng.choice(near))
            span = np.arange(row, row + int(_log_uniform(rng, 1.0, 7.0) / STEP_S))
            busy[tag, row : span[-1] + 40] = True
            for away in range(1, 5):
                for beside in (tag - away, tag + away):
                    if (
                        0 <= beside < links.tags
                        and links.place[beside] == links.place[tag]
                        and rng.random() < 1 / away
                    ):
                        self._shake(beside, row, shake_m / away, rng)
                        self._shake(beside, int(span[-1]), 0.5 * shake_m / away, rng)
            if rng.random() < pushes:
                self._shake(tag, row, 1.5 * shake_m, rng)
                continue
            self._take(tag, span, rng)
            if self.gone[tag, -1]:
                busy[tag, row:] = True

    def _shake(self, tag: int, row: int, size_m: float, rng: np.random.Generator) -> None:
        after_s = np.arange(min(60, self.turn.shape[1] - row)) * STEP_S
        swing = np.exp(-after_s / rng.uniform(0.4, 1.6)) * np.sin(
            2 * math.pi * rng.uniform(0.6, 1.4) * after_s
        )
        here = slice(row, row + len(after_s))
        self.move_m[tag, :, here] += (rng.normal(0, size_m, (3, 1)) * swing).astype(np.float32)
        self.turn[tag, here] += (rng.normal(0, 5 * size_m) * swing).astype(np.float32)
        self.move_m[tag, :, row + 10 :] += rng.normal(0, 0.12 * size_m, (3, 1)).astype(np.float32)

    def _take(self, tag: int, span: NDArray[np.int64], rng: np.random.Generator) -> None:
        share = np.linspace(0, 1, len(span))
        lift = rng.uniform(0.08, 0.4)
        held = np.minimum(np.minimum(share / lift, (1 - share) / lift), 1.0)
        held = np.sin(0.5 * math.pi * held) ** rng.uniform(1, 2)
        goal = rng.normal(0, _log_uniform(rng, 0.015, 0.35), (3, 1))
        wander = _smoothed(rng, (3, len(span)), rng.uniform(0.1, 0.8)) * _log_uniform(rng, 0.002, 0.2)
        self.move_m[tag][:, span] += (held * (goal + wander)).astype(np.float32)
        angle = rng.choice([-1, 1]) * rng.uniform(0.3, 3.3)
        twist = 1 + 0.3 * _smoothed(rng, (len(span),), 0.5)
        self.turn[tag, span] += (held * angle * twist).astype(np.float32)
        self.loss_db[tag, span] += (held * rng.uniform(-1, 6)).astype(np.float32)
        kind = str(rng.choice([TURNED, REHUNG, CARRIED], p=[0.8, 0.15, 0.05]))
        rest_m = rng.normal(0, _log_uniform(rng, 0.002, 0.02), 3)
        if kind == REHUNG:
            rest_m += rng.normal(0, 0.25, 3)
        end = int(span[-1]) + 1
        self.move_m[tag][:, span[len(span) // 2 :]] += (
            rest_m[:, None] * np.linspace(0, 1, len(span) - len(span) // 2)
        ).astype(np.float32)
        self.move_m[tag, :, end:] += rest_m[:, None].astype(np.float32)
        self.turn[tag, end:] += np.float32(rng.normal(0, 0.12))
        self.gone[tag, end:] |= kind == CARRIED
        self.truth.append((tag, kind, float(span[0] * STEP_S), float(span[-1] * STEP_S)))


def simulate(seed: int, seconds: float = 180.0) -> WorldRecording:
    """One store of waves, a quiet time and `seconds` with people."""
    rng = np.random.default_rng([seed, 31_337])
    links = _Links(rng)
    times = np.arange(0.0, seconds + STEP_S, STEP_S)
    people = _People(links, times, rng)
    handled = _Handled(links, people, times, rng)
    reader = _Reader(links, rng)
    still = reader.reads(STILL_S, None, rng)
    reads = reader.reads(seconds, (people, handled), rng)
    handlings = tuple(
        Handling(reader.epcs[tag], kind, start_s, end_s)
        for tag, kind, start_s, end_s in sorted(handled.truth, key=lambda one: one[2])
    )
    return WorldRecording(f"waves-{seed}", still, reads, handlings, links.tags, seconds)


class _Reader:
    """Rounds over all tags with uneven pace, thresholds and noise."""

    def __init__(self, links: _Links, rng: np.random.Generator) -> None:
        self._links = links
        self.epcs = [f"e2c0{int(rng.integers(0, 1 << 16)):04x}{tag:016x}" for tag in range(links.tags)]
        self._level_dbm = rng.uniform(-65, -46)
        self._weakest_dbm = self._level_dbm - rng.uniform(6, 18)
        self._round_s = links.tags / _log_uniform(rng, 2.5, 16) / links.tags
        good = 0.25 if rng.random() < 0.3 else 1.0
        self._noise_rad, self._grows = good * _log_uniform(rng, 0.015, 0.18), rng.uniform(0.03, 0.055)
        self._noise_db = rng.uniform(2.5, 9.0)
        self._least_rad = good * _log_uniform(rng, 0.003, 0.04)
        self._step_db = float(rng.choice([0.01, 0.5, 1.0], p=[0.2, 0.6, 0.2]))
        self._sway_hz, self._sway_at = rng.uniform(0.15, 0.9, links.tags), rng.uniform(0, 6.3, links.tags)

    def reads(
        self, seconds: float, busy: tuple[_People, _Handled] | None, rng: np.random.Generator
    ) -> ReadTable:
        links = self._links
        rounds = int(seconds / self._round_s)
        start_s = np.cumsum(rng.gamma(4.0, self._round_s / 4.0, rounds))
        antenna = np.repeat(np.arange(rounds) % links.antennas, links.tags)
        tag = rng.permuted(np.tile(np.arange(links.tags), (rounds, 1)), axis=1).reshape(-1)
        within = np.tile(np.arange(links.tags) / links.tags, rounds)
        times = np.repeat(start_s, links.tags) + within * np.repeat(
            np.diff(start_s, append=start_s[-1]), links.tags
        )
        kept = times < seconds
        times, tag, antenna = times[kept], tag[kept], antenna[kept]
        row = (times / STEP_S).astype(np.int64)
        channel = (times / links.dwell_s).astype(np.int64) % links.channels
        sway_m = links.sway_m * np.sin(2 * math.pi * self._sway_hz[tag] * times + self._sway_at[tag])
        way_m = sway_m * links.side[tag, antenna, 0]
        turn, loss_db, own_db = np.zeros(len(times)), np.zeros(len(times)), np.zeros(len(times))
        added: Field = np.zeros(len(times), np.complex128)
        there = np.ones(len(times), bool)
        if busy is not None:
            people, handled = busy
            added, own_db = people.added(links, tag, antenna, row)
            moved = handled.move_m[tag, :, row]
            way_m = way_m + (moved * links.side[tag, antenna]).sum(1)
            turn, loss_db = (
                handled.turn[tag, row].astype(np.float64),
                handled.loss_db[tag, row].astype(np.float64),
            )
            there = ~handled.gone[tag, row]
            moved_m = np.sqrt((moved**2).sum(1))
            echo_turn = links.wave * moved_m * (1 + links.side[tag, antenna, 1])
        else:
            echo_turn = np.zeros(len(times))
        field = 10 ** (-own_db / 20) * np.exp(-1j * links.wave * way_m)
        field = field + links.echo[tag, antenna, channel] * np.exp(1j * echo_turn) + added
        bend = 1 + links.depth * (
            np.cos(turn + links.polar[tag, antenna]) - np.cos(links.polar[tag, antenna])
        )
        rssi = self._level_dbm + links.level_db[tag, antenna] - loss_db
        rssi = rssi + 40 * np.log10(np.abs(field) + 1e-3) + 20 * np.log10(np.clip(np.abs(bend), 0.1, 3.0))
        phase = 2 * np.angle(field) + 2 * turn + links.rest[tag, antenna] + links.offset[antenna, channel]
        chance = 0.97 / (1 + np.exp(-(rssi - self._weakest_dbm) / 2.0))
        heard = np.flatnonzero(there & (rng.random(len(times)) < chance))
        rssi, phase = rssi[heard], phase[heard]
        noise = np.minimum(self._least_rad + self._noise_rad * 10 ** (self._grows * (-62.5 - rssi)), 0.7)
        phase = phase + noise * rng.normal(size=len(heard))
        rssi = rssi + np.maximum(self._noise_db * noise, 0.1) * rng.normal(size=len(heard))
        order = np.argsort(times[heard], kind="stable")
        chosen = heard[order]
        return ReadTable.from_columns(
            times[chosen],
            np.array(self.epcs)[tag[chosen]],
            antenna[chosen] + 1,
            channel[chosen] + 1,
            np.round(rssi[order] / self._step_db) * self._step_db,
            phase[order] % (2 * math.pi),
        )
