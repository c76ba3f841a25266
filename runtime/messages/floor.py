"""What the store process tells others of events and of people, and what they ask of it."""

from __future__ import annotations

import msgspec


class Committed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Events up to `seq` are durable in the outbox."""

    seq: int


class WatchRequest(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the console wants to be told from now on: of people on the floor, and of these cameras' frames."""

    people: bool
    cameras: tuple[str, ...] = ()


class OnFloor(msgspec.Struct, frozen=True, array_like=True):
    """One visitor and where they are on the floor, metres."""

    visitor: str
    floor_xy_m: tuple[float, float]


class FloorNow(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Everybody who is on the floor."""

    time_s: float
    people: tuple[OnFloor, ...]


class InFrame(msgspec.Struct, frozen=True, array_like=True):
    """One person in a frame: `visitor` is empty where it is not known yet, `box` as that of `Person`."""

    visitor: str
    box: tuple[float, float, float, float]


class CameraNow(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Who is in frame `sequence` of a camera, and the boxes where others may be."""

    camera: str
    sequence: int
    time_s: float
    people: tuple[InFrame, ...]
    others: tuple[tuple[float, float, float, float], ...] = ()
