"""Which store and box this is, what is kept and told of it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from runtime.config.sections.words import Section, Word

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$",
        description='from and to as in "10:00-20:00"; past midnight where the end is before the start',
    ),
]


class Site(Section, frozen=True, kw_only=True):
    """Which store this is (`name`) and which box in it (`device`): both appear in topics and events."""

    name: Word
    device: Word
    timezone: Annotated[
        str, Meta(description="IANA name such as Asia/Shanghai: days begin at its midnight")
    ] = "UTC"
    opening_hours: Annotated[
        dict[Weekday, list[Span]],
        Meta(
            description="when the store is open, spans of local time by weekday; [] for a closed day, and a "
            "day that is left out is not known"
        ),
    ] = field(default_factory=dict)


class Retention(Section, frozen=True, kw_only=True):
    """How long what is kept."""

    visitor_hours: Annotated[
        float, Meta(gt=0, le=24, description="how long an anonymous visitor is remembered")
    ] = 12.0
    events_days: Annotated[
        float, Meta(gt=0, le=366, description="how long sent events stay in the outbox")
    ] = 7.0


class Intervals(Section, frozen=True, kw_only=True):
    """How often each count is reported, in seconds."""

    footfall_s: Annotated[float, Meta(ge=1, le=86_400, description="entrance counts")] = 60.0
    heatmap_s: Annotated[float, Meta(ge=1, le=86_400, description="person-seconds on the floor")] = 300.0
    flow_s: Annotated[float, Meta(ge=1, le=86_400, description="walks between zones")] = 300.0
    occupancy_s: Annotated[float, Meta(ge=1, le=86_400, description="persons at a time in each zone")] = 300.0
    health_s: Annotated[float, Meta(ge=1, le=3_600, description="the state of every process")] = 10.0


class Log(Section, frozen=True, kw_only=True):
    """What the daemon says in the journal."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="the least severe messages that are logged"),
    ] = "info"
