"""A store of rays: a box of a room, the antenna's images in its walls, tags as turning dipoles.

The field at a tag is the sum over the antenna and its six first-order images (image method), each with the
projection of the tag's dipole on a circularly polarised wave, and over people: columns of scatterers with two
hands, who also shade paths behind a knife edge (ITU-R P.526). Backscatter squares the field. Reads are a
Poisson process thinned by the power at the tag; noise grows as the level falls. Everything that nobody
measured in a shop is drawn from a wide range.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import ReadTable
from rfid_reader.training.worlds.recording import CARRIED, REHUNG, TURNED, Handling, WorldRecording

Array = NDArray[np.float64]
Field = NDArray[np.complex128]
C_M_PER_S = 299_792_458.0
GRID_S = 0.05
STILL_S = 75.0
BODY_HEIGHTS_M = (0.5, 1.0, 1.45)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _bands(rng: np.random.Generator) -> tuple[Array, float]:
    """Frequencies (Hz) in the order of the hop table, and the time on each (s)."""
    kind = rng.choice(4, p=[0.4, 0.25, 0.25, 0.1])
    if kind == 0:
        return np.asarray(902.75e6 + 0.5e6 * rng.permutation(50)), float(rng.uniform(0.18, 0.4))
    if kind == 1:
        return np.asarray(865.7e6 + 0.6e6 * rng.permutation(4)), float(rng.uniform(1.0, 4.0))
    if kind == 2:
        return np.asarray(920.625e6 + 0.25e6 * rng.permutation(16)), float(rng.uniform(0.4, 2.0))
    return np.array([916.8e6]), 1.0


class _Store:
    """The room, its racks and antennas, and everybody's ways; one draw of everything."""

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        self.size_m = np.array([rng.uniform(5, 14), rng.uniform(5, 12), rng.uniform(2.5, 4.0)])
        self.seconds = seconds
        self._hang(rng)
        self._mount(rng)
        self.frequencies_hz, self.dwell_s = _bands(rng)
        self.walls = _log_uniform(rng, 0.02, 0.55) * rng.uniform(0.5, 1.3, 6) * rng.choice([-1, 1], 6)
        self.times = np.arange(0.0, seconds + GRID_S, GRID_S)
        self.people = int(rng.integers(1, 5))
        self.ways = np.stack([self._way(rng) for _ in range(self.people)])
        self.body_m = float(np.exp(rng.uniform(math.log(0.09), math.log(0.45))))
        self.hand_m = float(rng.uniform(0.02, 0.08))
        self.body_phase = np.exp(1j * rng.uniform(0, 2 * math.pi, (self.people, len(BODY_HEIGHTS_M))))
        self.shade = float(rng.uniform(0.5, 1.3))

    def _hang(self, rng: np.random.Generator) -> None:
        places, racks = [], []
        for rack in range(int(rng.integers(1, 6))):
            count, gap = int(rng.integers(5, 15)), rng.uniform(0.03, 0.14)
            start = np.array(
                [
                    rng.uniform(0.8, self.size_m[0] - 0.8),
                    rng.uniform(0.8, self.size_m[1] - 0.8),
                    rng.uniform(0.8, 1.6),
                ]
            )
            heading = rng.uniform(0, math.pi)
            along = gap * np.array([math.cos(heading), math.sin(heading), 0.0])
            rows = np.arange(count)[:, None] - count / 2
            places.append(start + rows * along + rng.normal(0, [0.01, 0.01, 0.05], (count, 3)))
            racks += [rack] * count
        self.tag_xyz = np.clip(np.concatenate(places), 0.1, self.size_m - 0.1)
        self.rack = np.array(racks)
        self.tags = len(racks)
        dipole = rng.normal(0, 1, (self.tags, 3)) * rng.uniform(0.1, 1.0)
        dipole[:, int(rng.integers(0, 3))] += 1.0
        self.dipole = dipole / np.linalg.norm(dipole, axis=1, keepdims=True)
        self.tag_loss_db = rng.normal(0, rng.uniform(0.5, 4.0), self.tags)
        self.sway_m = _log_uniform(rng, 1e-5, 2.5e-3) * rng.uniform(0.3, 1.5, self.tags)
        self.sway_hz, self.sway_at = rng.uniform(0.2, 0.9, self.tags), rng.uniform(0, 6.3, self.tags)

    def _mount(self, rng: np.random.Generator) -> None:
        count = int(rng.integers(1, 5))
        over = self.tag_xyz[rng.integers(0, self.tags, count)]
        aside_m = rng.normal(0, rng.uniform(0.2, 2.0), (count, 3))
        self.antenna_xyz = np.clip(over + aside_m, 0.3, self.size_m - 0.2)
        self.antenna_xyz[:, 2] = rng.uniform(1.0 if rng.random() < 0.2 else 2.2, self.size_m[2] - 0.1, count)
        looks = over - self.antenna_xyz
        if rng.random() < 0.5:
            looks = np.tile([0.0, 0.0, -1.0], (count, 1))
        self.looks = looks / np.linalg.norm(looks, axis=1, keepdims=True)
        self.pattern = rng.uniform(0.5, 3.0)

    def _way(self, rng: np.random.Generator) -> Array:
        """Floor positions (times, 2) of one person, NaN while away."""
        way = np.full((len(self.times), 2), np.nan)
        place = rng.uniform(0.3, 0.95, 2) * self.size_m[:2]
        row = int(rng.uniform(0, 0.25) * len(self.times))
        shift_m = rng.uniform(0.002, 0.02)
        while row < len(self.times):
            if rng.random() < 0.8:
                near = self.tag_xyz[int(rng.integers(0, self.tags)), :2]
                angle = rng.uniform(0, 2 * math.pi)
                goal = near + rng.uniform(0.3, 0.9) * np.array([math.cos(angle), math.sin(angle)])
            else:
                goal = rng.uniform(0.05, 0.95, 2) * self.size_m[:2]
            steps = max(int(np.linalg.norm(goal - place) / rng.uniform(0.5, 1.5) / GRID_S), 1)
            leg = place + (goal - place) * np.linspace(0, 1, steps)[:, None]
            stand = int(rng.exponential(rng.choice([3.0, 9.0, 20.0])) / GRID_S) + 1
            drift = np.cumsum(rng.normal(0, shift_m, (stand, 2)), 0)
            leg = np.concatenate([leg, goal + 0.15 * np.tanh(drift / 0.15)])[: len(self.times) - row]
            way[row : row + len(leg)] = leg
            row, place = row + len(leg), goal
            if rng.random() < 0.1:
                row += int(rng.exponential(15) / GRID_S)
        return way


