"""The core as a whole: records in, facts out."""

from __future__ import annotations

import itertools
import random
from typing import TypeVar

import pytest

from contract.facts import (
    Dwell,
    Fact,
    Flip,
    Flow,
    Footfall,
    Heatmap,
    Interaction,
    ProcessHealth,
    TryOn,
    Visit,
)
from runtime.config import Intervals
from runtime.config.epcs import Article, ArticleTable
from runtime.messages import FramesMissed, Health, Person, PersonsSeen, TagFlip, TagPresence
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import AntennaCoverage, EntranceLine, FloorPlan, FloorZone, Place

BEGIN_S = 1_795_320_000.0
RACK = Place("rack", "fixture", ((6.0, 4.0),))
ROOM = FloorZone("room", ((10.0, 0.0), (12.0, 0.0), (12.0, 2.0), (10.0, 2.0)), "fitting_room")
PLAN = FloorPlan(
    extent_m=(-2.0, -4.0, 14.0, 12.0),
    cell_m=1.0,
    cameras=("cam",),
    entrances=(EntranceLine("door", ((-1.5, 0.0), (1.5, 0.0)), (0.0, 3.0)),),
    zones=(
        FloorZone("front", ((-2.0, 1.0), (3.0, 1.0), (3.0, 6.0), (-2.0, 6.0))),
        FloorZone("back", ((5.0, 1.0), (9.0, 1.0), (9.0, 6.0), (5.0, 6.0))),
        ROOM,
    ),
    fixtures={"rack": RACK},
    articles=ArticleTable([("E2801160*", Article("shirt", "rack"))]),
    antennas={
        ("reader", 1): AntennaCoverage(RACK),
        ("reader", 2): AntennaCoverage(Place("room", "zone", ROOM.polygon), "room"),
    },
    rooms={"room": Place("room", "zone", ROOM.polygon)},
    intervals=Intervals(footfall_s=30.0, heatmap_s=30.0, flow_s=30.0, health_s=10.0),
)
EPC = "E28011600000000000000001"
Kind = TypeVar("Kind", bound=Fact)


def core() -> Behaviour:
    numbers = itertools.count(1)
    return Behaviour(PLAN, BEGIN_S, lambda: f"v{next(numbers)}")


def seen(time_s: float, *places: tuple[int, float, float], camera: str = "cam") -> PersonsSeen:
    persons = tuple(Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, (x, y)) for track, x, y in places)
    return PersonsSeen(camera, round(time_s * 10), BEGIN_S + time_s, persons)


def visit_records() -> list[PersonsSeen]:
    """In by the door, five seconds in front, on to the rack at the back, six seconds there; 10 fps."""
    way = [(1.0, 0.0, -3.0), (5.0, 0.0, 2.0), (10.0, 1.0, 3.0), (15.0, 6.0, 3.4), (21.0, 6.2, 3.4)]
    records = []
    for number in range(300):
        time_s = number / 10
        place = _at(way, time_s)
        records.append(seen(time_s, (1, *place)) if place is not None else seen(time_s))
    return records


def _at(way: list[tuple[float, float, float]], time_s: float) -> tuple[float, float] | None:
    for (t0, x0, y0), (t1, x1, y1) in itertools.pairwise(way):
        if t0 <= time_s < t1:
            share = (time_s - t0) / (t1 - t0)
            return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    return None


def run(behaviour: Behaviour, records: list[PersonsSeen], until_s: float = 45.0) -> list[Fact]:
    facts: list[Fact] = []
    for record in records:
        facts += behaviour.persons(record)
    last_s = records[-1].time_s if records else BEGIN_S
    for number in range(1, round((BEGIN_S + until_s - last_s) * 10) + 1):
        facts += behaviour.advance(last_s + number / 10)
    return facts


def of(facts: list[Fact], kind: type[Kind]) -> list[Kind]:
    return [fact for fact in facts if isinstance(fact, kind)]


def test_one_visit_is_told_in_full() -> None:
    facts = run(core(), visit_records())
    (came,) = of(facts, Visit)
    assert (came.direction, came.entrance) == ("in", "door")
    counted = {(fact.start_s - BEGIN_S, fact.entered, fact.left) for fact in of(facts, Footfall)}
    assert counted == {(0.0, 1, 0)}
    front, back = sorted(of(facts, Dwell), key=lambda dwell: dwell.enter_s)
    assert (front.zone, back.zone) == ("front", "back")
    assert front.dwell_s == pytest.approx(7.8, abs=0.5)
    assert back.dwell_s == pytest.approx(7.0, abs=0.5)
    assert {came.visitor, front.visitor, back.visitor} == {"v1"}
    (flow,) = of(facts, Flow)
    assert (flow.origin, flow.destination, flow.transitions) == ("front", "back", 1)
    (heat,) = of(facts, Heatmap)
    assert heat.zones["back"] == pytest.approx(7.0, abs=0.5)
    assert sum(cell.person_s for cell in heat.cells) == pytest.approx(19.9, abs=0.3)
    (coverage,) = heat.coverage
    assert (coverage.effective_fps, coverage.blind_s) == (10.0, 0.0)


