"""The visits that a consumer of the broker was told of: how late each was, and how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from bench.paced.notes import CameraWindow
from contract.wire import unpack


class VisitTold(msgspec.Struct, frozen=True):
    """One revision of a visit, as it came."""

    came_s: float
    time_s: float
    key: str
    rev: int
    retracted: bool
    entrance: str


class _Visit(msgspec.Struct):
    time: str
    key: str
    rev: int
    entrance: str
    retracted: bool = False


def told(came_s: float, payload: bytes) -> list[VisitTold]:
    """What a message of the topic of visits, which came at `came_s`, tells of."""
    found = (msgspec.json.decode(body, type=_Visit) for body in unpack(payload))
    return [
        VisitTold(came_s, datetime.fromisoformat(v.time).timestamp(), v.key, v.rev, v.retracted, v.entrance)
        for v in found
    ]


def delays_s(visits: Sequence[VisitTold], begin_s: float, end_s: float) -> list[float]:
    """From a step across a line to the visit at the consumer, of those that came in that time."""
    return [visit.came_s - visit.time_s for visit in visits if begin_s <= visit.came_s <= end_s]


def counts(
    visits: Sequence[VisitTold],
    windows: Mapping[str, CameraWindow],
    alone: Sequence[VisitTold],
    alone_windows: Mapping[str, CameraWindow],
    pictures: int,
) -> tuple[int, float]:
    """Visits in the cameras' windows, and as many as one camera alone counts in the same pictures.

    The film of so many pictures is shown again and again: what one camera counted at a picture counts as
    often as that picture was shown to the others, shared by how often it was shown to the one.
    """
    (reference,) = alone_windows.values()
    shown = Counter(frame % pictures for frame in reference.frames())
    found = Counter(frame % pictures for frame in _frames(alone, 1, reference))
    counted, expected = 0, 0.0
    for place, window in enumerate(windows.values(), 1):
        counted += len(_frames(visits, place, window))
        for picture, times in Counter(frame % pictures for frame in window.frames()).items():
            if shown[picture]:
                expected += found[picture] * times / shown[picture]
    return counted, expected


def _frames(visits: Sequence[VisitTold], place: int, window: CameraWindow) -> list[int]:
    """The frames of a camera's window in which somebody went through one of its entrances."""
    latest: dict[str, VisitTold] = {}
    for visit in visits:
        if visit.entrance.rpartition(" ")[2] == str(place):
            known = latest.get(visit.key)
            latest[visit.key] = visit if known is None or visit.rev >= known.rev else known
    frames = [window.frame_of(visit.time_s) for visit in latest.values() if not visit.retracted]
    return [frame for frame in frames if frame in window.frames()]
