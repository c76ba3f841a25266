"""Visitors of a simulated shop whose cameras do not overlap: what their trackers tell, and who it was.

Eight cameras each see 3.6 x 3.6 m of a floor of 24 x 12 m, the first one the entrance. Some thirty visitors
at a time walk from one place of interest to the next, by habits that are this shop's own, stand there, and
leave.
Each sight of a visitor before a camera is a track; its looks are a vector made so that likenesses spread as
those of `person-reid` do between cameras of the staged boutique.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from runtime.geometry import Floats
from runtime.messages import Person, PersonsSeen
from runtime.store.floorplan import EntranceLine
from runtime.store.people.looks import encode

COLUMNS, ROWS = 4, 2
CELL_M, SEEN_M = 6.0, 3.6
CAMERAS = COLUMNS * ROWS
AREA_M2 = COLUMNS * ROWS * CELL_M**2
ENTRANCE = EntranceLine("door", ((1.2, 2.2), (4.8, 2.2)), (3.0, 4.0))
STEP_S = 0.5
PLACE_NOISE_M = 0.15
WAYS = 6
"""Places that a visitor goes to, on average."""
LOOKS_SIZE = 24
COMMON, NOISE = 0.88, 1.2
"""Lengths of what all looks share and of what is new in each track; the visitor's own has length 1."""


@dataclass(frozen=True)
class SimulatedVisitor:
    """One visit: times (n,) and places (n, 2) every STEP_S, and how the visitor looks."""

    number: int
    times_s: Floats
    places_m: Floats
    looks: Floats


@dataclass
class SimulatedSights:
    """All that the trackers tell, in order of time; whose each (camera, track) is and since when."""

    records: list[PersonsSeen] = field(default_factory=list)
    whose: dict[tuple[str, int], int] = field(default_factory=dict)
    begun_s: dict[tuple[str, int], float] = field(default_factory=dict)
    visits: int = 0
    seconds: float = 0.0


def camera_of(place: Floats) -> int | None:
    """The camera that sees a place, None between them."""
    column, row = int(place[0] // CELL_M), int(place[1] // CELL_M)
    if not (0 <= column < COLUMNS and 0 <= row < ROWS):
        return None
    off = place - np.array([(column + 0.5) * CELL_M, (row + 0.5) * CELL_M])
    return row * COLUMNS + column if np.abs(off).max() <= SEEN_M / 2 else None


def simulate(seed: int, tracks: int, people: int = 30) -> SimulatedSights:
    """A shop of a seed until so many tracks have begun."""
    rng = np.random.default_rng([seed, 8])
    habits = rng.dirichlet(np.full(CAMERAS, 0.35), CAMERAS)
    common = _unit(rng.normal(size=LOOKS_SIZE))
    found = SimulatedSights()
    inside: list[SimulatedVisitor] = []
    count, next_s, time_s = 0, 0.0, 0.0
    open_tracks: dict[int, tuple[int, int]] = {}
    stay_s = WAYS * 30.0
    while len(found.whose) < tracks:
        while next_s <= time_s:
            count += 1
            inside.append(_visitor(rng, count, time_s, habits))
            next_s += float(rng.exponential(stay_s / people))
        _look(rng, time_s, inside, open_tracks, common, found)
        inside = [each for each in inside if each.times_s[-1] > time_s]
        time_s += STEP_S
    found.visits, found.seconds = count, time_s
    return found


def _visitor(rng: np.random.Generator, number: int, begin_s: float, habits: Floats) -> SimulatedVisitor:
    speed = float(rng.uniform(0.9, 1.3))
    door = np.array([float(rng.uniform(2.2, 3.8)), 0.0])
    within = np.array([float(rng.uniform(2.2, 3.8)), 3.4])
    times, places, at = [begin_s, begin_s + 3.4 / speed], [door, within], 0
    for _ in range(1 + rng.poisson(WAYS - 1)):
        area = int(rng.choice(CAMERAS, p=habits[at]))
        middle = np.array([(area % COLUMNS + 0.5) * CELL_M, (area // COLUMNS + 0.5) * CELL_M])
        spot = middle + rng.uniform(-1.2, 1.2, 2) + ([0.0, 0.6] if area == 0 else [0.0, 0.0])
        times += [times[-1] + float(np.hypot(*(spot - places[-1]))) / speed]
        times += [times[-1] + float(rng.uniform(4, 30))]
        places += [spot, spot]
        at = area
    for place in (within, door):
        times.append(times[-1] + float(np.hypot(*(place - places[-1]))) / speed)
        places.append(place)
    steps = np.arange(begin_s, times[-1], STEP_S)
    table = np.array(places)
    way = np.stack([np.interp(steps, times, table[:, axis]) for axis in (0, 1)], axis=1)
    return SimulatedVisitor(number, steps, way, _unit(rng.normal(size=LOOKS_SIZE)))


def _look(
    rng: np.random.Generator,
    time_s: float,
    inside: list[SimulatedVisitor],
    open_tracks: dict[int, tuple[int, int]],
    common: Floats,
    found: SimulatedSights,
) -> None:
    """One frame of each camera."""
    seen: list[list[Person]] = [[] for _ in range(CAMERAS)]
    ended: list[list[int]] = [[] for _ in range(CAMERAS)]
    for visitor in inside:
        at = round((time_s - visitor.times_s[0]) / STEP_S)
        here = 0 <= at < len(visitor.times_s)
        camera = camera_of(visitor.places_m[at]) if here else None
        before = open_tracks.get(visitor.number)
        if before is not None and before[0] != camera:
            ended[before[0]].append(before[1])
            del open_tracks[visitor.number]
        if camera is None:
            continue
        looks = b""
        if visitor.number not in open_tracks:
            track = len(found.whose) + 1
            open_tracks[visitor.number] = camera, track
            found.whose[str(camera), track] = visitor.number
            found.begun_s[str(camera), track] = time_s
            noise = _unit(rng.normal(size=LOOKS_SIZE)) * NOISE
            looks = encode(_unit(visitor.looks + COMMON * common + noise))
        x_m, y_m = (visitor.places_m[at] + rng.normal(0, PLACE_NOISE_M, 2)).tolist()
        track = open_tracks[visitor.number][1]
        box = (0.0, 0.0, 1.0, 2.0)
        seen[camera].append(Person(track, box, 0.9, (x_m, y_m), looks=looks))
    for camera in range(CAMERAS):
        record = PersonsSeen(str(camera), 0, time_s, tuple(seen[camera]), tuple(ended[camera]))
        found.records.append(record)


def _unit(vector: Floats) -> Floats:
    length: Floats = vector / np.linalg.norm(vector)
    return length


def frames(found: SimulatedSights) -> Iterator[list[PersonsSeen]]:
    """Records of one moment at a time."""
    for at in range(0, len(found.records), CAMERAS):
        yield found.records[at : at + CAMERAS]