def test_the_order_in_which_records_arrive_does_not_matter_within_the_window() -> None:
    shuffled = visit_records()
    rng = random.Random(5)
    shuffled.sort(key=lambda record: record.time_s + rng.uniform(0.0, 0.25))
    assert run(core(), shuffled) == run(core(), visit_records())


def test_the_same_records_give_the_same_facts() -> None:
    assert run(core(), visit_records()) == run(core(), visit_records())


def test_an_empty_interval_is_told_with_its_coverage() -> None:
    facts = run(core(), [seen(number / 10) for number in range(300)])
    (footfall,) = of(facts, Footfall)
    assert (footfall.entered, footfall.left, footfall.coverage[0].blind_s) == (0, 0, 0.0)


def test_a_blind_camera_is_not_an_empty_shop() -> None:
    behaviour = core()
    facts = list(behaviour.missed(FramesMissed("cam", BEGIN_S, BEGIN_S + 30.0, "black")))
    facts += run(behaviour, [])
    (footfall,) = of(facts, Footfall)
    assert footfall.coverage[0].blind_s == 30.0


@pytest.mark.parametrize("state", ["black", "frozen"])
def test_a_camera_whose_pictures_show_nothing_is_blind_although_frames_come(state: str) -> None:
    behaviour = core()
    facts: list[Fact] = []
    for number in range(300):
        time_s = BEGIN_S + number / 10
        if number % 10 == 0:
            shown = state if 100 <= number < 200 else "live"
            facts += behaviour.health(Health("camera:cam", shown, time_s, time_s))
        facts += behaviour.persons(seen(number / 10))
    facts += run(behaviour, [])
    (footfall,) = of(facts, Footfall)
    assert footfall.coverage[0].effective_fps == pytest.approx(10.0, abs=0.1)
    assert footfall.coverage[0].blind_s == pytest.approx(10.0)


def test_a_flip_is_told_at_once_and_matched_when_all_is_known() -> None:
    behaviour = core()
    facts: list[Fact] = []
    for record in visit_records():
        facts += behaviour.persons(record)
        if record.sequence == 210:
            facts += behaviour.flip(TagFlip("reader", 1, EPC, BEGIN_S + 17.0, BEGIN_S + 18.5, 0.9))
            assert not of(facts, Interaction)
    (flip,), (found,) = of(facts, Flip), of(facts, Interaction)
    assert (flip.sku, flip.fixture) == ("shirt", "rack")
    assert (found.flip, found.visitor, found.sku) == (flip.key, "v1", "shirt")
    assert found.probability > 0.9
    assert found.evidence is not None
    assert found.evidence.distance_m < 0.7
    assert found.evidence.near_s > 1.0


def test_a_flip_with_nobody_there_is_nobodys() -> None:
    behaviour = core()
    facts = list(behaviour.flip(TagFlip("reader", 1, EPC, BEGIN_S + 3.0, BEGIN_S + 4.0, 0.9)))
    facts += run(behaviour, visit_records())
    (found,) = of(facts, Interaction)
    assert (found.visitor, found.evidence) == (None, None)


def test_a_garment_in_a_fitting_room_is_tried_on_by_whoever_took_it_there() -> None:
    behaviour = core()
    records = [seen(t / 10, (1, 2.0 + 0.1 * t, 1.0)) for t in range(85)]
    records += [seen(t / 10) for t in range(85, 400)]
    facts: list[Fact] = []
    for record in records:
        facts += behaviour.persons(record)
        if record.sequence == 200:
            facts += behaviour.presence(TagPresence("reader", 2, EPC, BEGIN_S + 8.0, BEGIN_S + 20.0, 40))
        if record.sequence == 390:
            facts += behaviour.presence(
                TagPresence("reader", 2, EPC, BEGIN_S + 8.0, BEGIN_S + 36.0, 90, True)
            )
    *earlier, tried = of(facts, TryOn)
    assert all(told.open and told.key == tried.key and told.rev < tried.rev for told in earlier)
    assert (tried.room, tried.sku, tried.end_s - tried.start_s) == ("room", "shirt", 28.0)
    assert tried.visitor is not None
    assert not tried.partial


