"""From the tracker's people to the record that the store process is told."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.messages import Person, PersonsSeen
from runtime.vision.track import Track

MAX_PERSONS = 300
"""Persons a record: keeps it far below messages.MAX_RECORD_BYTES; the best scores stay."""


def persons_seen(
    camera: str, sequence: int, time_s: float, tracks: Iterable[Track], ended: tuple[int, ...]
) -> PersonsSeen:
    """What the frame showed: confirmed people in sight, and the ids that ended with it."""
    seen = [track for track in tracks if track.confirmed and track.unseen_s == 0.0]
    if len(seen) > MAX_PERSONS:
        seen = sorted(seen, key=lambda track: -track.score)[:MAX_PERSONS]
    persons = tuple(
        Person(track.id, track.box, track.score, track.floor_xy_m) for track in seen if track.id is not None
    )
    return PersonsSeen(camera, sequence, time_s, persons, ended)
