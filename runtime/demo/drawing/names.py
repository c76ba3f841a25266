"""Which visitor of the events each person in the film is.

The daemon sends no pictures and no tracks, so the film finds people anew. Who they are is told by the events:
each says that a visitor was at a place at a time. Every event votes for the tracks that were there then; the
best supported pairs are taken first, and no visitor is in two places at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from contract.facts import Dwell, Interaction, Point, Visit
from runtime.config import StoreConfig
from runtime.demo.tally import EventTally
from runtime.geometry import Floats, signed_distance_m

CROSSING_M = 1.0
"""A person further from the entrance's line at the moment of a visit did not make it."""
STANDING_M = 0.7
"""A person further from where a turned garment's visitor stood is another one."""
SIDE_S = 1.0
"""How long before and after a visit a person's sides of the line are compared."""
NEAR_S = 0.5
"""A person not seen within so long of a moment has no place at it."""
AROUND_S = 3.0
"""Time in a zone so long before and after a stay counts against it."""
LEAST_VOTES = 0.5
TOGETHER_S = 0.5
"""Two tracks of one visitor may overlap so long: one ends a little after the next began."""


@dataclass(frozen=True)
class PersonPath:
    """One track of the film: UTC seconds (n,), and floor metres (n, 2) at them."""

    times_s: Floats
    places_m: Floats

    def at(self, time_s: float) -> Point | None:
        """The place at a moment, None where the person is not seen close to it."""
        if np.abs(self.times_s - time_s).min() > NEAR_S:
            return None
        x_m, y_m = (float(np.interp(time_s, self.times_s, self.places_m[:, axis])) for axis in (0, 1))
        return x_m, y_m

    def overlap_s(self, other: PersonPath) -> float:
        """How long both are there."""
        return float(min(self.times_s[-1], other.times_s[-1]) - max(self.times_s[0], other.times_s[0]))


def name_walks(walks: Mapping[int, PersonPath], config: StoreConfig, tally: EventTally) -> dict[int, str]:
    """Track -> visitor id, of the tracks that the events speak of."""
    votes: dict[tuple[int, str], float] = defaultdict(float)
    lines = {entrance.name: (entrance.line, entrance.inside) for entrance in config.entrances}
    zones = {zone.name: np.asarray(zone.polygon, np.float32) for zone in config.zones}
    for track, walk in walks.items():
        for visit in tally.of(Visit):
            if visit.entrance in lines:
                votes[track, visit.visitor] += 2 * _crossed(walk, visit, *lines[visit.entrance])
        for dwell in tally.of(Dwell):
            if dwell.zone in zones:
                votes[track, dwell.visitor] += _stayed(walk, dwell, zones[dwell.zone])
        for match in tally.of(Interaction):
            if match.visitor is not None:
                votes[track, match.visitor] += 2 * _stood(walk, match)
    return _settle(walks, votes)


def _settle(walks: Mapping[int, PersonPath], votes: Mapping[tuple[int, str], float]) -> dict[int, str]:
    names: dict[int, str] = {}
    tracks_of: dict[str, list[int]] = defaultdict(list)
    for (track, visitor), count in sorted(votes.items(), key=lambda item: -item[1]):
        elsewhere = any(walks[track].overlap_s(walks[other]) > TOGETHER_S for other in tracks_of[visitor])
        if count >= LEAST_VOTES and track not in names and not elsewhere:
            names[track] = visitor
            tracks_of[visitor].append(track)
    return names


def _crossed(walk: PersonPath, visit: Visit, line: tuple[Point, Point], inside: Point) -> float:
    """How well a walk fits a visit, 0 to 1."""
    at = walk.at(visit.time_s)
    if at is None:
        return 0.0
    before, after = (_nearest(walk, visit.time_s + offset_s) for offset_s in (-SIDE_S, SIDE_S))
    inward = signed_distance_m(inside, line)[0]
    moved = float(np.sign(inward) * (signed_distance_m(after, line)[0] - signed_distance_m(before, line)[0]))
    if (moved > 0) != (visit.direction == "in"):
        return 0.0
    return max(0.0, 1.0 - _distance_m(at, line) / CROSSING_M)


def _stayed(walk: PersonPath, dwell: Dwell, zone: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """How well a walk's time in a zone fits a stay, 0 to 1: shared time over the time of either."""
    near = (walk.times_s >= dwell.enter_s - AROUND_S) & (walk.times_s <= dwell.leave_s + AROUND_S)
    if near.sum() < 2:
        return 0.0
    times_s = walk.times_s[near]
    within = np.array(
        [cv2.pointPolygonTest(zone, (float(x), float(y)), False) >= 0 for x, y in walk.places_m[near]]
    )
    step_s = np.minimum(np.gradient(times_s), NEAR_S)
    during = (times_s >= dwell.enter_s) & (times_s <= dwell.leave_s)
    shared_s = float(step_s[within & during].sum())
    either_s = max(dwell.leave_s - dwell.enter_s, shared_s) + float(step_s[within & ~during].sum())
    return shared_s / either_s if either_s > 0 else 0.0


def _stood(walk: PersonPath, match: Interaction) -> float:
    """How well a walk fits where the visitor of a turned garment stood, 0 to 1."""
    if match.evidence is None:
        return 0.0
    at = walk.at((match.start_s + match.end_s) / 2 + match.evidence.time_offset_s)
    if at is None:
        return 0.0
    away_m = float(np.hypot(*np.subtract(at, match.evidence.floor_xy_m)))
    return max(0.0, 1.0 - away_m / STANDING_M)


def _nearest(walk: PersonPath, time_s: float) -> Point:
    x_m, y_m = walk.places_m[np.abs(walk.times_s - time_s).argmin()]
    return float(x_m), float(y_m)


def _distance_m(place: Point, line: Sequence[Point]) -> float:
    """From a place to a line between two points."""
    start, end = np.asarray(line[0]), np.asarray(line[1])
    along = end - start
    share = np.clip((np.asarray(place) - start) @ along / (along @ along), 0, 1)
    return float(np.linalg.norm(np.asarray(place) - (start + share * along)))
