"""What a box tells of its shop's setup."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.floorplan import EntranceLine, FloorPlan, FloorZone, Place
from runtime.store.setup import setup_of

PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 10.0, 10.0),
    entrances=(EntranceLine("door", ((0.0, 1.0), (0.0, 3.0)), (1.0, 2.0)),),
    zones=(FloorZone("racks", ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0))),),
    fixtures={
        "rack 1": Place("rack 1", "fixture", ((2.0, 2.0),)),
        "cabin": Place("cabin", "fixture", ((7.0, 7.0), (9.0, 7.0), (9.0, 9.0), (7.0, 9.0))),
    },
    rooms={"cabin": Place("cabin", "fixture", ((7.0, 7.0),))},
)
HOURS = {"mon": ["10:00-20:00"], "sun": []}


def test_it_says_time_zone_opening_hours_and_what_stands_in_which_zone() -> None:
    fact = setup_of(PLAN, "Asia/Kolkata", HOURS, 100.25)  # type: ignore[arg-type]
    assert (fact.key, fact.timezone) == ("store:100250", "Asia/Kolkata")
    assert fact.opening_hours == {"mon": ("10:00-20:00",), "sun": ()}
    assert [(one.name, one.line) for one in fact.entrances] == [("door", ((0.0, 1.0), (0.0, 3.0)))]
    assert {one.name: (one.kind, one.zone) for one in fact.fixtures} == {
        "rack 1": ("rack", "racks"),
        "cabin": ("fitting_room", None),
    }


def test_the_revision_changes_with_what_is_told_and_only_with_that() -> None:
    told = setup_of(PLAN, "UTC", {}, 1.0)
    assert setup_of(PLAN, "UTC", {}, 9.0).revision == told.revision
    others = [
        setup_of(PLAN, "Asia/Kolkata", {}, 1.0),
        setup_of(PLAN, "UTC", {"mon": []}, 1.0),
        setup_of(replace(PLAN, zones=()), "UTC", {}, 1.0),
    ]
    assert len({told.revision, *(one.revision for one in others)}) == 4
