"""Frames, and the persons seen in them: between cameras, vision and the store process."""

from __future__ import annotations

import msgspec


class FrameReady(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Slot `slot` of the ring holds frame `sequence`; the reader owns it until it answers FrameDone."""

    slot: int
    sequence: int
    time_s: float


class FrameDone(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The reader is done with `slot`, which held frame `sequence`."""

    slot: int
    sequence: int


class FrameWanted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A reader that is lent frames on request only asks for the next one."""


class Person(msgspec.Struct, frozen=True, array_like=True):
    """One tracked person in one frame.

    `box` is left, top, width, height in pixels of the frame; `floor_xy_m` is None where the foot point has
    no place on the floor plan; `handling` is the probability of handling goods, None if not judged;
    `outputs` are what other heads say of the person so far, by head. `looks` is how they look, where that is
    told: a vector of half floats, once a track and once more where it changes; it stays on the box.
    """

    track: int
    box: tuple[float, float, float, float]
    score: float
    floor_xy_m: tuple[float, float] | None
    handling: float | None = None
    outputs: dict[str, tuple[float, ...]] = {}
    looks: bytes = b""


class PersonsSeen(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What one analysed frame showed: confirmed persons only, and tracks that ended since the last frame.

    `others` are boxes where somebody may be: people not confirmed yet, or out of sight for a moment.
    A person who has just been confirmed may also be told as seen before: in records of their own with the
    `time_s` of those earlier frames, sent ahead of the frame's record.
    """

    camera: str
    sequence: int
    time_s: float
    persons: tuple[Person, ...]
    ended: tuple[int, ...] = ()
    others: tuple[tuple[float, float, float, float], ...] = ()


class FramesMissed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A camera could not be judged from `start_s` to `end_s`: unknown, not zero."""

    camera: str
    start_s: float
    end_s: float
    reason: str
