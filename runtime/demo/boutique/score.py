"""What was found in the boutique, held against its scene: counts, stays, identities, hands.

The scene says who passes the door when, who is in which zone, and who turns which garment. A found passage
is the true one of the same direction nearest in time; through it a visitor's random id gets a name, and who
keeps one id from the door through every camera to the door again was known throughout.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

import msgspec

from contract.facts import Dwell, Visit
from engines.scene.truth import Passage, Stay

SAME_PASSAGE_S = 2.5
LEAST_STAY_S = 3.0
"""A shorter stay in a zone is a way through it."""
SAME_STAY = 0.5
"""A found stay is a true one if they share this much of the time of either."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Passages of the door: true and found by direction, and the median error of the moments, seconds."""

    in_true: int
    in_found: int
    out_true: int
    out_found: int
    moment_error_s: float | None

    @property
    def exact(self) -> bool:
        """Whether as many came in and went out as were counted."""
        return (self.in_true, self.out_true) == (self.in_found, self.out_found)


class Stays(msgspec.Struct, frozen=True, kw_only=True):
    """Stays in zones of at least `LEAST_STAY_S`: true, found, found without a true one, and by zone the
    person-seconds that were true and found."""

    true: int
    found: int
    other: int
    dwell_error_s: float | None
    seconds: dict[str, tuple[float, float]]


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """Visitors who came and went: how many, how many under one id all the way, how many ids for two
    people."""

    people: int
    kept: int
    shared: int


def passages_found(visits: Sequence[Visit], truth: Sequence[Passage], epoch_s: float) -> dict[int, Visit]:
    """True passage (its place in `truth`) -> the visit that tells of it, one to one, nearest first."""
    pairs = sorted(
        (abs(visit.time_s - epoch_s - passage.time_s), number, place)
        for place, visit in enumerate(visits)
        for number, passage in enumerate(truth)
        if visit.direction == passage.direction and visit.entrance == passage.door
    )
    found: dict[int, Visit] = {}
    used: set[int] = set()
    for apart_s, number, place in pairs:
        if apart_s <= SAME_PASSAGE_S and number not in found and place not in used:
            found[number] = visits[place]
            used.add(place)
    return found


def count(visits: Sequence[Visit], truth: Sequence[Passage], epoch_s: float) -> Counted:
    """Counts of the watched time."""
    found = passages_found(visits, truth, epoch_s)
    errors = [abs(visit.time_s - epoch_s - truth[number].time_s) for number, visit in found.items()]
    return Counted(
        in_true=sum(one.direction == "in" for one in truth),
        in_found=sum(one.direction == "in" for one in visits),
        out_true=sum(one.direction == "out" for one in truth),
        out_found=sum(one.direction == "out" for one in visits),
        moment_error_s=round(median(errors), 2) if errors else None,
    )


def identities(visits: Sequence[Visit], truth: Sequence[Passage], epoch_s: float) -> Identities:
    """Who kept one id from coming in to going out."""
    ids: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, set[str]] = defaultdict(set)
    ways: dict[str, int] = defaultdict(int)
    for number, visit in passages_found(visits, truth, epoch_s).items():
        person = truth[number].person
        ids[person].add(visit.visitor)
        seen[visit.visitor].add(person)
        ways[person] += 1
    both = {one.person for one in truth if one.direction == "in"} & {
        one.person for one in truth if one.direction == "out"
    }
    kept = sum(ways[person] == 2 and len(ids[person]) == 1 for person in both)
    return Identities(people=len(both), kept=kept, shared=sum(len(people) > 1 for people in seen.values()))


def stays(dwells: Sequence[Dwell], truth: Sequence[Stay], epoch_s: float) -> Stays:
    """Stays of the watched time. A stay that is found in two parts counts once, its second part as
    another."""
    true = [one for one in truth if one.leave_s - one.enter_s >= LEAST_STAY_S]
    told = [one for one in dwells if one.dwell_s >= LEAST_STAY_S]
    pairs = sorted(
        (
            (
                -_shared(one.enter_s, one.leave_s, found.enter_s - epoch_s, found.leave_s - epoch_s),
                number,
                place,
            )
            for number, one in enumerate(true)
            for place, found in enumerate(told)
            if found.zone == one.zone
        )
    )
    matched: dict[int, int] = {}
    for share, number, place in pairs:
        if -share >= SAME_STAY and number not in matched and place not in matched.values():
            matched[number] = place
    errors = [abs(told[place].dwell_s - (true[n].leave_s - true[n].enter_s)) for n, place in matched.items()]
    seconds = {
        zone: (
            round(sum(one.leave_s - one.enter_s for one in true if one.zone == zone), 1),
            round(sum(one.dwell_s for one in told if one.zone == zone), 1),
        )
        for zone in sorted({one.zone for one in true})
    }
    return Stays(
        true=len(true),
        found=len(matched),
        other=len(told) - len(matched),
        dwell_error_s=round(median(errors), 2) if errors else None,
        seconds=seconds,
    )


def _shared(a0: float, a1: float, b0: float, b1: float) -> float:
    """The common time over the time of either."""
    common = max(0.0, min(a1, b1) - max(a0, b0))
    either = max(a1, b1) - min(a0, b0)
    return 0.0 if either <= 0 or math.isnan(either) else common / either
