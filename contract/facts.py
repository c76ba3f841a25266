"""What the store concludes, before it is wrapped as an event.

A fact that can turn out wrong later is sent again under the same `key` with a higher `rev`, or with
`retracted`; whoever reads facts keeps the highest `rev` of a key. Counts carry the coverage of the cameras
they rest on: a blind camera is unknown, not zero. Times are UTC seconds, places floor metres. Visitors are
random ids of one day. Events that had to be dropped (`gap`) are the outbox's to tell.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Point: TypeAlias = tuple[float, float]
Quality: TypeAlias = Literal["good", "degraded", "blind"]
"""Whether a count can be relied on; the rule is that of `runtime.store.counts.quality`."""


class Coverage(msgspec.Struct, frozen=True):
    """How well one camera saw an interval: analysed frames per second, and seconds it saw nothing at all."""

    camera: Annotated[str, Meta(description="the camera, as in store.yaml")]
    effective_fps: Annotated[float, Meta(description="frames analysed per second of the whole interval")]
    blind_s: Annotated[float, Meta(description="seconds of the interval in which it saw nothing at all")]
    wanted_fps: Annotated[
        float | None, Meta(description="frames per second that were to be analysed; null where not told")
    ] = None


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One conclusion. `key` is what `rev` counts; `time_s` is when it happened or its interval ended."""

    key: Annotated[str, Meta(description="the fact's stable key: what `rev` counts")]
    time_s: Annotated[float, Meta(description="when it happened, or when its interval ended; UTC seconds")]
    rev: Annotated[int, Meta(description="correction of the fact `key`, from 0; the highest holds")] = 0
    retracted: Annotated[bool, Meta(description="the fact turned out not to be one")] = False

    @property
    def kind(self) -> str:
        """The event kind, as in the topic."""
        return str(self.__struct_config__.tag)


class Footfall(Fact, frozen=True, kw_only=True, tag="footfall"):
    """Persons through one entrance in one interval.

    `inferred` of them were seen on one side only: their track began or ended in motion at the line.
    `partial` says that the interval was cut short by start or stop.
    """

    entrance: Annotated[str, Meta(description="the entrance, as in store.yaml")]
    start_s: Annotated[float, Meta(description="start of the interval, UTC seconds")]
    end_s: Annotated[float, Meta(description="end of the interval, UTC seconds")]
    entered: Annotated[int, Meta(description="persons who came in")]
    left: Annotated[int, Meta(description="persons who went out")]
    inferred: Annotated[int, Meta(description="how many of both were seen on one side of the line only")] = 0
    partial: Annotated[
        bool, Meta(description="the interval was cut short by start, stop or another configuration")
    ] = False
    coverage: Annotated[
        tuple[Coverage, ...], Meta(description="how well each camera that counts here saw the interval")
    ] = ()
    quality: Annotated[
        Quality,
        Meta(description="good; degraded: partly blind or looked at too seldom; blind: unknown, not zero"),
    ] = "good"


class Visit(Fact, frozen=True, kw_only=True, tag="visit"):
    """One visitor came in or went out; `stay_s` is the time since they came in, on the way out, if known."""

    visitor: Annotated[str, Meta(description="random id of one visitor for one local day")]
    direction: Annotated[Literal["in", "out"], Meta(description="came in, or went out")]
    entrance: Annotated[str, Meta(description="the entrance, as in store.yaml")]
    stay_s: Annotated[
        float | None,
        Meta(description="on the way out: seconds since they came in; null where that was not seen"),
    ] = None


class Dwell(Fact, frozen=True, kw_only=True, tag="dwell"):
    """One visitor in one zone from `enter_s` to `leave_s`; `partial` if they were still there at the cut."""

    visitor: Annotated[str, Meta(description="random id of one visitor for one local day")]
    zone: Annotated[str, Meta(description="the zone, as in store.yaml")]
    enter_s: Annotated[float, Meta(description="first moment inside, UTC seconds")]
    leave_s: Annotated[float, Meta(description="last moment inside, UTC seconds")]
    dwell_s: Annotated[float, Meta(description="seconds from entering to leaving")]
    partial: Annotated[bool, Meta(description="they were still inside when the stay was cut")] = False
    quality: Annotated[
        Quality,
        Meta(description="good; degraded: partly blind or looked at too seldom; blind: unknown, not zero"),
    ] = "good"


