"""From the tracker's people to the records that the store process is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from runtime.messages import Person, PersonsSeen
from runtime.vision.track import Track

MAX_PERSONS = 300
"""Persons a record: keeps it far below messages.MAX_RECORD_BYTES; the best scores stay."""

NOT_JUDGED: Mapping[int, float] = MappingProxyType({})


def persons_seen(
    camera: str,
    sequence: int,
    time_s: float,
    tracks: Iterable[Track],
    ended: Iterable[int] = (),
    first_id: int = 0,
    handling: Mapping[int, float] = NOT_JUDGED,
) -> PersonsSeen:
    """What a frame showed: confirmed people in sight, and the ids that ended with it.

    `handling` is the probability of handling goods by track id, of those who were judged.

    `first_id` is added to every id, so that a new tracker's people are not taken for an old one's.
    """
    seen = [track for track in tracks if track.confirmed and track.unseen_s == 0.0]
    if len(seen) > MAX_PERSONS:
        seen = sorted(seen, key=lambda track: -track.score)[:MAX_PERSONS]
    persons = tuple(
        Person(first_id + track.id, track.box, track.score, track.floor_xy_m, handling.get(track.id))
        for track in seen
        if track.id is not None
    )
    return PersonsSeen(camera, sequence, time_s, persons, tuple(first_id + each for each in ended))


def seen_before(camera: str, sequence: int, tracks: Sequence[Track], first_id: int = 0) -> list[PersonsSeen]:
    """What earlier frames showed of people confirmed only now, oldest first.

    To be told before the frame that confirmed them (`sequence` is that frame's).
    """
    by_time: defaultdict[float, list[Person]] = defaultdict(list)
    for track in tracks:
        if track.id is not None:
            for backfill in track.backfill:
                person = Person(first_id + track.id, backfill.box, backfill.score, backfill.floor_xy_m)
                by_time[backfill.time_s].append(person)
    return [
        PersonsSeen(camera, sequence, time_s, tuple(by_time[time_s][:MAX_PERSONS]))
        for time_s in sorted(by_time)
    ]