class _Hands:
    """Every tag's displacement (times, tags, 3), turn (times, tags) and extra loss (dB) while hands are at
    work, where the hands are, and the truth."""

    def __init__(self, store: _Store, rng: np.random.Generator) -> None:
        self._store, self._rng = store, rng
        rows, tags = len(store.times), store.tags
        self.offset_m = np.zeros((rows, tags, 3), np.float32)
        self.turn = np.zeros((rows, tags), np.float32)
        self.loss_db = np.zeros((rows, tags), np.float32)
        self.gone = np.zeros((rows, tags), bool)
        self.hands = self._free_hands()
        self.truth: list[tuple[int, str, float, float]] = []
        self._coupled = rng.uniform(0.0, 0.03)
        self._busy = np.zeros((rows, tags), bool)
        now_s, pause_s = rng.uniform(4, 10), rng.uniform(1.5, 6.0)
        pushes = rng.uniform(0.1, 0.5)
        while True:
            now_s += rng.exponential(pause_s)
            if now_s > store.seconds - 7:
                break
            self._visit(now_s, bool(rng.random() < pushes))

    def _free_hands(self) -> Array:
        """(people, 2, times, 3): arms that swing, and now and then reach out and hover."""
        store, rng = self._store, self._rng
        shape = (store.people, 2, 1)
        calm = np.sin(2 * math.pi * rng.uniform(0.03, 0.2, shape) * store.times + rng.uniform(0, 6.3, shape))
        swing = np.sin(2 * math.pi * rng.uniform(0.4, 1.2, shape) * store.times + rng.uniform(0, 6.3, shape))
        angle = rng.uniform(0, 2 * math.pi, shape) + 0.8 * swing * (0.4 + 0.6 * calm**2)
        reach_m = 0.2 + 0.4 * np.maximum(calm, 0) ** 2
        hands = np.empty((store.people, 2, len(store.times), 3))
        hands[..., 0] = store.ways[:, None, :, 0] + reach_m * np.cos(angle)
        hands[..., 1] = store.ways[:, None, :, 1] + reach_m * np.sin(angle)
        hands[..., 2] = 0.95 + 0.5 * np.maximum(calm, 0)
        return hands

    def _visit(self, start_s: float, push: bool) -> None:
        store, rng = self._store, self._rng
        row = int(start_s / GRID_S)
        near_m = np.linalg.norm(store.tag_xyz[None, :, :2] - store.ways[:, row, None], axis=-1)
        person, tag = np.nonzero((near_m < 1.15) & ~self._busy[row])
        if not len(tag):
            return
        pick = int(rng.integers(0, len(tag)))
        who, tag_row = int(person[pick]), int(tag[pick])
        length_s = float(rng.uniform(1.0, 3.5) if rng.random() < 0.5 else rng.uniform(2.0, 7.0))
        rows = np.arange(row, min(row + int(length_s / GRID_S), len(store.times)))
        self._busy[rows[0] : rows[-1] + 40, tag_row] = True
        side = int(rng.integers(0, 2))
        if push:
            for far in range(int(rng.integers(2, 6))):
                self._nudge(rows, tag_row + far, rng.uniform(0.004, 0.03))
            self.hands[who, side, rows] = store.tag_xyz[tag_row]
            return
        self._handle(rows, tag_row)
        self.hands[who, side, rows] = store.tag_xyz[tag_row] + self.offset_m[rows, tag_row]
        for away in (1, 2, 3, 4):
            for other in (tag_row - away, tag_row + away):
                if rng.random() < 1.1 - 0.25 * away:
                    self._nudge(rows, other, rng.uniform(0.3, 1.5) * self._coupled / away, tag_row)

    def _nudge(self, rows: NDArray[np.int64], tag: int, size_m: float, beside: int | None = None) -> None:
        store, rng = self._store, self._rng
        if not 0 <= tag < store.tags or (beside is not None and store.rack[tag] != store.rack[beside]):
            return
        swing_s = np.arange(len(rows) + 60) * GRID_S
        decay = np.exp(-swing_s / rng.uniform(0.5, 2.0)) * np.sin(
            2 * math.pi * rng.uniform(0.6, 1.3) * swing_s
        )
        at = np.arange(rows[0], min(rows[0] + len(swing_s), len(store.times)))
        direction = rng.normal(0, 1, 3) * [1, 1, 0.2]
        self.offset_m[at, tag] += (size_m * decay[: len(at), None] * direction).astype(np.float32)
        self.offset_m[rows[-1] :, tag] += rng.normal(0, 0.15 * size_m, 3).astype(np.float32)
        self.turn[at, tag] += (rng.normal(0, 4.0 * size_m) * decay[: len(at)]).astype(np.float32)

    def _handle(self, rows: NDArray[np.int64], tag: int) -> None:
        store, rng = self._store, self._rng
        share = np.linspace(0, 1, len(rows))
        edge = rng.uniform(0.1, 0.45)
        held = np.clip(share / edge, 0, 1) * np.clip((1 - share) / edge, 0, 1)
        held = held * held * (3 - 2 * held)
        direction = rng.normal(0, 1, 3) * [1, 1, 0.5]
        direction *= rng.uniform(0.06, 0.4) / np.linalg.norm(direction)
        waves = sum(
            rng.normal(0, 1, 3)
            * np.sin(2 * math.pi * rng.uniform(0.2, 2.0) * share[:, None] * len(rows) * GRID_S)
            for _ in range(3)
        )
        kind = str(rng.choice([TURNED, REHUNG, CARRIED], p=[0.78, 0.17, 0.05]))
        angle = rng.choice([-1, 1]) * (rng.uniform(0.4, 3.2) if rng.random() < 0.6 else rng.uniform(0.0, 0.5))
        turned = (
            held
            * angle
            * (1 + 0.2 * np.sin(2 * math.pi * rng.uniform(0.3, 1.5) * share * len(rows) * GRID_S))
        )
        self.offset_m[rows, tag] += held[:, None] * (direction + _log_uniform(rng, 0.003, 0.25) * waves)
        self.turn[rows, tag] += turned
        self.loss_db[rows, tag] += held * rng.uniform(0, 6)
        end = int(rows[-1])
        rest_m = rng.normal(0, rng.uniform(0.003, 0.02), 3)
        if kind == REHUNG:
            rest_m = rest_m + rng.uniform(0.05, 0.5) * rng.choice([-1, 1]) * np.array([1.0, 0.3, 0.0])
        late = np.clip((share - 0.5) * 2, 0, 1)[:, None] * rest_m
        self.offset_m[rows, tag] += late.astype(np.float32)
        self.offset_m[end + 1 :, tag] += rest_m.astype(np.float32)
        self.turn[end + 1 :, tag] += np.float32(rng.normal(0, rng.choice([0.05, 0.3])))
        if kind == CARRIED:
            self.gone[end:, tag] = True
            self._busy[end:, tag] = True
        self.truth.append((tag, kind, float(store.times[rows[0]]), float(store.times[end])))