class Flow(Fact, frozen=True, kw_only=True, tag="flow"):
    """How many walked from zone `origin` to zone `destination`, by the time they arrived."""

    origin: Annotated[str, Meta(description="the zone they left, as in store.yaml")]
    destination: Annotated[str, Meta(description="the zone they came to, as in store.yaml")]
    start_s: Annotated[float, Meta(description="start of the interval, UTC seconds")]
    end_s: Annotated[float, Meta(description="end of the interval, UTC seconds")]
    transitions: Annotated[int, Meta(description="how many walked from the one to the other")]
    partial: Annotated[
        bool, Meta(description="the interval was cut short by start, stop or another configuration")
    ] = False
    coverage: Annotated[tuple[Coverage, ...], Meta(description="how well each camera saw the interval")] = ()
    quality: Annotated[
        Quality,
        Meta(description="good; degraded: partly blind or looked at too seldom; blind: unknown, not zero"),
    ] = "good"


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One grid cell: column and row counted from the floor's origin, person-seconds spent in it."""

    column: Annotated[int, Meta(description="column of the grid, counted from the floor's origin along x")]
    row: Annotated[int, Meta(description="row of the grid, counted from the floor's origin along y")]
    person_s: Annotated[float, Meta(description="person-seconds spent in the cell")]


class Heatmap(Fact, frozen=True, kw_only=True, tag="heatmap"):
    """Person-seconds per zone and grid cell in one interval. Cells nobody stood in are left out.

    Cell (column, row) begins at `origin_m` + (column, row) * `cell_m`. Many cells come as several `parts`;
    the zones are in part 0.
    """

    start_s: Annotated[float, Meta(description="start of the interval, UTC seconds")]
    end_s: Annotated[float, Meta(description="end of the interval, UTC seconds")]
    zones: Annotated[dict[str, float], Meta(description="person-seconds by zone, in part 0")]
    cells: Annotated[
        tuple[Cell, ...], Meta(description="the cells that somebody stood in, [column, row, person-seconds]")
    ]
    origin_m: Annotated[Point, Meta(description="corner of cell (0, 0) on the floor, metres")]
    cell_m: Annotated[float, Meta(description="side of a cell, metres")]
    part: Annotated[int, Meta(description="number of this part, from 0")] = 0
    parts: Annotated[int, Meta(description="how many parts this interval's heatmap comes in")] = 1
    partial: Annotated[
        bool, Meta(description="the interval was cut short by start, stop or another configuration")
    ] = False
    coverage: Annotated[
        tuple[Coverage, ...], Meta(description="how well each camera saw the interval, in part 0")
    ] = ()
    quality: Annotated[
        Quality,
        Meta(description="good; degraded: partly blind or looked at too seldom; blind: unknown, not zero"),
    ] = "good"


class Flip(Fact, frozen=True, kw_only=True, tag="flip"):
    """A tag was turned over or picked; `sku` and `fixture` are None where the shop has no such tag listed."""

    reader: Annotated[str, Meta(description="the RFID reader that heard it, as in store.yaml")]
    antenna: Annotated[int, Meta(description="the reader's antenna that heard it best, from 1")]
    epc: Annotated[str, Meta(description="the tag's EPC, hexadecimal")]
    sku: Annotated[
        str | None,
        Meta(description="the article the tag is sewn into; null where the shop lists no such tag"),
    ]
    fixture: Annotated[
        str | None,
        Meta(description="the rack or shelf the article belongs to; null where the shop lists no such tag"),
    ]
    start_s: Annotated[float, Meta(description="start of the movement, UTC seconds")]
    end_s: Annotated[float, Meta(description="end of the movement, UTC seconds")]
    score: Annotated[float, Meta(description="how surely it was turned or picked, 0 to 1")]


class Evidence(msgspec.Struct, frozen=True):
    """Why a visitor was matched with a tag, at the moment that explains the flip best.

    `distance_m` is from the person to the tag's place; `place` says what that place is; `time_offset_s` is
    from the middle of the flip; `near_s` how long the person stayed within reach around the flip;
    `handling` the action score (None: not judged); `bridged` if nobody saw the person at that moment and
    the path was interpolated.
    """

    distance_m: Annotated[float, Meta(description="from the person to the tag's place, metres")]
    time_offset_s: Annotated[float, Meta(description="from the middle of the flip, seconds")]
    near_s: Annotated[
        float, Meta(description="how long the person stayed within reach around the flip, seconds")
    ]
    floor_xy_m: Annotated[Point, Meta(description="where the person stood on the floor, metres")]
    place: Annotated[
        Literal["fixture", "antenna", "zone"], Meta(description="what the tag's place was taken from")
    ]
    handling: Annotated[
        float | None,
        Meta(description="probability of handling goods, from the picture; null where it was not judged"),
    ] = None
    bridged: Annotated[
        bool, Meta(description="nobody saw the person at that moment: the path was interpolated")
    ] = False


