"""What later frames say of who was taken for whom: tracks to part from a person, persons to join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runtime.store.people.agreement import APART, JOIN, disagreement, togetherness
from runtime.store.people.global_track import LEAD_TIMEOUT_S, BoundTrack, GlobalTrack, Source
from runtime.store.people.motion import Position, RecentMotion

WALKED_M = 1.0
"""What never was further from where it began may be a thing that looks like a person."""
NEAR_M, TOGETHER_S = 1.5, 2.0


class Parting(NamedTuple):
    """A track that was taken for a person and was somebody else's from `since_s` on."""

    person: int
    source: Source
    since_s: float


class Joining(NamedTuple):
    """Two persons who turn out to be one: what was `person` is `into` from now on, and was before."""

    person: int
    into: int


def seen_elsewhere(person: GlobalTrack, camera: str, tracks: Mapping[Source, BoundTrack]) -> list[Source]:
    """Tracks by which other cameras than this see a person now."""
    return [
        source
        for source, seen_s in person.sources.items()
        if source[0] != camera
        and person.seen_s - seen_s <= LEAD_TIMEOUT_S
        and source in tracks
        and tracks[source].person == person.number
    ]


def seen_by_others(
    people: Mapping[int, GlobalTrack], camera: str, time_s: float
) -> dict[int, tuple[GlobalTrack, Position]]:
    """Whom other cameras than this see at a moment, and where."""
    return {
        number: (person, person.motion.last)
        for number, person in people.items()
        if person.seen_by_others(camera) >= time_s - LEAD_TIMEOUT_S
    }


def contradicted(
    mine: Sequence[Source], others: Sequence[Source], tracks: Mapping[Source, BoundTrack], stranger: float
) -> Iterator[tuple[Source, list[RecentMotion]]]:
    """The tracks that do not show the person they were given to, each with the motions it left.

    `mine` are one camera's tracks of that person, of which one at most is right, `others` those of other
    cameras: where these disagree, that goes which came last or which never walked. `stranger` is the
    density (1/m2) of somebody else.
    """
    motion = {each: tracks[each].motion for each in (*mine, *others)}
    number = {each: tracks[each].number for each in motion}
    walked = {each: tracks[each].reach_m >= WALKED_M for each in motion}

    def against(one: Source, other: Source) -> float:
        return disagreement(motion[one], [motion[other]], stranger)

    left = list(mine)
    if others or len(left) > 1:
        rest = [motion[other] for other in others]
        agree = {each: disagreement(motion[each], rest, stranger) for each in left}
        while len(left) > 1:
            worst = min(left, key=lambda each: (agree[each], -number[each]))
            left.remove(worst)
            yield worst, rest or [motion[each] for each in left]
    if others and min(against(left[0], other) for other in others) < APART:
        everybody = [left[0], *others]

        def standing(each: Source) -> tuple[int, bool, int]:
            agreed = sum(against(each, other) >= APART for other in everybody if other != each)
            return agreed, walked[each], -number[each]

        goes = min(everybody, key=standing)
        yield goes, [motion[each] for each in everybody if each != goes]


def companion(
    person: GlobalTrack, others: Mapping[int, GlobalTrack], time_s: float, stranger: float
) -> int | None:
    """Which of `others` walks as one with a person, though no camera sees them beside each other."""
    cameras, at = person.cameras_since(time_s - TOGETHER_S), person.motion.last
    odds = {
        number: togetherness(person.motion, other.motion, stranger)
        for number, other in others.items()
        if abs(other.motion.last.x_m - at.x_m) + abs(other.motion.last.y_m - at.y_m) < NEAR_M
        and number != person.number
        and not cameras & other.cameras_since(time_s - TOGETHER_S)
    }
    best = max(odds, key=lambda number: odds[number], default=None)
    return best if best is not None and odds[best] >= JOIN else None
