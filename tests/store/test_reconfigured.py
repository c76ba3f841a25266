"""Another plan while the shop is open: people and counts go on, and only what changed begins anew."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from contract.facts import Dwell, Fact, Flow, Footfall, Heatmap, Visit
from runtime.config import Intervals
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import EntranceLine, FloorPlan, FloorZone

BEGIN_S = 1_795_320_000.0
DOOR = EntranceLine("door", ((-1.5, 0.0), (1.5, 0.0)), (0.0, 3.0))
FRONT = FloorZone("front", ((-3.0, 0.5), (3.0, 0.5), (3.0, 6.0), (-3.0, 6.0)))
BACK = FloorZone("back", ((-3.0, 8.0), (3.0, 8.0), (3.0, 12.0), (-3.0, 12.0)))
PLAN = FloorPlan(
    extent_m=(-4.0, -6.0, 4.0, 14.0),
    cell_m=1.0,
    cameras=("cam",),
    entrances=(DOOR,),
    zones=(FRONT, BACK),
    intervals=Intervals(footfall_s=30.0, heatmap_s=30.0, flow_s=30.0, health_s=10.0),
)
WALK_M_PER_S = 1.0
IN_FRONT_S = 9.0
"""By then the person, who sets out at y = -4 m, stands about in front of the shop."""


def core() -> Behaviour:
    numbers = itertools.count(1)
    return Behaviour(PLAN, BEGIN_S, lambda: f"v{next(numbers)}")


def walk(behaviour: Behaviour, from_s: float, until_s: float, stop_at_y_m: float = 20.0) -> list[Fact]:
    """One person walks up the middle from y = -4 m at `BEGIN_S`, seen ten times a second."""
    facts: list[Fact] = []
    for tenth in range(round(from_s * 10), round(until_s * 10)):
        time_s = tenth / 10
        y_m = min(-4.0 + WALK_M_PER_S * time_s, stop_at_y_m)
        person = Person(1, (0.0, 0.0, 1.0, 2.0), 0.9, (0.0, y_m))
        facts += behaviour.persons(PersonsSeen("cam", tenth, BEGIN_S + time_s, (person,)))
        facts += behaviour.advance(BEGIN_S + time_s)
    return facts


def entered(facts: list[Fact], entrance: str = "door") -> int:
    return sum(fact.entered for fact in facts if isinstance(fact, Footfall) and fact.entrance == entrance)


@pytest.mark.parametrize("reload_s", [2.0, 3.5, 4.0, 4.3, 6.0, 12.0])
def test_a_crossing_is_counted_once_whenever_the_plan_changes(reload_s: float) -> None:
    behaviour = core()
    facts = walk(behaviour, 0.0, reload_s, 4.0)
    facts += behaviour.apply_plan(
        replace(PLAN, zones=(), intervals=Intervals(footfall_s=7.0, heatmap_s=20.0, flow_s=20.0))
    )
    facts += walk(behaviour, reload_s, 45.0, 4.0)
    facts += behaviour.finish(BEGIN_S + 45.0)
    assert entered(facts) == 1
    assert len([fact for fact in facts if isinstance(fact, Visit)]) == 1
    intervals = [(fact.start_s, fact.end_s) for fact in facts if isinstance(fact, Footfall)]
    assert intervals == sorted(intervals)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(intervals)), "no gap, no overlap"
    assert len({fact.key for fact in facts}) == len(facts)


def test_who_stands_near_a_line_when_it_is_drawn_did_not_come_through_it() -> None:
    line = EntranceLine("passage", ((-3.0, 4.6), (3.0, 4.6)), (0.0, 3.0))
    behaviour = core()
    facts = walk(behaviour, 0.0, IN_FRONT_S)
    facts += behaviour.apply_plan(replace(PLAN, entrances=(DOOR, line)))
    facts += walk(behaviour, IN_FRONT_S, 17.0)
    facts += behaviour.finish(BEGIN_S + 17.0)
    assert entered(facts, "passage") == 0
    assert entered(facts) == 1


def test_a_line_that_was_moved_counts_at_its_new_place_from_then_on() -> None:
    moved = EntranceLine("door", ((-3.0, 7.0), (3.0, 7.0)), (0.0, 9.0))
    behaviour = core()
    facts = walk(behaviour, 0.0, 2.0)
    facts += behaviour.apply_plan(replace(PLAN, entrances=(moved,)))
    facts += walk(behaviour, 2.0, 7.0)
    assert not [fact for fact in facts if isinstance(fact, Visit)], "the old line counts no more"
    facts += walk(behaviour, 7.0, 17.0)
    assert [fact.direction for fact in facts if isinstance(fact, Visit)] == ["in"]


def test_a_stay_in_a_zone_that_stays_the_same_is_one_stay_of_the_same_visitor() -> None:
    behaviour = core()
    facts = walk(behaviour, 0.0, IN_FRONT_S, 4.0)
    facts += behaviour.apply_plan(replace(PLAN, zones=(FRONT,)))
    facts += walk(behaviour, IN_FRONT_S, 20.0, 4.0)
    facts += behaviour.finish(BEGIN_S + 20.0)
    (dwell,) = [fact for fact in facts if isinstance(fact, Dwell)]
    (visit,) = [fact for fact in facts if isinstance(fact, Visit)]
    assert dwell.dwell_s == pytest.approx(15.4, abs=0.4)
    assert dwell.visitor == visit.visitor


def test_a_stay_in_a_zone_that_was_redrawn_is_cut_there() -> None:
    behaviour = core()
    facts = walk(behaviour, 0.0, IN_FRONT_S, 4.0)
    wider = FloorZone("front", ((-3.0, 0.5), (3.0, 0.5), (3.0, 7.0), (-3.0, 7.0)))
    told = behaviour.apply_plan(replace(PLAN, zones=(wider, BACK)))
    (dwell,) = [fact for fact in told if isinstance(fact, Dwell)]
    assert dwell.partial
    assert dwell.leave_s == pytest.approx(BEGIN_S + IN_FRONT_S, abs=0.5)
    facts += walk(behaviour, IN_FRONT_S, 20.0, 4.0)
    facts += behaviour.finish(BEGIN_S + 20.0)
    later = [fact for fact in facts if isinstance(fact, Dwell)]
    assert [fact.enter_s for fact in later] == [pytest.approx(BEGIN_S + IN_FRONT_S, abs=0.5)]
    assert later[0].visitor == dwell.visitor
    assert not [fact for fact in facts if isinstance(fact, Flow)], "nobody walked anywhere"


def test_heat_is_told_before_its_zones_change() -> None:
    behaviour = core()
    walk(behaviour, 0.0, IN_FRONT_S, 4.0)
    told = behaviour.apply_plan(replace(PLAN, zones=(BACK,)))
    (heat,) = [fact for fact in told if isinstance(fact, Heatmap)]
    assert heat.partial
    assert heat.zones["front"] > 3.0


def test_a_camera_that_is_added_was_blind_until_then() -> None:
    behaviour = core()
    facts = walk(behaviour, 0.0, 6.0, 4.0)
    facts += behaviour.apply_plan(replace(PLAN, cameras=("cam", "second")))
    facts += walk(behaviour, 6.0, 50.0, 4.0)
    first = next(fact for fact in facts if isinstance(fact, Footfall) and fact.coverage)
    blind_s = {each.camera: each.blind_s for each in first.coverage}
    assert blind_s["cam"] == 0.0
    assert blind_s["second"] == pytest.approx(first.end_s - first.start_s)
