"""Which counts can be relied on: by the coverage they rest on, in every fact that counts over time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
import pytest

from contract.facts import AnyFact, Coverage, Dwell, Fact, Flow, Footfall, Heatmap, Quality
from runtime.messages import Health, Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.entrances import Crossing
from runtime.store.counts.footfall import FootfallBook
from runtime.store.counts.quality import quality_of
from runtime.store.floorplan import EntranceLine, FloorPlan
from tests.store.test_behaviour import BEGIN_S, PLAN, of

WATCHED = replace(PLAN, analysis_fps={"cam": 10.0})
COUNTS = (Footfall, Dwell, Flow, Heatmap)


@pytest.mark.parametrize(
    ("effective_fps", "blind_s", "wanted_fps", "quality"),
    [
        (10.0, 0.0, 10.0, "good"),
        (5.0, 0.0, 10.0, "good"),  # half the rate, to which overload lowers an entrance
        (4.3, 0.0, 10.0, "degraded"),
        (1.0, 0.0, 10.0, "degraded"),  # overload lowered it to its floor
        (1.0, 0.0, 1.0, "good"),  # no more was wanted
        (9.5, 3.0, 10.0, "good"),  # one second in twenty
        (9.4, 3.1, 10.0, "degraded"),
        (5.1, 29.0, 10.0, "degraded"),
        (5.0, 30.0, 10.0, "blind"),
        (10.0, 60.0, 10.0, "blind"),  # pictures came, and they were black
        (0.0, 60.0, 10.0, "blind"),
        (0.2, 0.0, None, "good"),  # an older box that does not tell what was wanted
    ],
)
def test_one_camera_s_coverage_decides(
    effective_fps: float, blind_s: float, wanted_fps: float | None, quality: Quality
) -> None:
    assert quality_of([Coverage("cam", effective_fps, blind_s, wanted_fps)], 60.0) == quality


@pytest.mark.parametrize(
    ("each", "quality"),
    [
        (("good", "good"), "good"),
        (("good", "blind"), "degraded"),
        (("degraded", "good"), "degraded"),
        (("degraded", "blind"), "degraded"),
        (("blind", "blind"), "blind"),
        ((), "blind"),
    ],
)
def test_of_several_cameras_one_that_sees_well_does_not_stand_for_the_others(
    each: tuple[str, ...], quality: Quality
) -> None:
    seen = {"good": (10.0, 0.0), "degraded": (1.0, 0.0), "blind": (0.0, 60.0)}
    assert quality_of([Coverage(name, *seen[name], 10.0) for name in each], 60.0) == quality


def test_a_short_interval_is_not_judged_by_a_single_frame() -> None:
    assert quality_of([Coverage("cam", 0.0, 0.0, 10.0)], 0.2) == "good"


def seen(time_s: float, *people: tuple[int, float, float], camera: str = "cam") -> PersonsSeen:
    persons = tuple(Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, (x, y)) for track, x, y in people)
    return PersonsSeen(camera, round(time_s * 100), BEGIN_S + time_s, persons)


def person(fps: float, end_s: float = 30.0, camera: str = "cam") -> Iterator[PersonsSeen]:
    """In by the door and into the front zone, on to the back, and away; at `fps` frames a second."""
    way = [
        (1.0, 0.0, -3.0),
        (6.0, 0.0, 2.0),
        (10.0, 1.0, 3.0),
        (14.0, 6.0, 3.4),
        (20.0, 6.2, 3.4),
        (23.0, 6.2, 9.0),
    ]
    for number in range(int(end_s * fps)):
        time_s = number / fps
        people = []
        for (t0, x0, y0), (t1, x1, y1) in itertools.pairwise(way):
            if t0 <= time_s < t1:
                share = (time_s - t0) / (t1 - t0)
                people.append((1, x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
        yield seen(time_s, *people, camera=camera)


def told(
    records: Iterable[PersonsSeen],
    plan: FloorPlan = WATCHED,
    health: Iterable[Health] = (),
    until_s: float = 45.0,
) -> list[Fact]:
    numbers = itertools.count(1)
    behaviour = Behaviour(plan, BEGIN_S, lambda: f"v{next(numbers)}")
    everything: list[PersonsSeen | Health] = [*records, *health]
    facts: list[Fact] = []
    for record in sorted(everything, key=lambda each: each.time_s):
        facts += behaviour.health(record) if isinstance(record, Health) else behaviour.persons(record)
    for tenth in range(round((until_s - 30.0) * 10)):
        facts += behaviour.advance(BEGIN_S + 30.0 + tenth / 10)
    return facts


def qualities(facts: list[Fact], until_s: float = 30.0) -> dict[type[Fact], set[Quality]]:
    """By kind, of everything that was over by `until_s`."""
    found: dict[type[Fact], set[Quality]] = {}
    for fact in facts:
        if isinstance(fact, COUNTS) and fact.time_s <= BEGIN_S + until_s:
            found.setdefault(type(fact), set()).add(fact.quality)
    return found


def test_what_a_camera_saw_as_often_as_wanted_is_good() -> None:
    assert qualities(told(person(10.0))) == {kind: {"good"} for kind in COUNTS}


def test_what_a_starved_camera_saw_is_degraded() -> None:
    facts = told(person(1.0))
    assert qualities(facts) == {kind: {"degraded"} for kind in COUNTS}
    assert of(facts, Footfall)[0].coverage == (Coverage("cam", 1.0, 0.0, 10.0),)


def test_what_a_black_camera_did_not_see_is_blind_and_a_sum_leaves_it_out() -> None:
    black = [Health("camera:cam", "black", BEGIN_S + t, BEGIN_S + t) for t in range(31)]
    facts = told(person(10.0), health=black)
    assert qualities(facts)[Footfall] == qualities(facts)[Heatmap] == {"blind"}
    plain_sum = sum(fact.entered for fact in of(facts, Footfall) if fact.quality == "good")
    assert plain_sum == 0 and of(facts, Footfall)[0].entered == 1


def test_a_camera_that_says_nothing_leaves_blind_intervals_behind() -> None:
    facts = told([seen(0.1)], until_s=100.0)
    counts = [(fact.entered, fact.quality) for fact in of(facts, Footfall)]
    assert counts and set(counts) == {(0, "blind")}


def test_an_entrance_rests_on_its_own_cameras_and_the_heat_on_all() -> None:
    door = EntranceLine("door", ((-1.5, 0.0), (1.5, 0.0)), (0.0, 3.0), ("cam",))
    plan = replace(
        WATCHED, cameras=("cam", "hall"), analysis_fps={"cam": 10.0, "hall": 10.0}, entrances=(door,)
    )
    facts = told(person(10.0), plan)
    assert qualities(facts)[Footfall] == {"good"}
    assert qualities(facts)[Heatmap] == qualities(facts)[Flow] == {"degraded"}
    assert qualities(facts)[Dwell] == {"good"}, "the hall's camera saw nothing of it"


def test_a_stay_whose_end_nobody_saw_is_degraded() -> None:
    """The camera dies while somebody has been in front for long: when they left is not known."""
    still = [seen(n / 10, (1, 0.0, 2.0)) for n in range(299)]
    (dwell,) = of(told(still, until_s=80.0), Dwell)
    assert (dwell.dwell_s, dwell.quality) == (pytest.approx(29.8, abs=0.2), "degraded")
    (ended,) = of(told([*still, *(seen(30 + n / 10) for n in range(200))], until_s=60.0), Dwell)
    assert (ended.dwell_s, ended.quality) == (pytest.approx(29.8, abs=0.2), "good")


def test_a_stay_longer_than_coverage_is_remembered_is_judged_by_its_end() -> None:
    long = [seen(n / 10, (1, 0.0, 2.0)) for n in range(3000)]
    away = [seen(300 + n / 10, (1, 0.0, 9.0)) for n in range(100)]
    (dwell,) = of(told([*long, *away], until_s=31.0), Dwell)
    assert (dwell.dwell_s, dwell.quality) == (pytest.approx(300.0, abs=1.0), "good")


def test_a_correction_keeps_what_the_interval_rests_on() -> None:
    cover = CoverageMeter(("cam",), BEGIN_S, 600.0, {"cam": 10.0})
    for number in range(30):
        cover.frame("cam", BEGIN_S + number)
    book = FootfallBook(PLAN.entrances, 30.0, BEGIN_S, cover)
    left = Crossing("door", 1, "out", BEGIN_S + 20.0, inferred=True)
    book.add(left)
    (first,) = book.close(BEGIN_S + 30.0)
    cover.missed("cam", BEGIN_S, BEGIN_S + 30.0)
    book.add(replace(left, retracted=True))
    (second,) = book.close(BEGIN_S + 31.0)
    assert [(fact.rev, fact.left, fact.quality) for fact in (first, second)] == [
        (0, 1, "degraded"),
        (1, 0, "degraded"),
    ]
    assert second.coverage == first.coverage


@pytest.mark.parametrize("kind", COUNTS)
def test_events_of_older_boxes_without_a_quality_are_read_as_good(kind: type[Fact]) -> None:
    fact = next(each for each in told(person(1.0)) if isinstance(each, kind))
    body = msgspec.to_builtins(fact)
    del body["quality"]
    body["coverage"] = [{"camera": "cam", "effective_fps": 1.0, "blind_s": 0.0}]
    old = msgspec.json.decode(msgspec.json.encode(body), type=AnyFact)
    assert isinstance(old, COUNTS) and old.quality == "good"