def _knife_edge(depth: Array) -> Array:
    """Field factor behind an edge with Fresnel parameter `depth` (ITU-R P.526-15, equation 31)."""
    inside = np.maximum(depth, -0.78) - 0.1
    return np.asarray(10 ** (-(6.9 + 20 * np.log10(np.sqrt(inside**2 + 1) + inside)) / 20))


def _shaded(store: _Store, antenna: Array, tag_xyz: Array, person_xy: Array, wave: Array) -> Array:
    """Factor (n,) of the direct path past one person, NaN positions shade nothing."""
    way = tag_xyz[:, :2] - antenna[:2]
    share = np.clip(((person_xy - antenna[:2]) * way).sum(1) / np.maximum((way**2).sum(1), 1e-6), 0.02, 0.98)
    aside_m = np.linalg.norm(antenna[:2] + share[:, None] * way - person_xy, axis=1)
    height_m = antenna[2] + share * (tag_xyz[:, 2] - antenna[2])
    far_m = np.linalg.norm(tag_xyz - antenna, axis=1)
    into_m = np.minimum(0.2 - aside_m, 1.75 - height_m)
    fresnel = into_m * np.sqrt(wave / (math.pi * far_m * share * (1 - share)))
    return np.where(
        np.isnan(fresnel) | (fresnel < -0.78), 1.0, _knife_edge(np.nan_to_num(fresnel)) ** store.shade
    )


