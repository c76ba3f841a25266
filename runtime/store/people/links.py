"""One visitor before cameras that do not overlap: who turns up, is it somebody who was lost elsewhere?

A new person is held against everybody who is not in sight and has not left: could they have walked there; how
likely is the pair of cameras and the time between (`transit`); how alike do they look (`looks`); against a
newcomer, who is likeliest at an entrance (`arrivals`). The answer is a probability over all of them and
"nobody"; from `LINK` on, which leaves the second a tenth at most, the new person is who was lost, and
what was reported of the new one is corrected. It is asked again as more is known of their appearance, for
`OPEN_S`.

At most `MAX_AWAY` persons are remembered, those longest unseen go first; nobody for longer than `AWAY_S`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.store.people.arrivals import Arrivals
from runtime.store.people.global_track import LEAD_TIMEOUT_S, GlobalTrack
from runtime.store.people.looks import Likeness, Vector
from runtime.store.people.motion import Position
from runtime.store.people.probation import PendingTrack
from runtime.store.people.reassociation import MEMORY_S, REACH_M, WALKING_LIMIT_M_PER_S, reassociation
from runtime.store.people.transit import TransitTimes

MAX_AWAY, AWAY_S = 256, 3600.0
MAX_FRESH = 256
OPEN_S = 20.0
LOST_S = 0.05
"""Unseen for so long, a person in the shop may be who turns up."""
WALKED_ON = 0.3
"""How many of those lost walk on as they did: their track broke."""
WALK_M_PER_S, WALK_SD = 1.1, 0.35
"""How fast people walk from one camera to the next, and the spread of its logarithm."""
STRAIGHT, STAY_S = 0.5, 60.0
"""How many walk straight on to where they are seen next; how long the others stay between, on average."""
NEWCOMERS, NEWCOMERS_S = 10.0, 300.0
"""As if so many had come in so many seconds, before a shop has shown its own rate."""
RATE_MEMORY_S = 3600.0
LINK = 0.9
"""Probability from which it is them: a visitor with two ids does less harm than two with one."""
PLACED = 0.8
"""Probability by place and time alone from which a pair teaches what looks are worth."""
SURE_PLACE = 10.0
"""Odds of place alone, against a stranger's, from which a bound track teaches what looks are worth."""
LEAST_COUNTED = 0.05
"""Links less probable than this teach nothing of transit."""


@dataclass
class _Fresh:
    """A person who turned up, and who might be somebody: `odds` are log-odds against a newcomer."""

    camera: str
    born: Position
    asked: bool = False
    odds: dict[int, float] | None = None
    placed: dict[int, float] | None = None
    """The same without their looks."""


