"""Who a waiting track is: the odds of every known person against a stranger, and a one-to-one choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from runtime.store.people.arrivals import Arrivals
from runtime.store.people.global_track import LEAD_TIMEOUT_S, GlobalTrack, Source
from runtime.store.people.links import Links
from runtime.store.people.motion import Position
from runtime.store.people.probation import OVERLAP_S, PendingTrack
from runtime.store.people.reassociation import WALKING_LIMIT_M_PER_S, co_location, reassociation

Appearance: TypeAlias = Callable[[Source, int], float]
"""Likelihood ratio same/different of a new track and a person, from their appearance; 1 says nothing."""

FAR_M = 6.0
"""No two track points of one person at one moment are further apart: cameras disagree by decimetres."""
LEAST_ODDS = 1e-3
"""What is less likely than that is taken for impossible."""
IMPOSSIBLE = -50.0
"""Log odds of a pair that is none."""


class Matching:
    """Compares waiting tracks with persons; holds nothing of either.

    `area_m2` is the floor on which a stranger may appear, most of all where `arrivals` expects them.
    """

    def __init__(
        self, area_m2: float, arrivals: Arrivals, links: Links, appearance: Appearance | None = None
    ) -> None:
        self._links, self._appearance = links, appearance
        self.apply_plan(area_m2, arrivals)

    def apply_plan(self, area_m2: float, arrivals: Arrivals) -> None:
        """Go on with another floor plan. `stranger` is the density (1/m2) of one somewhere on the floor."""
        self.stranger = 1.0 / area_m2
        self._arrivals = arrivals

    def may_arrive(self, position: Position) -> bool:
        """Whether a place is near an entrance."""
        return self._arrivals.is_near(position.x_m, position.y_m)

    def candidates(
        self, source: Source, pending: PendingTrack, people: Mapping[int, GlobalTrack]
    ) -> dict[int, float]:
        """Odds "same" against "stranger" for every person that this track might be."""
        odds = {number: self._odds(source, pending, person) for number, person in people.items()}
        return {number: ratio for number, ratio in odds.items() if ratio}

    def correct(
        self,
        known: Mapping[Source, dict[int, float]],
        waiting: Mapping[Source, PendingTrack],
        person: GlobalTrack,
    ) -> None:
        """A person was just seen anew: what was `known` of who they might be holds no more."""
        for source, odds in known.items():
            odds.pop(person.number, None)
            pending = waiting.get(source)
            if pending is not None and (anew := self._odds(source, pending, person)):
                odds[person.number] = anew

    def continues(
        self,
        source: Source,
        waiting: Mapping[Source, PendingTrack],
        people: Mapping[int, GlobalTrack],
        known: dict[Source, dict[int, float]],
    ) -> int | None:
        """The person a waiting track continues, None for a newcomer; one-to-one among those seen beside it.

        `known` keeps the candidates of tracks between two calls at one moment.
        """
        pending = waiting[source]
        if pending.alone:
            return None
        rivals = [
            other
            for other in waiting
            if other != source and other[0] == source[0] and waiting[other].beside(pending)
        ]
        near = []
        for each in [source, *rivals]:
            if each not in known:
                known[each] = self.candidates(each, waiting[each], people)
            near.append(known[each])
        numbers = sorted({number for candidates in near for number in candidates})
        column = {number: place for place, number in enumerate(numbers)}
        gain = np.zeros((len(near), len(numbers) + len(near)))
        gain[:, : len(numbers)] = IMPOSSIBLE
        for row, candidates in enumerate(near):
            for number, odds in candidates.items():
                gain[row, column[number]] = math.log(odds)
        mine = int(linear_sum_assignment(gain, maximize=True)[1][0])
        if mine < len(numbers) and _probability(near[0], numbers[mine]) >= 0.5:
            return numbers[mine]
        return None

    def _odds(self, source: Source, pending: PendingTrack, person: GlobalTrack) -> float:
        """Odds "same" against "stranger" for one person; 0 where that is as good as impossible."""
        camera, born, last = source[0], pending.positions[0], person.motion.last
        reach_m = FAR_M + WALKING_LIMIT_M_PER_S * max(0.0, born.time_s - last.time_s)
        if math.hypot(born.x_m - last.x_m, born.y_m - last.y_m) > reach_m:
            return 0.0
        if person.seen_by(camera) > born.time_s + OVERLAP_S:
            return 0.0
        if pending.looks is not None and self._links.judges(person, born.time_s - person.seen_s):
            return 0.0
        if person.left and not self.may_arrive(born):
            return 0.0
        if person.seen_by_others(camera) >= born.time_s - LEAD_TIMEOUT_S:
            density = co_location(person.motion, pending.positions, LEAD_TIMEOUT_S)
        else:
            density = reassociation(person.motion, pending.motion, born, born.time_s - person.seen_s)
        looks = self._appearance(source, person.number) if self._appearance is not None else 1.0
        if pending.looks is not None and (known := person.gallery.middle()) is not None:
            looks *= math.exp(float(self._links.likeness.ratio(pending.looks, [known])[0]))
        stranger = self._arrivals.density(born.x_m, born.y_m)
        return density * looks / stranger if density * looks > LEAST_ODDS * stranger else 0.0


def _probability(candidates: dict[int, float], number: int) -> float:
    return candidates.get(number, 0.0) / (1.0 + sum(candidates.values()))