class Interaction(Fact, frozen=True, kw_only=True, tag="interaction"):
    """Who turned a tag: `visitor`, or None for nobody seen, with its probability and the runner-up.

    `flip` is the key of the flip. `nobody_probability` is that of "nobody we see did it"; the rest of the
    probability up to 1 is spread over the other visitors.
    """

    flip: Annotated[str, Meta(description="the key of the flip")]
    epc: Annotated[str, Meta(description="the tag's EPC, hexadecimal")]
    sku: Annotated[
        str | None,
        Meta(description="the article the tag is sewn into; null where the shop lists no such tag"),
    ]
    fixture: Annotated[
        str | None,
        Meta(description="the rack or shelf the article belongs to; null where the shop lists no such tag"),
    ]
    start_s: Annotated[float, Meta(description="start of the movement, UTC seconds")]
    end_s: Annotated[float, Meta(description="end of the movement, UTC seconds")]
    visitor: Annotated[
        str | None, Meta(description="who turned it, a visitor's random id; null for nobody we see")
    ]
    probability: Annotated[float, Meta(description="that the answer in `visitor` is right, 0 to 1")]
    nobody_probability: Annotated[float, Meta(description="that nobody we see did it, 0 to 1")]
    runner_up: Annotated[
        str | None, Meta(description="the next likely visitor; null where there is none")
    ] = None
    runner_up_probability: Annotated[float, Meta(description="that it was the runner-up, 0 to 1")] = 0.0
    evidence: Annotated[
        Evidence | None, Meta(description="why this visitor was matched; null for nobody")
    ] = None


class TryOn(Fact, frozen=True, kw_only=True, tag="tryon"):
    """A tag was in a fitting room long enough; `visitor` is who was in that room, if exactly one was."""

    epc: Annotated[str, Meta(description="the tag's EPC, hexadecimal")]
    sku: Annotated[
        str | None,
        Meta(description="the article the tag is sewn into; null where the shop lists no such tag"),
    ]
    room: Annotated[str, Meta(description="the fitting room, as in store.yaml")]
    start_s: Annotated[float, Meta(description="first read in the room, UTC seconds")]
    end_s: Annotated[float, Meta(description="last read in the room, UTC seconds")]
    reads: Annotated[int, Meta(description="how often the tag was read there")]
    visitor: Annotated[
        str | None, Meta(description="who was in the room, if exactly one visitor was; else null")
    ] = None
    partial: Annotated[bool, Meta(description="the tag was still there when the try-on was cut")] = False


class ProcessHealth(Fact, frozen=True, kw_only=True, tag="health"):
    """The state of one process: figures in `values` (fps, read rate, queue depth…), drops by reason."""

    process: Annotated[str, Meta(description="the process, as `vision`, `camera:NAME` or `reader:NAME`")]
    state: Annotated[str, Meta(description="`live`, or one word for what is wrong")]
    progress_s: Annotated[
        float, Meta(description="its last real progress (a frame, a keepalive), UTC seconds")
    ]
    detail: Annotated[str, Meta(description="what is wrong or degraded, in words")] = ""
    values: Annotated[
        dict[str, float],
        Meta(description="its figures: frames a second, read rate, queue depth and more, by name"),
    ] = {}
    drops: Annotated[
        dict[str, int], Meta(description="what it had to drop since it started, counted by reason")
    ] = {}


AnyFact: TypeAlias = Footfall | Visit | Dwell | Flow | Heatmap | Flip | Interaction | TryOn | ProcessHealth
"""Every kind of fact, for decoders: `msgspec.json.decode(data, type=AnyFact)`."""

FACT_TYPES: tuple[type[Fact], ...] = (
    Footfall,
    Visit,
    Dwell,
    Flow,
    Heatmap,
    Flip,
    Interaction,
    TryOn,
    ProcessHealth,
)
