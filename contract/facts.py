"""What the store concludes, before it is wrapped as an event.

A fact that can turn out wrong later is sent again under the same `key` with a higher `rev`, or with
`retracted`; whoever reads facts keeps the highest `rev` of a key. Counts carry the coverage of the cameras
they rest on: a blind camera is unknown, not zero. Times are UTC seconds, places floor metres. Visitors are
random ids of one day. Events that had to be dropped (`gap`) are the outbox's to tell.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from contract.base import Coverage, CutShort, Epc, Fact, Fixture, Point, Quality, Sku
from contract.fields import BY_NAME, about
from contract.people import Attributes, Occupancy
from contract.shop import Store

__all__ = [
    "FACT_TYPES",
    "AnyFact",
    "Attributes",
    "Cell",
    "Coverage",
    "Dwell",
    "Evidence",
    "Fact",
    "Flip",
    "Flow",
    "Footfall",
    "Heatmap",
    "Interaction",
    "Inventory",
    "Occupancy",
    "Point",
    "ProcessHealth",
    "Quality",
    "Store",
    "TryOn",
    "Visit",
]


class Footfall(Fact, frozen=True, kw_only=True, tag="footfall"):
    """Persons through one entrance in one interval.

    `inferred` of them were seen on one side only: their track began or ended in motion at the line.
    `partial` says that the interval was cut short by start or stop.
    """

    entrance: Annotated[str, about("the entrance, as in store.yaml", "door")]
    start_s: Annotated[float, about("start of the interval, UTC seconds", 1772186400.0, "s")]
    end_s: Annotated[float, about("end of the interval, UTC seconds", 1772187300.0, "s")]
    entered: Annotated[int, about("persons who came in", 12, "{person}")]
    left: Annotated[int, about("persons who went out", 9, "{person}")]
    inferred: Annotated[
        int, about("how many of both were seen on one side of the line only", 1, "{person}")
    ] = 0
    partial: CutShort = False
    coverage: Annotated[
        tuple[Coverage, ...],
        about(
            "how well each camera that counts here saw the interval",
            [{"camera": "door", "effective_fps": 9.8, "blind_s": 0.0, "wanted_fps": 10.0}],
        ),
    ] = ()
    quality: Quality = "good"


class Visit(Fact, frozen=True, kw_only=True, tag="visit"):
    """One visitor came in or went out; `stay_s` is the time since they came in, on the way out, if known."""

    visitor: Annotated[str, about("random id of one visitor for one local day", "2f1c8b7e9a04")]
    direction: Annotated[Literal["in", "out"], about("came in, or went out", "out")]
    entrance: Annotated[str, about("the entrance, as in store.yaml", "door")]
    stay_s: Annotated[
        float | None,
        about("on the way out: seconds since they came in; null where that was not seen", 642.0, "s"),
    ] = None


class Dwell(Fact, frozen=True, kw_only=True, tag="dwell"):
    """One visitor in one zone from `enter_s` to `leave_s`; `partial` if they were still there at the cut."""

    visitor: Annotated[str, about("random id of one visitor for one local day", "2f1c8b7e9a04")]
    zone: Annotated[str, about("the zone, as in store.yaml", "racks")]
    enter_s: Annotated[float, about("first moment inside, UTC seconds", 1772186400.0, "s")]
    leave_s: Annotated[float, about("last moment inside, UTC seconds", 1772186431.5, "s")]
    dwell_s: Annotated[float, about("seconds from entering to leaving", 31.5, "s")]
    partial: Annotated[bool, about("they were still inside when the stay was cut", False)] = False
    quality: Quality = "good"


class Flow(Fact, frozen=True, kw_only=True, tag="flow"):
    """How many walked from zone `origin` to zone `destination`, by the time they arrived."""

    origin: Annotated[str, about("the zone they left, as in store.yaml", "hall")]
    destination: Annotated[str, about("the zone they came to, as in store.yaml", "racks")]
    start_s: Annotated[float, about("start of the interval, UTC seconds", 1772186400.0, "s")]
    end_s: Annotated[float, about("end of the interval, UTC seconds", 1772187300.0, "s")]
    transitions: Annotated[int, about("how many walked from the one to the other", 4, "{person}")]
    partial: CutShort = False
    coverage: Annotated[
        tuple[Coverage, ...],
        about(
            "how well each camera saw the interval",
            [{"camera": "door", "effective_fps": 9.8, "blind_s": 0.0, "wanted_fps": 10.0}],
        ),
    ] = ()
    quality: Quality = "good"


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One grid cell: column and row counted from the floor's origin, person-seconds spent in it."""

    column: Annotated[int, about("column of the grid, counted from the floor's origin along x", 3, "1")]
    row: Annotated[int, about("row of the grid, counted from the floor's origin along y", 7, "1")]
    person_s: Annotated[float, about("person-seconds spent in the cell", 41.5, "{person}.s")]