class Links:
    """Persons out of sight, and those who might be them. `area_m2` is the floor.

    Without `uses_place` or `learns_transit` that evidence is left out, to see what it is worth. `link` is the
    probability from which it is them.
    """

    def __init__(
        self,
        area_m2: float,
        arrivals: Arrivals,
        *,
        uses_place: bool = True,
        learns_transit: bool = True,
        link: float = LINK,
    ) -> None:
        self._even = 1.0 / area_m2
        self._arrivals = arrivals
        self._uses_place = uses_place
        self._learns_transit = learns_transit
        self._link = link
        self._newcomers, self._watched_s, self._since_s = NEWCOMERS, NEWCOMERS_S, math.nan
        self._away: dict[int, GlobalTrack] = {}
        self._fresh: dict[int, _Fresh] = {}
        self.transit = TransitTimes()
        self.likeness = Likeness()

    def __len__(self) -> int:
        return len(self._away)

    def appeared(self, number: int, camera: str, born: Position) -> None:
        """A new person, of whom nothing near in place and time is known."""
        if len(self._fresh) < MAX_FRESH:
            self._fresh[number] = _Fresh(camera, born)

    def apply_plan(self, area_m2: float, arrivals: Arrivals) -> None:
        """Go on with another floor: what was learned stays."""
        self._even, self._arrivals = 1.0 / area_m2, arrivals

    @staticmethod
    def judges(person: GlobalTrack, gap_s: float) -> bool:
        """Whether links say if who turns up after a gap is this person, and not place alone."""
        return bool(person.gallery.vectors) and gap_s > LOST_S

    def look(
        self, person: GlobalTrack, camera: str, vector: Vector, people: Mapping[int, GlobalTrack]
    ) -> None:
        """More is known of how a person looks, and of what likenesses are worth: somebody else who is in
        sight at the same time, of `people`, looks otherwise."""
        for other in people.values():
            theirs = other.gallery.middle()
            apart = other.number != person.number and person.seen_s - other.seen_s < LEAD_TIMEOUT_S
            if apart and theirs is not None and len(theirs) == len(vector):
                self.likeness.learn(vector, theirs, same=False)
                break
        person.gallery.add(camera, vector)
        if person.number in self._fresh:
            self._fresh[person.number].asked = False

    def learn_appearance(
        self, person: GlobalTrack, camera: str, pending: PendingTrack, stranger: float
    ) -> None:
        """Where place and time alone leave no doubt that a track of this camera is of that person, their two
        looks show what looks are worth. `stranger` is the density (1/m2) of somebody else."""
        known = person.gallery.middle()
        if known is None or pending.looks is None or len(known) != len(pending.looks):
            return
        born = pending.positions[0]
        place = reassociation(person.motion, pending.motion, born, born.time_s - person.seen_s)
        if camera != person.last_camera and place > SURE_PLACE * stranger:
            self.likeness.learn(pending.looks, known, same=True)

    def leave(self, person: GlobalTrack) -> None:
        """A person has been out of sight for long; remembered if they may be in the shop and are known."""
        self._fresh.pop(person.number, None)
        if person.left or not person.gallery.vectors:
            return
        while len(self._away) >= MAX_AWAY:
            del self._away[min(self._away, key=lambda each: self._away[each].seen_s)]
        self._away[person.number] = person

    def take(self, number: int) -> GlobalTrack | None:
        """A person who is back, remembered here no more."""
        return self._away.pop(number, None)

    def gone(self, number: int) -> None:
        """A person is another now, or nobody: not asked any more."""
        self._fresh.pop(number, None)

    def decide(self, time_s: float, people: Mapping[int, GlobalTrack]) -> list[tuple[int, int]]:
        """Who, of those that turned up, is whom: pairs of numbers (new, old), each at most once."""
        found: list[tuple[int, int]] = []
        passed_s = 0.0 if math.isnan(self._since_s) else max(0.0, time_s - self._since_s)
        self._since_s = time_s
        self._watched_s += passed_s
        if self._watched_s > RATE_MEMORY_S:
            self._newcomers *= RATE_MEMORY_S / self._watched_s
            self._watched_s = RATE_MEMORY_S
        for number, fresh in list(self._fresh.items()):
            person = people.get(number)
            over = time_s - fresh.born.time_s > OPEN_S
            if person is not None and not fresh.asked and person.gallery.vectors:
                fresh.asked = True
                fresh.odds = self._log_odds(number, fresh, person, people)
                old = _sure(fresh.odds, self._link)
                if old is not None and all(old != taken for _, taken in found):
                    found.append((number, old))
                    over = True
            if over or person is None:
                self._count(fresh, people)
                if person is not None:
                    self._learn_appearance(fresh, person, people)
                del self._fresh[number]
        return found

    def forget(self, time_s: float) -> None:
        """Drop who has been away for too long."""
        for number in [each for each, person in self._away.items() if time_s - person.seen_s > AWAY_S]:
            del self._away[number]

    def _log_odds(
        self, number: int, fresh: _Fresh, person: GlobalTrack, people: Mapping[int, GlobalTrack]
    ) -> dict[int, float]:
        middle = person.gallery.middle()
        born = fresh.born
        lost = [
            other
            for other in (*people.values(), *self._away.values())
            if other.number != number and not other.left and born.time_s - other.seen_s >= LOST_S
        ]
        candidates = [
            (other, each)
            for other in lost
            if (each := other.gallery.middle()) is not None
            and middle is not None
            and len(each) == len(middle)
        ]
        if middle is None or not candidates:
            return {}
        looks = self.likeness.ratio(middle, [each for _, each in candidates]).tolist()
        newcomer = self._newcomers_per_s * self._arrivals.density(born.x_m, born.y_m)
        odds: dict[int, float] = {}
        placed: dict[int, float] = {}
        for (other, _), alike in zip(candidates, looks, strict=True):
            gap_s = born.time_s - other.seen_s
            ratio = self._rate(other, person, born, gap_s) / newcomer if self._uses_place else 1.0
            if ratio <= 0:
                continue
            transit = (
                self.transit.ratio(other.last_camera, fresh.camera, gap_s) if self._learns_transit else 0.0
            )
            odds[other.number] = math.log(ratio) + alike + transit
            placed[other.number] = odds[other.number] - alike
        fresh.placed = placed
        return odds

    def _rate(self, other: GlobalTrack, new: GlobalTrack, born: Position, gap_s: float) -> float:
        """How often somebody lost turns up at such a place after such a time, by square metre and second."""
        last = other.motion.last
        way_m = math.hypot(born.x_m - last.x_m, born.y_m - last.y_m)
        if way_m > REACH_M + WALKING_LIMIT_M_PER_S * gap_s:
            return 0.0
        off = math.log(gap_s / (max(way_m, REACH_M) / WALK_M_PER_S)) / WALK_SD
        straight = math.exp(-0.5 * off * off) / (gap_s * WALK_SD * math.sqrt(2 * math.pi))
        sometime = math.exp(-gap_s / STAY_S) / STAY_S
        on = 0.0
        if gap_s <= MEMORY_S:
            on = WALKED_ON * reassociation(other.motion, new.motion, born, gap_s) / max(gap_s, 1.0)
        return on + self._even * ((1 - STRAIGHT) * sometime + STRAIGHT * straight)

    def _learn_appearance(
        self, fresh: _Fresh, person: GlobalTrack, people: Mapping[int, GlobalTrack]
    ) -> None:
        """Where place and time leave little doubt, what the looks of one person are like."""
        probable = _probabilities(fresh.placed or {})
        best = max(probable, key=lambda number: probable[number], default=0)
        other = people.get(best) or self._away.get(best)
        if other is None or probable[best] < PLACED:
            return
        one, middle = person.gallery.middle(), other.gallery.middle()
        if one is not None and middle is not None and len(one) == len(middle):
            self.likeness.learn(one, middle, same=True, weight=probable[best])

    @property
    def _newcomers_per_s(self) -> float:
        return self._newcomers / self._watched_s

    def _count(self, fresh: _Fresh, people: Mapping[int, GlobalTrack]) -> None:
        """Learn of transit from who it may have been, each by its probability, and how often it is nobody."""
        found = _probabilities(fresh.odds or {})
        self._newcomers += max(0.0, 1.0 - sum(found.values()))
        for number, probability in found.items():
            other = people.get(number) or self._away.get(number)
            if other is not None and probability >= LEAST_COUNTED:
                gap_s = fresh.born.time_s - other.seen_s
                self.transit.learn(other.last_camera, fresh.camera, gap_s, probability)


def _probabilities(odds: dict[int, float]) -> dict[int, float]:
    most = max([0.0, *odds.values()])
    weights = {number: math.exp(each - most) for number, each in odds.items()}
    total = math.exp(-most) + sum(weights.values())
    return {number: each / total for number, each in weights.items()}


def _sure(odds: dict[int, float], link: float) -> int | None:
    """Who it is beyond doubt; None where that is open."""
    probable = _probabilities(odds)
    best = max(probable, key=lambda number: probable[number], default=None)
    return best if best is not None and probable[best] >= link else None