def _projected(dipole: Array, way: Array) -> Field:
    """A turning dipole (n, 3) in a circular wave along the unit vectors `way` (n, 3)."""
    first = np.cross(way, [0.31, 0.95, 0.02])
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-9
    second = np.cross(way, first)
    return np.asarray((dipole * first).sum(1) + 1j * (dipole * second).sum(1))


def _turned(dipole: Array, angle: Array) -> Array:
    """Dipoles turned about the vertical by half the angle and tipped over by the other half."""
    half = 0.5 * angle
    x = dipole[:, 0] * np.cos(half) - dipole[:, 1] * np.sin(half)
    y = dipole[:, 0] * np.sin(half) + dipole[:, 1] * np.cos(half)
    return np.column_stack(
        [x, y * np.cos(half) - dipole[:, 2] * np.sin(half), y * np.sin(half) + dipole[:, 2] * np.cos(half)]
    )


def _fields(
    store: _Store,
    antenna_row: int,
    tag_xyz: Array,
    dipole: Array,
    wave: Array,
    people: tuple[Array, Array] | None,
) -> Field:
    antenna, looks = store.antenna_xyz[antenna_row], store.looks[antenna_row]
    sources = [(antenna, 1.0)]
    for axis in range(3):
        for end, wall in ((0.0, 2 * axis), (store.size_m[axis], 2 * axis + 1)):
            image = antenna.copy()
            image[axis] = 2 * end - image[axis]
            sources.append((image, float(store.walls[wall])))
    total: Field = np.zeros(len(tag_xyz), np.complex128)
    for number, (source, factor) in enumerate(sources):
        way = tag_xyz - source
        far_m = np.maximum(np.linalg.norm(way, axis=1), 0.2)
        unit = way / far_m[:, None]
        cosine = np.clip(unit @ looks, 0.0, 1.0) if number == 0 else 0.6
        path = factor * (0.15 + 0.85 * cosine**store.pattern) * np.exp(-1j * wave * far_m) / far_m
        if number == 0 and people is not None:
            for person in range(store.people):
                path = path * _shaded(store, antenna, tag_xyz, people[0][person], wave)
        total += path * _projected(dipole, unit)
    if people is None:
        return total
    bodies, hands = people
    for person in range(store.people):
        here = ~np.isnan(bodies[person, :, 0])
        for height_m, phase in zip(BODY_HEIGHTS_M, store.body_phase[person], strict=True):
            body = np.column_stack(
                [np.where(here[:, None], bodies[person], 1e3), np.full(len(here), height_m)]
            )
            total += here * _echo(antenna, body, tag_xyz, dipole, wave, store.body_m * 0.58, 0.25) * phase
        for side in range(2):
            hand = np.where(here[:, None], hands[person, side], 1e3)
            total += here * _echo(antenna, hand, tag_xyz, dipole, wave, store.hand_m, 0.15)
    return total