class Heatmap(Fact, frozen=True, kw_only=True, tag="heatmap"):
    """Person-seconds per zone and grid cell in one interval. Cells nobody stood in are left out.

    Cell (column, row) begins at `origin_m` + (column, row) * `cell_m`. Many cells come as several `parts`;
    the zones are in part 0.
    """

    start_s: Annotated[float, about("start of the interval, UTC seconds", 1772186400.0, "s")]
    end_s: Annotated[float, about("end of the interval, UTC seconds", 1772187300.0, "s")]
    zones: Annotated[
        dict[str, float], about("person-seconds by zone, in part 0", {"racks": 310.5}, "{person}.s")
    ]
    cells: Annotated[
        tuple[Cell, ...],
        about("the cells that somebody stood in, [column, row, person-seconds]", [[3, 7, 41.5]]),
    ]
    origin_m: Annotated[Point, about("corner of cell (0, 0) on the floor, metres", [-2.0, 0.0], "m")]
    cell_m: Annotated[float, about("side of a cell, metres", 0.5, "m")]
    part: Annotated[int, about("number of this part, from 0", 0, "1")] = 0
    parts: Annotated[int, about("how many parts this interval's heatmap comes in", 1, "1")] = 1
    partial: CutShort = False
    coverage: Annotated[
        tuple[Coverage, ...],
        about(
            "how well each camera saw the interval, in part 0",
            [{"camera": "door", "effective_fps": 9.8, "blind_s": 0.0, "wanted_fps": 10.0}],
        ),
    ] = ()
    quality: Quality = "good"


class Flip(Fact, frozen=True, kw_only=True, tag="flip"):
    """A tag was turned over or picked; `sku` and `fixture` are None where the shop has no such tag listed."""

    reader: Annotated[str, about("the RFID reader that read it, as in store.yaml", "racks")]
    antenna: Annotated[int, about("the reader's antenna that read it best, from 1", 2, "1")]
    epc: Epc
    sku: Sku
    fixture: Fixture
    start_s: Annotated[float, about("start of the movement, UTC seconds", 1772186410.2, "s")]
    end_s: Annotated[float, about("end of the movement, UTC seconds", 1772186412.9, "s")]
    score: Annotated[float, about("how surely it was turned or picked, 0 to 1", 0.93, "1")]


class Evidence(msgspec.Struct, frozen=True):
    """Why a visitor was matched with a tag, at the moment that explains the flip best.

    `distance_m` is from the person to the tag's place; `place` says what that place is; `time_offset_s` is
    from the middle of the flip; `near_s` how long the person stayed within reach around the flip;
    `handling` the action score (None: not judged); `bridged` if nobody saw the person at that moment and
    the path was interpolated.
    """

    distance_m: Annotated[float, about("from the person to the tag's place, metres", 0.4, "m")]
    time_offset_s: Annotated[float, about("from the middle of the flip, seconds", -0.2, "s")]
    near_s: Annotated[
        float, about("how long the person stayed within reach around the flip, seconds", 6.5, "s")
    ]
    floor_xy_m: Annotated[Point, about("where the person stood on the floor, metres", [3.1, 4.2], "m")]
    place: Annotated[
        Literal["fixture", "antenna", "zone"], about("what the tag's place was taken from", "fixture")
    ]
    handling: Annotated[
        float | None,
        about("probability of handling goods, from the picture; null where it was not judged", 0.8, "1"),
    ] = None
    bridged: Annotated[
        bool, about("nobody saw the person at that moment: the path was interpolated", False)
    ] = False


