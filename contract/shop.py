"""What a box says of its shop: when it is open, in which time zone, and what stands where."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from contract.base import Fact, Point
from contract.fields import about

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Outline: TypeAlias = Annotated[
    tuple[Point, ...],
    about("its corners in order, metres on the floor; a single one is its centre", [[0.0, 0.0]], "m"),
]
RoomKind = Annotated[str, about("what it is", "fitting_room")]


class EntrancePlace(msgspec.Struct, frozen=True):
    """A line that people cross to come in or go out."""

    name: Annotated[str, about("the entrance, as in store.yaml", "door")]
    line: Annotated[tuple[Point, Point], about("its two ends, metres", [[1.0, 0.0], [3.0, 0.0]], "m")]
    inside: Annotated[Point, about("any place on the shop's side of it, metres", [2.0, 1.0], "m")]


class ZonePlace(msgspec.Struct, frozen=True):
    """An area in which dwell, flow, heat and occupancy are counted."""

    name: Annotated[str, about("the zone, as in store.yaml", "racks")]
    kind: RoomKind
    outline: Outline


class FixturePlace(msgspec.Struct, frozen=True):
    """A rack or fitting room; `zone` is where its centre lies, if in one."""

    name: Annotated[str, about("the fixture, as in store.yaml", "rack 1")]
    kind: RoomKind
    outline: Outline
    zone: Annotated[str | None, about("the zone its centre lies in; null for none", "racks")] = None


class Store(Fact, frozen=True, kw_only=True, tag="store"):
    """How the shop is set up from `time_s` on, until the box says it anew: at a start, and when its
    configuration changes. The newest is also retained by the broker.

    `revision` is the same as long as what is told here is.
    """

    timezone: Annotated[str, about("IANA name; local days begin at its midnight", "Asia/Shanghai")]
    revision: Annotated[str, about("fingerprint of the configuration that is told here", "6f1ed002ab55")]
    opening_hours: Annotated[
        dict[Weekday, tuple[str, ...]],
        about(
            "spans of local time by weekday, past midnight where the end is before the start; an empty list: "
            "closed; a day that is left out is not known",
            {"mon": ["10:00-20:00"], "sun": []},
        ),
    ] = msgspec.field(default_factory=dict)
    entrances: Annotated[
        tuple[EntrancePlace, ...],
        about("the entrances", [{"name": "door", "line": [[1.0, 0.0], [3.0, 0.0]], "inside": [2.0, 1.0]}]),
    ] = ()
    zones: Annotated[
        tuple[ZonePlace, ...],
        about(
            "the zones", [{"name": "racks", "kind": "area", "outline": [[0.0, 0.0], [4.0, 0.0], [4.0, 3.0]]}]
        ),
    ] = ()
    fixtures: Annotated[
        tuple[FixturePlace, ...],
        about(
            "racks and fitting rooms",
            [{"name": "rack 1", "kind": "rack", "outline": [[2.0, 1.0]], "zone": "racks"}],
        ),
    ] = ()
    extent_m: Annotated[
        tuple[float, float, float, float] | None,
        about("the floor's left, top, right and bottom edge, metres", [0.0, 0.0, 20.0, 12.0], "m"),
    ] = None