def _echo(
    antenna: Array, body: Array, tag_xyz: Array, dipole: Array, wave: Array, size_m: float, least_m: float
) -> Field:
    there_m = np.maximum(np.linalg.norm(body - antenna, axis=1), 0.3)
    way = tag_xyz - body
    on_m = np.maximum(np.linalg.norm(way, axis=1), least_m)
    reach = size_m * np.exp(-1j * wave * (there_m + on_m)) / (there_m * on_m)
    return np.asarray(reach * _projected(dipole, way / on_m[:, None]))


def simulate(seed: int, seconds: float = 180.0) -> WorldRecording:
    """One store of rays, a quiet time and `seconds` with people."""
    rng = np.random.default_rng([seed, 90_210])
    store = _Store(rng, seconds)
    hands = _Hands(store, rng)
    reader = _Reader(store, rng)
    still = reader.reads(STILL_S, None, rng)
    reads = reader.reads(seconds, hands, rng)
    truth = sorted(hands.truth, key=lambda one: one[2])
    handlings = tuple(Handling(reader.epcs[tag], kind, start_s, end_s) for tag, kind, start_s, end_s in truth)
    return WorldRecording(f"rays-{seed}", still, reads, handlings, store.tags, seconds)


class _Reader:
    """What the reader adds: turns of antennas, hops, offsets, noise, thresholds."""

    def __init__(self, store: _Store, rng: np.random.Generator) -> None:
        self._store = store
        antennas, channels = len(store.antenna_xyz), len(store.frequencies_hz)
        self.epcs = [f"e2b0{int(rng.integers(0, 1 << 16)):04x}{tag:016x}" for tag in range(store.tags)]
        self._offset = rng.uniform(0, 2 * math.pi, (antennas, channels))
        self._gain_db = rng.normal(0, rng.uniform(0.0, 1.2), (antennas, channels))
        self._tag_phase = rng.uniform(0, 2 * math.pi, store.tags)
        self._turn_s = rng.uniform(0.05, 0.6)
        self._rate_hz = float(np.exp(rng.uniform(math.log(2.5), math.log(14))))
        good = 0.25 if rng.random() < 0.3 else 1.0
        self._noise_rad = good * _log_uniform(rng, 0.015, 0.18)
        self._slope = rng.uniform(0.5, 1.1)
        self._floor_rad = good * _log_uniform(rng, 0.004, 0.04)
        self._noise_db = rng.uniform(0.35, 1.0)
        self._sensitivity_dbm = rng.uniform(-74, -66)
        self._softness_db = rng.uniform(1.0, 3.5)
        self._level_dbm = float(rng.uniform(-64, -47)) - self._usual_db()

    def _usual_db(self) -> float:
        """Median over tags of what the best antenna would get from them at a level of 0 dBm."""
        store = self._store
        wave = np.full(store.tags, 2 * math.pi * store.frequencies_hz[0] / C_M_PER_S)
        every = [
            np.abs(_fields(store, number, store.tag_xyz, store.dipole, wave, None))
            for number in range(len(store.antenna_xyz))
        ]
        return float(np.median(40 * np.log10(np.max(every, 0) + 1e-6) - store.tag_loss_db))

    def reads(self, seconds: float, hands: _Hands | None, rng: np.random.Generator) -> ReadTable:
        store = self._store
        count = rng.poisson(1.25 * self._rate_hz * store.tags * seconds)
        times = np.sort(rng.uniform(0, seconds, count))
        antenna = (times / self._turn_s).astype(np.int64) % len(store.antenna_xyz)
        channel = (times / store.dwell_s).astype(np.int64) % len(store.frequencies_hz)
        tag = rng.integers(0, store.tags, count)
        row = np.minimum((times / GRID_S).astype(np.int64), len(store.times) - 1)
        xyz = store.tag_xyz[tag].copy()
        sway = store.sway_m[tag] * np.sin(2 * math.pi * store.sway_hz[tag] * times + store.sway_at[tag])
        xyz[:, :2] += sway[:, None]
        dipole, loss_db = store.dipole[tag], store.tag_loss_db[tag].copy()
        there = np.ones(count, bool)
        if hands is not None:
            xyz += hands.offset_m[row, tag]
            dipole = _turned(dipole, hands.turn[row, tag].astype(np.float64))
            loss_db += hands.loss_db[row, tag]
            there = ~hands.gone[row, tag]
        wave = 2 * math.pi * store.frequencies_hz[channel] / C_M_PER_S
        field: Field = np.zeros(count, np.complex128)
        for number in range(len(store.antenna_xyz)):
            mine = antenna == number
            people = None
            if hands is not None:
                people = (store.ways[:, row[mine]], hands.hands[:, :, row[mine]])
            field[mine] = _fields(store, number, xyz[mine], dipole[mine], wave[mine], people)
        rssi = (
            self._level_dbm + 40 * np.log10(np.abs(field) + 1e-6) - loss_db + self._gain_db[antenna, channel]
        )
        phase = 2 * np.angle(field) + self._offset[antenna, channel] + self._tag_phase[tag]
        heard = there & (
            rng.random(count) < 1 / (1 + np.exp(-(rssi - self._sensitivity_dbm) / self._softness_db))
        )
        noise = np.clip(
            np.hypot(self._floor_rad, self._noise_rad * 10 ** (self._slope * (-62.5 - rssi) / 20)), 0.0, 0.8
        )
        phase = (phase + noise * rng.normal(size=count)) % (2 * math.pi)
        rssi = rssi + np.maximum(8.7 * self._noise_db * noise, 0.1) * rng.normal(size=count)
        return ReadTable.from_columns(
            times[heard],
            np.array(self.epcs)[tag[heard]],
            antenna[heard] + 1,
            channel[heard] + 1,
            np.round(2 * rssi[heard]) / 2,
            phase[heard],
        )
