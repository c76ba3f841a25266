"""What the store concludes, before it is wrapped as an event.

A fact that can turn out wrong later is sent again under the same `key` with a higher `rev`, or with
`retracted`; whoever reads facts keeps the highest `rev` of a key. Counts carry the coverage of the cameras
they rest on: a blind camera is unknown, not zero. Times are UTC seconds, places floor metres. Visitors are
random ids of one day. Events that had to be dropped (`gap`) are the outbox's to tell.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Point: TypeAlias = tuple[float, float]


class Coverage(msgspec.Struct, frozen=True):
    """How well one camera saw an interval: analysed frames per second, and seconds it saw nothing at all."""

    camera: str
    effective_fps: float
    blind_s: float


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One conclusion. `key` is what `rev` counts; `time_s` is when it happened or its interval ended."""

    key: str
    time_s: float
    rev: int = 0
    retracted: bool = False

    @property
    def kind(self) -> str:
        """The event kind, as in the topic."""
        return str(self.__struct_config__.tag)


class Footfall(Fact, frozen=True, kw_only=True, tag="footfall"):
    """Persons through one entrance in one interval.

    `inferred` of them were seen on one side only: their track began or ended in motion at the line.
    `partial` says that the interval was cut short by start or stop.
    """

    entrance: str
    start_s: float
    end_s: float
    entered: int
    left: int
    inferred: int = 0
    partial: bool = False
    coverage: tuple[Coverage, ...] = ()


class Visit(Fact, frozen=True, kw_only=True, tag="visit"):
    """One visitor came in or went out; `stay_s` is the time since they came in, on the way out, if known."""

    visitor: str
    direction: Literal["in", "out"]
    entrance: str
    stay_s: float | None = None


class Dwell(Fact, frozen=True, kw_only=True, tag="dwell"):
    """One visitor in one zone from `enter_s` to `leave_s`; `partial` if they were still there at the cut."""

    visitor: str
    zone: str
    enter_s: float
    leave_s: float
    dwell_s: float
    partial: bool = False


class Flow(Fact, frozen=True, kw_only=True, tag="flow"):
    """How many walked from zone `origin` to zone `destination`, by the time they arrived."""

    origin: str
    destination: str
    start_s: float
    end_s: float
    transitions: int
    partial: bool = False
    coverage: tuple[Coverage, ...] = ()


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One grid cell: column and row counted from the floor's origin, person-seconds spent in it."""

    column: int
    row: int
    person_s: float


class Heatmap(Fact, frozen=True, kw_only=True, tag="heatmap"):
    """Person-seconds per zone and grid cell in one interval. Cells nobody stood in are left out.

    Cell (column, row) begins at `origin_m` + (column, row) * `cell_m`. Many cells come as several `parts`;
    the zones are in part 0.
    """

    start_s: float
    end_s: float
    zones: dict[str, float]
    cells: tuple[Cell, ...]
    origin_m: Point
    cell_m: float
    part: int = 0
    parts: int = 1
    partial: bool = False
    coverage: tuple[Coverage, ...] = ()


class Flip(Fact, frozen=True, kw_only=True, tag="flip"):
    """A tag was turned over or picked; `sku` and `fixture` are None where the shop has no such tag listed."""

    reader: str
    antenna: int
    epc: str
    sku: str | None
    fixture: str | None
    start_s: float
    end_s: float
    score: float


class Evidence(msgspec.Struct, frozen=True):
    """Why a visitor was matched with a tag, at the moment that explains the flip best.

    `distance_m` is from the person to the tag's place; `place` says what that place is; `time_offset_s` is
    from the middle of the flip; `near_s` how long the person stayed within reach around the flip;
    `handling` the action score (None: not judged); `bridged` if nobody saw the person at that moment and
    the path was interpolated.
    """

    distance_m: float
    time_offset_s: float
    near_s: float
    floor_xy_m: Point
    place: Literal["fixture", "antenna", "zone"]
    handling: float | None = None
    bridged: bool = False


class Interaction(Fact, frozen=True, kw_only=True, tag="interaction"):
    """Who turned a tag: `visitor`, or None for nobody seen, with its probability and the runner-up.

    `flip` is the key of the flip. `nobody_probability` is that of "nobody we see did it"; the rest of the
    probability up to 1 is spread over the other visitors.
    """

    flip: str
    epc: str
    sku: str | None
    fixture: str | None
    start_s: float
    end_s: float
    visitor: str | None
    probability: float
    nobody_probability: float
    runner_up: str | None = None
    runner_up_probability: float = 0.0
    evidence: Evidence | None = None


class TryOn(Fact, frozen=True, kw_only=True, tag="tryon"):
    """A tag was in a fitting room long enough; `visitor` is who was in that room, if exactly one was."""

    epc: str
    sku: str | None
    room: str
    start_s: float
    end_s: float
    reads: int
    visitor: str | None = None
    partial: bool = False


class ProcessHealth(Fact, frozen=True, kw_only=True, tag="health"):
    """The state of one process: figures in `values` (fps, read rate, queue depth…), drops by reason."""

    process: str
    state: str
    progress_s: float
    detail: str = ""
    values: dict[str, float] = {}
    drops: dict[str, int] = {}


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