class Interaction(Fact, frozen=True, kw_only=True, tag="interaction"):
    """Who turned a tag: `visitor`, or None for nobody, with its probability and the runner-up.

    `flip` is the key of the flip. `nobody_probability` is that of "nobody we see did it"; the rest of the
    probability up to 1 is spread over the other visitors. Where no visitor is as likely as not, none is
    named: `visitor` is None, `probability` that of nobody, and the likeliest visitor is the runner-up.
    """

    flip: Annotated[str, about("the key of the flip", "flip/racks/3034257bf400b7800004cb2f/1772186410200")]
    epc: Epc
    sku: Sku
    fixture: Fixture
    start_s: Annotated[float, about("start of the movement, UTC seconds", 1772186410.2, "s")]
    end_s: Annotated[float, about("end of the movement, UTC seconds", 1772186412.9, "s")]
    visitor: Annotated[
        str | None,
        about(
            "who turned it, a visitor's random id; null for nobody we see, or none likelier than not",
            "2f1c8b7e9a04",
        ),
    ]
    probability: Annotated[float, about("that the answer in `visitor` is right, 0 to 1", 0.86, "1")]
    nobody_probability: Annotated[float, about("that nobody we see did it, 0 to 1", 0.05, "1")]
    runner_up: Annotated[
        str | None, about("the next likely visitor; null where there is none", "77c0d1a2b3e4")
    ] = None
    runner_up_probability: Annotated[float, about("that it was the runner-up, 0 to 1", 0.09, "1")] = 0.0
    evidence: Annotated[
        Evidence | None,
        about(
            "why this visitor was matched; null for nobody",
            {
                "distance_m": 0.4,
                "time_offset_s": -0.2,
                "near_s": 6.5,
                "floor_xy_m": [3.1, 4.2],
                "place": "fixture",
            },
        ),
    ] = None

    @property
    def who(self) -> str:
        """Who did it where no visitor is named, in words: nobody we see, or somebody of several."""
        return "nobody seen" if self.nobody_probability >= 0.5 else "somebody"


class TryOn(Fact, frozen=True, kw_only=True, tag="tryon"):
    """A tag was in a fitting room long enough; `visitor` is who was in that room, if exactly one was.

    It is told twice: as soon as the tag has been read there long enough (`open`, revision 0; `end_s` is its
    last read so far), and as the next revision once it is read there no more. Boxes before `open` told it at
    the end only.
    """

    epc: Epc
    sku: Sku
    room: Annotated[str, about("the fitting room, as in store.yaml", "fitting room 2")]
    start_s: Annotated[float, about("first read in the room, UTC seconds", 1772186500.0, "s")]
    end_s: Annotated[float, about("last read in the room, UTC seconds", 1772186740.0, "s")]
    reads: Annotated[int, about("how often the tag was read there", 812, "{read}")]
    visitor: Annotated[
        str | None, about("who was in the room, if exactly one visitor was; else null", "2f1c8b7e9a04")
    ] = None
    partial: Annotated[bool, about("the tag was still there when the try-on was cut", False)] = False
    open: Annotated[bool, about("the tag is still there; a later revision closes it", False)] = False


class Inventory(Fact, frozen=True, kw_only=True, tag="inventory"):
    """A tag was found where it was not before, or is where it was no more."""

    change: Annotated[
        Literal["arrived", "moved", "departed"],
        about("new in the shop; at another fixture than before; not in the shop any more", "moved"),
    ]
    epc: Epc
    sku: Sku
    fixture: Annotated[
        str | None, about("where it is now, as in store.yaml; null: in none, or gone", "rack 2")
    ] = None
    previous: Fixture = None
    probability: Annotated[float, about("that this is so, 0 to 1", 0.97, "1", ge=0, le=1)] = 1.0


class ProcessHealth(Fact, frozen=True, kw_only=True, tag="health"):
    """The state of one process: figures in `values` (fps, read rate, queue depth…), drops by reason."""

    process: Annotated[str, about("the process, as `vision`, `camera:NAME` or `reader:NAME`", "camera:door")]
    state: Annotated[str, about("`live`, or one word for what is wrong", "live")]
    progress_s: Annotated[
        float, about("its last real progress (a frame, a keepalive), UTC seconds", 1772187299.9, "s")
    ]
    detail: Annotated[str, about("what is wrong or degraded, in words", "")] = ""
    values: Annotated[
        dict[str, float],
        about(
            "its figures: frames a second, read rate, queue depth and more, by name", {"fps": 9.8}, BY_NAME
        ),
    ] = msgspec.field(default_factory=dict)
    drops: Annotated[
        dict[str, int],
        about("what it had to drop since it started, counted by reason", {"reader busy": 3}, "{drop}"),
    ] = msgspec.field(default_factory=dict)


AnyFact: TypeAlias = (
    Footfall
    | Visit
    | Dwell
    | Flow
    | Heatmap
    | Occupancy
    | Flip
    | Interaction
    | TryOn
    | Inventory
    | Attributes
    | Store
    | ProcessHealth
)
"""Every kind of fact, for decoders: `msgspec.json.decode(data, type=AnyFact)`."""

FACT_TYPES: tuple[type[Fact], ...] = (
    Footfall,
    Visit,
    Dwell,
    Flow,
    Heatmap,
    Occupancy,
    Flip,
    Interaction,
    TryOn,
    Inventory,
    Attributes,
    Store,
    ProcessHealth,
)
