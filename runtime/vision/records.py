"""From the tracker's people to the records that are sent to the store process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from runtime.messages import Person, PersonsSeen
from runtime.vision.crop_inference import HeadValues
from runtime.vision.heads.aggregation import Values
from runtime.vision.track import Track

MAX_PERSONS = 300
"""Persons a record: keeps it far below messages.MAX_RECORD_BYTES; the best scores stay."""

MAX_OTHERS = 100
"""Boxes of people who are not reported."""

NO_VALUES: HeadValues = MappingProxyType({})

NO_LOOKS: Mapping[int, bytes] = MappingProxyType({})

HANDLING = "action"
"""The head whose output has a field of its own in the record."""

MAX_OUTPUT_NUMBERS = 8
"""Of all other heads, a person: more are left out, so that the largest record stays below its limit."""


def persons_seen(
    camera: str,
    sequence: int,
    time_s: float,
    tracks: Iterable[Track],
    ended: Iterable[int] = (),
    first_id: int = 0,
    values: HeadValues = NO_VALUES,
    looks: Mapping[int, bytes] = NO_LOOKS,
) -> PersonsSeen:
    """What a frame showed: confirmed people in sight, and the ids that ended with it.

    `values` are what the heads say of each track; that of `action` is the probability of handling goods.
    `looks` are those to be reported (`runtime.vision.heads.embedding_reports`).
    `first_id` is added to every id, so that a new tracker's people are not taken for an old one's.
    """
    tracks = list(tracks)
    seen = [track for track in tracks if track.confirmed and track.unseen_s == 0.0]
    others = [track.box for track in tracks if not track.confirmed or track.unseen_s > 0.0]
    if len(seen) > MAX_PERSONS:
        seen = sorted(seen, key=lambda track: -track.score)[:MAX_PERSONS]
    handling = values.get(HANDLING, {})
    persons = tuple(
        Person(
            first_id + track.id,
            track.box,
            track.score,
            track.floor_xy_m,
            handling[track.id][0] if track.id in handling else None,
            _outputs(values, track.id),
            looks.get(track.id, b""),
        )
        for track in seen
        if track.id is not None
    )
    gone = tuple(first_id + each for each in ended)
    return PersonsSeen(camera, sequence, time_s, persons, gone, tuple(others[:MAX_OTHERS]))


def _outputs(values: HeadValues, track_id: int) -> dict[str, Values]:
    """What the other heads say of a track."""
    outputs: dict[str, Values] = {}
    left = MAX_OUTPUT_NUMBERS
    for name, by_track in values.items():
        known = by_track.get(track_id)
        if name != HANDLING and known is not None and len(known) <= left:
            outputs[name] = known
            left -= len(known)
    return outputs


def seen_before(camera: str, sequence: int, tracks: Sequence[Track], first_id: int = 0) -> list[PersonsSeen]:
    """What earlier frames showed of people confirmed only now, oldest first.

    To be sent before the frame that confirmed them (`sequence` is that frame's).
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