def test_a_tag_heard_elsewhere_is_not_tried_on() -> None:
    behaviour = core()
    presence = TagPresence("reader", 1, EPC, BEGIN_S, BEGIN_S + 60.0, 90, True)
    assert behaviour.presence(presence) == []


def test_stopping_tells_everything_that_is_open() -> None:
    behaviour = core()
    facts: list[Fact] = []
    for record in visit_records()[:200]:
        facts += behaviour.persons(record)
    facts += behaviour.flip(TagFlip("reader", 1, EPC, BEGIN_S + 17.0, BEGIN_S + 18.5, 0.9))
    facts += behaviour.presence(TagPresence("reader", 2, EPC, BEGIN_S + 1.0, BEGIN_S + 19.0, 40))
    before = len(facts)
    facts += behaviour.finish(BEGIN_S + 20.0)
    last = facts[before:]
    (footfall,) = of(last, Footfall)
    assert (footfall.end_s - BEGIN_S, footfall.entered, footfall.partial) == (20.0, 1, True)
    assert footfall.coverage[0].effective_fps == pytest.approx(10.0)
    assert [(fact.zone, fact.partial) for fact in of(last, Dwell)] == [("back", True)]
    assert [fact.visitor for fact in of(last, Interaction)] == ["v1"]
    assert [fact.partial for fact in of(last, TryOn)] == [True]
    assert [fact.transitions for fact in of(last, Flow)] == [1]
    assert sum(cell.person_s for fact in of(last, Heatmap) for cell in fact.cells) > 15


def test_a_restart_within_an_interval_begins_another_fact() -> None:
    numbers = itertools.count(1)
    first = core().finish(BEGIN_S + 10.0)
    second = Behaviour(PLAN, BEGIN_S + 12.0, lambda: f"v{next(numbers)}").finish(BEGIN_S + 25.0)
    keys = [fact.key for fact in [*first, *second]]
    assert len(set(keys)) == len(keys)


def test_at_local_midnight_every_visitor_becomes_another() -> None:
    midnight_s = BEGIN_S - BEGIN_S % 86_400 + 86_400
    numbers = itertools.count(1)
    behaviour = Behaviour(PLAN, midnight_s - 10.0, lambda: f"v{next(numbers)}")
    facts: list[Fact] = []
    for number in range(200):
        time_s = midnight_s - 10.0 + number / 10
        facts += behaviour.persons(
            PersonsSeen("cam", number, time_s, (Person(1, (0.0, 0.0, 1.0, 2.0), 0.9, (7.0, 3.0)),))
        )
    facts += behaviour.finish(midnight_s + 10.0)
    before, after = of(facts, Dwell)
    assert before.leave_s == pytest.approx(midnight_s, abs=0.11)
    assert before.leave_s <= midnight_s == after.enter_s
    assert before.visitor != after.visitor


def test_health_is_told_on_change_and_at_its_interval() -> None:
    behaviour = core()
    told: list[Fact] = []
    for second in range(25):
        state = "live" if second < 13 else "stalled"
        told += behaviour.health(Health("camera:cam", state, BEGIN_S + second, BEGIN_S + second))
    assert [(fact.time_s - BEGIN_S, fact.state) for fact in of(told, ProcessHealth)] == [
        (0.0, "live"),
        (10.0, "live"),
        (13.0, "stalled"),
        (23.0, "stalled"),
    ]


def test_a_walker_whose_leaving_was_only_inferred_takes_it_back_by_returning() -> None:
    behaviour = core()
    records = [seen(t / 10, (1, 0.0, 5.0 - 0.12 * t)) for t in range(36)]
    records += [seen(t / 10) for t in range(36, 75)]
    records += [seen(t / 10, (1, 0.0, 0.7 + 0.1 * (t - 75))) for t in range(75, 110)]
    records += [seen(t / 10) for t in range(110, 320)]
    facts = run(behaviour, records)
    visits = of(facts, Visit)
    assert [(visit.direction, visit.rev, visit.retracted) for visit in visits] == [
        ("out", 0, False),
        ("out", 1, True),
    ]
    assert visits[0].key == visits[1].key
    assert [(fact.entered, fact.left) for fact in of(facts, Footfall)] == [(0, 0)]


def test_a_late_correction_is_a_new_revision_of_the_same_interval() -> None:
    behaviour = core()
    facts = run(behaviour, [seen(t / 10) for t in range(300)])
    late = [seen(20.0 + t / 10, (5, 0.0, -2.0 + 0.12 * t), camera="slow") for t in range(40)]
    facts += run(behaviour, late, until_s=50.0)
    first, second = of(facts, Footfall)
    assert (first.entered, first.rev) == (0, 0)
    assert (second.entered, second.rev, second.key) == (1, 1, first.key)
    assert behaviour.counts()["late"] > 0
