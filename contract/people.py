"""What is told of many people at once: how many are where, and what they are like, never who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from contract.base import Coverage, CutShort, Fact, Quality
from contract.fields import about

LEAST_PERSONS = 20
"""An attribute is told of at least so many persons together, everywhere: on the box, in the warehouse, on a
page, in an export."""


class Occupancy(Fact, frozen=True, kw_only=True, tag="occupancy"):
    """How many persons the cameras saw in one zone at a time, or on the whole floor, over one interval.

    A person out of sight for longer than a second is not counted until seen again.
    """

    zone: Annotated[
        str | None, about("the zone, as in store.yaml; null for the whole floor", "fitting room 2")
    ]
    start_s: Annotated[float, about("start of the interval, UTC seconds", 1772186400.0, "s")]
    end_s: Annotated[float, about("end of the interval, UTC seconds", 1772186700.0, "s")]
    persons_mean: Annotated[float, about("persons at a time, mean over the interval", 3.4, "{person}")]
    persons_max: Annotated[int, about("the most persons at a time", 7, "{person}", ge=0)]
    partial: CutShort = False
    coverage: Annotated[
        tuple[Coverage, ...],
        about(
            "how well each camera saw the interval",
            [{"camera": "door", "effective_fps": 9.8, "blind_s": 0.0, "wanted_fps": 10.0}],
        ),
    ] = ()
    quality: Quality = "good"


class Attributes(Fact, frozen=True, kw_only=True, tag="attributes"):
    """What those who came in by one entrance on one local day are like, where the shop has opted in.

    `counts` has only classes of at least `LEAST_PERSONS` persons (see `tellable`); all others, and whoever
    was not judged, are in `untold`.
    """

    entrance: Annotated[str, about("the entrance, as in store.yaml", "door")]
    start_s: Annotated[float, about("start of the local day, UTC seconds", 1772146800.0, "s")]
    end_s: Annotated[float, about("end of the local day, UTC seconds", 1772233200.0, "s")]
    attribute: Annotated[str, about("what is told of them", "age_group")]
    counts: Annotated[
        dict[str, int], about("persons by class, none below 20", {"adult": 212, "child": 31}, "{person}")
    ]
    untold: Annotated[
        int, about("persons of whom nothing is told: too few of a class, or not judged", 40, "{person}", ge=0)
    ] = 0

    def __post_init__(self) -> None:
        few = {name: count for name, count in self.counts.items() if count < LEAST_PERSONS}
        if few:
            raise ValueError(f"attributes of fewer than {LEAST_PERSONS} persons are not told: {few}")


def tellable(counts: Mapping[str, int], unjudged: int = 0) -> tuple[dict[str, int], int]:
    """What may be told of persons counted by class, and of how many nothing is.

    A class of fewer than LEAST_PERSONS is left out. Where those left out come to fewer than that, whoever
    knows the total could still tell them: the smallest class that could be told is left out as well.
    """
    told = {name: count for name, count in counts.items() if count >= LEAST_PERSONS}
    hidden = sum(counts.values()) - sum(told.values())
    while told and 0 < hidden < LEAST_PERSONS:
        smallest = min(told, key=lambda name: (told[name], name))
        hidden += told.pop(smallest)
    return told, hidden + unjudged
