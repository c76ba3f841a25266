"""Visits and counts agree, and a visitor's coming and going alternate, whatever tracks do."""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.facts import Fact, Footfall, Visit
from runtime.config import Intervals
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.entrances import Crossing, EntranceCounter
from runtime.store.counts.visits import VisitBook, VisitorIds
from runtime.store.floorplan import EntranceLine, FloorPlan
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position

BEGIN_S = 1_000_000_020.0
DOOR = EntranceLine("door", ((-1.5, 0.0), (1.5, 0.0)), (0.0, 3.0))
PLAN = FloorPlan(
    extent_m=(-8.0, -6.0, 8.0, 10.0),
    cameras=("one", "two"),
    entrances=(DOOR,),
    intervals=Intervals(footfall_s=5.0, heatmap_s=60.0, flow_s=60.0),
)
HALVES = replace(
    PLAN,
    entrances=(
        EntranceLine("left", ((-1.5, 0.0), (0.0, 0.0)), (0.0, 3.0), ("one",)),
        EntranceLine("right", ((0.0, 0.0), (1.5, 0.0)), (0.0, 3.0), ("two",)),
        EntranceLine("inner", ((-1.5, 1.2), (1.5, 1.2)), (0.0, 3.0)),
    ),
)
"""Two doors side by side, each with its camera, and a line behind both."""
Kind = TypeVar("Kind", bound=Fact)
Way = list[tuple[float, float, float]]


@dataclass(frozen=True)
class Trouble:
    """How often, a person and frame, what goes wrong with tracks."""

    broken: float
    missed: float
    doubled: float
    switched: float
    paused: float


def ways(rng: random.Random, people: int) -> list[Way]:
    """People who walk, stand and turn about the door, some of them past its ends."""
    found = []
    for _ in range(people):
        time_s, x, y = rng.uniform(1, 8), rng.uniform(-1.3, 1.3), rng.choice([-4.0, 5.0])
        way = [(time_s, x, y)]
        for _ in range(rng.randint(1, 5)):
            to_x, to_y = rng.uniform(-2.0, 2.0), rng.choice([-4.0, -1.0, -0.4, 0.4, 1.0, 2.0, 5.0])
            time_s += max(0.3, math.hypot(to_x - x, to_y - y) / rng.uniform(0.5, 2.0))
            way.append((time_s, to_x, to_y))
            if rng.random() < 0.3:
                time_s += rng.uniform(0.5, 6.0)
                way.append((time_s, to_x, to_y))
            x, y = to_x, to_y
        found.append(way)
    return found


def place(way: Way, time_s: float) -> tuple[float, float] | None:
    for (t0, x0, y0), (t1, x1, y1) in itertools.pairwise(way):
        if t0 <= time_s < t1:
            share = (time_s - t0) / (t1 - t0)
            return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    return None


def film(
    rng: random.Random, camera: str, scene: list[Way], fps: float, uneven: float, trouble: Trouble
) -> Iterable[PersonsSeen]:
    """What a camera's tracker tells, with its troubles."""
    tracks = [1000 * number + 1 for number in range(len(scene))]
    end_s, time_s = max(way[-1][0] for way in scene) + 1.0, rng.uniform(0.0, 1.0 / fps)
    for sequence in itertools.count():
        if time_s > end_s:
            return
        if rng.random() < trouble.switched and len(scene) > 1:
            one, other = rng.sample(range(len(scene)), 2)
            tracks[one], tracks[other] = tracks[other], tracks[one]
        persons = []
        for number, way in enumerate(scene):
            tracks[number] += rng.random() < trouble.broken
            at = place(way, time_s)
            if at is None or rng.random() < trouble.missed:
                continue
            persons.append(person(tracks[number], at[0] + rng.gauss(0, 0.1), at[1] + rng.gauss(0, 0.1)))
            if rng.random() < trouble.doubled:
                persons.append(
                    person(tracks[number] + 500, at[0] + rng.gauss(0, 0.3), at[1] + rng.gauss(0, 0.3))
                )
        yield PersonsSeen(camera, sequence, BEGIN_S + time_s, tuple(persons))
        time_s += rng.uniform(1 - uneven, 1 + uneven) / fps
        time_s += rng.uniform(1.0, 6.0) * (rng.random() < trouble.paused)


def person(track: int, x_m: float, y_m: float) -> Person:
    return Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, (x_m, y_m))


def tokens() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"v{next(numbers)}"


def told(records: Iterable[PersonsSeen], plan: FloorPlan = PLAN) -> list[Fact]:
    behaviour = Behaviour(plan, BEGIN_S, tokens())
    facts, time_s = [], BEGIN_S
    for record in records:
        time_s = max(time_s, record.time_s)
        facts += behaviour.persons(record)
    for _ in range(420):
        time_s += 0.1
        facts += behaviour.advance(time_s)
    return facts + behaviour.finish(time_s)


def holding(facts: Iterable[Fact], kind: type[Kind]) -> list[Kind]:
    """What a consumer keeps: the highest revision of each key, unless withdrawn."""
    latest: dict[str, Kind] = {}
    for fact in facts:
        if isinstance(fact, kind):
            assert fact.key not in latest or fact.rev > latest[fact.key].rev, "a consumer would miss this"
            latest[fact.key] = fact
    return [fact for fact in latest.values() if not fact.retracted]


def check(facts: list[Fact]) -> None:
    """In and out alternate, stays follow from them, and counts are the visits'."""
    visits = sorted(holding(facts, Visit), key=lambda visit: visit.time_s)
    last: dict[tuple[str, str], Visit] = {}
    came_s: dict[str, float] = {}
    for visit in visits:
        at = (visit.visitor, visit.entrance)
        before = last.get(at)
        if before is not None and before.direction == visit.direction:
            between = [
                v for v in visits if v.visitor == visit.visitor and before.time_s < v.time_s < visit.time_s
            ]
            assert any(v.direction != visit.direction for v in between), (before, visit)
        last[at] = visit
        if visit.direction == "in":
            came_s[visit.visitor] = visit.time_s
        else:
            came = came_s.get(visit.visitor)
            assert visit.stay_s == (None if came is None else pytest.approx(visit.time_s - came, abs=0.01))
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for fact in holding(facts, Footfall):
        assert 0 <= fact.inferred <= fact.entered + fact.left and min(fact.entered, fact.left) >= 0
        counted[fact.entrance][0] += fact.entered
        counted[fact.entrance][1] += fact.left
    for entrance, (entered, left) in counted.items():
        mine = [visit.direction for visit in visits if visit.entrance == entrance]
        assert (entered, left) == (mine.count("in"), mine.count("out")), entrance


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    people=st.integers(1, 4),
    fps=st.floats(1.0, 15.0),
    uneven=st.sampled_from([0.0, 0.1, 0.6]),
    cameras=st.sampled_from([("one",), ("two",), ("one", "two")]),
    trouble=st.builds(Trouble, *[st.floats(0.0, most) for most in (0.1, 0.1, 0.1, 0.05, 0.02)]),
    plan=st.sampled_from([PLAN, HALVES]),
)
@example(1067, 3, 15.0, 0.6, ("one",), Trouble(0.05, 0.3, 0.05, 0.03, 0.02), PLAN)
def test_in_and_out_alternate_and_counts_are_the_visits(
    seed: int,
    people: int,
    fps: float,
    uneven: float,
    cameras: tuple[str, ...],
    trouble: Trouble,
    plan: FloorPlan,
) -> None:
    rng = random.Random(seed)
    scene = ways(rng, people)
    films = [film(rng, camera, scene, fps, uneven, trouble) for camera in cameras]
    check(told(sorted(itertools.chain(*films), key=lambda record: record.time_s), plan))


def way(
    *waypoints: tuple[float, float, float], times_s: Iterable[float], breaks: float = math.inf
) -> list[PersonsSeen]:
    """One person at the given moments, by a new track from `breaks` on; the camera sees all along."""
    path, seen = list(waypoints), set(times_s)
    records = []
    for time_s in sorted(seen | {number / 2 for number in range(80)}):
        at = place(path, time_s) if time_s in seen else None
        people = () if at is None else (person(1 + (time_s >= breaks), *at),)
        records.append(PersonsSeen("one", round(1000 * time_s), BEGIN_S + time_s, people))
    return records


def test_a_person_lost_just_after_they_appeared_counts_once_when_found_beyond_the_line() -> None:
    """Seen twice within half a second, walking in; five seconds later they are inside.

    How they began was not judged yet when their end was: the count of the one stands for the other.
    """
    records = way((5.0, 0.0, -0.9), (9.0, 0.0, 3.9), times_s=[5.1, 5.35, 8.9])
    facts = told([*records, *way((41.0, 0.0, 4.0), (60.0, 0.0, 4.0), times_s=())])
    assert [visit.direction for visit in holding(facts, Visit)] == ["in"]
    check(facts)


@pytest.mark.parametrize("fps", [1.0, 2.0, 15.0])
def test_someone_who_comes_in_twice_and_was_not_seen_to_leave_is_two_visitors(fps: float) -> None:
    """In by the door, out past its end, and in again: both times count, for one visitor each."""
    path = [(1.0, 0.0, -4.0), (6.0, 0.0, 2.0), (8.0, 3.5, 2.0)]
    path += [(11.0, 3.5, -3.0), (14.0, 0.0, -3.0), (19.0, 0.0, 4.0)]
    facts = told(
        PersonsSeen("one", number, BEGIN_S + number / fps, () if at is None else (person(1, *at),))
        for number in range(int(24 * fps))
        for at in [place(path, number / fps)]
    )
    visits = holding(facts, Visit)
    assert [visit.direction for visit in visits] == ["in", "in"]
    assert len({visit.visitor for visit in visits}) == 2
    check(facts)


def at_the_door(counter: EntranceCounter, *places: tuple[float, float], person: int = 1) -> list[Crossing]:
    """A person at moments (seconds) and depths (metres inside), before the middle of the door."""
    return counter.observe(
        TrackPoint(person, ("one", person), Position(BEGIN_S + time_s, 0.0, y_m), True)
        for time_s, y_m in places
    )


def watched() -> CoverageMeter:
    cover = CoverageMeter(("one",), BEGIN_S, 600.0)
    for tenth in range(300):
        cover.frame("one", BEGIN_S + tenth / 10)
    return cover


def test_how_a_track_came_to_its_side_is_told_by_where_it_met_the_line_then() -> None:
    """Out in the first fifth of a second, and on the way in again before that was judged."""
    counter = EntranceCounter(DOOR, watched())
    found = at_the_door(counter, (7.735, 0.13), (7.937, -0.52), (8.927, 0.49), (9.0, 0.56), (9.5, 1.0))
    assert [(c.direction, round(c.time_s - BEGIN_S, 2)) for c in found] == [("out", 7.78), ("in", 8.45)]


def test_an_inferred_crossing_lies_before_the_moment_the_walker_was_found_beyond_the_line() -> None:
    """Lost on the way out and expected at the line half a second later; found outside before that."""
    counter = EntranceCounter(DOOR, watched())
    at_the_door(counter, *((5.0 + tenth / 10, 2.0 - tenth / 10) for tenth in range(16)))
    (guess,) = counter.advance(BEGIN_S + 10.0)
    assert guess.inferred and guess.time_s - BEGIN_S == pytest.approx(7.0, abs=0.05)
    back, corrected = at_the_door(counter, (6.7, -0.6))
    assert back == replace(guess, retracted=True)
    assert (corrected.direction, corrected.time_s < BEGIN_S + 6.7) == ("out", True)
    (came,) = at_the_door(counter, (6.95, 0.6))
    assert came.direction == "in" and came.time_s > corrected.time_s


def test_tracks_found_to_be_exchanged_give_what_was_counted_to_whom_it_belongs() -> None:
    """Two are inside; one goes out, on the other's track. The other then leaves as well, an hour later."""
    counter = EntranceCounter(DOOR, CoverageMeter(("one",), BEGIN_S, 600.0))
    book = VisitBook(VisitorIds(tokens(), PLAN.timezone, 12.0))
    ways_in = at_the_door(counter, (0, -2), (1, 2)) + at_the_door(counter, (10, -2), (11, 2), person=2)
    facts = [book.add(crossing) for crossing in ways_in]
    facts += [book.add(crossing) for crossing in at_the_door(counter, (20, 2), (21, -2))]
    switched = counter.undo_id_switch(1, 2, BEGIN_S + 19.0)
    facts += [book.add(crossing) for crossing in switched]
    assert sorted((c.person, c.direction, c.retracted) for c in switched) == [
        (1, "out", True),
        (2, "out", False),
    ]
    facts += [book.add(crossing) for crossing in at_the_door(counter, (3600, 2), (3601, -2))]
    facts += book.corrected()
    assert {(v.visitor, v.direction, v.stay_s) for v in holding(facts, Visit)} == {
        ("v1", "in", None),
        ("v2", "in", None),
        ("v2", "out", 10.0),
        ("v1", "out", 3600.0),
    }


def test_who_walked_out_on_another_s_track_is_told_once_the_two_are_apart() -> None:
    """They pass each other just inside the door, one on the way out, and the tracker switches them."""
    leaves = [(1.0, -1.0, -3.0), (4.0, -1.0, 2.5), (7.5, -1.6, 2.12), (9.0, 0.0, 0.46), (13.0, 4.26, -3.98)]
    stays = [(2.0, 1.0, -3.0), (5.0, 1.0, 1.5), (7.5, 1.52, 0.66), (9.0, 0.0, 0.66), (13.0, -4.05, 0.66)]
    stays.append((24.0, -4.05, 4.0))
    records = []
    for number in range(250):
        time_s = number / 10
        tracks = (1, 2) if time_s < 8.85 else (2, 1)
        at = zip(tracks, (place(leaves, time_s), place(stays, time_s)), strict=True)
        people = tuple(person(track, *spot) for track, spot in at if spot is not None)
        records.append(PersonsSeen("one", number, BEGIN_S + time_s, people))
    facts = told(records)
    first, second = (v for v in holding(facts, Visit) if v.direction == "in")
    (gone,) = [visit for visit in holding(facts, Visit) if visit.direction == "out"]
    (withdrawn,) = [fact for fact in facts if isinstance(fact, Visit) and fact.retracted]
    assert first.time_s < second.time_s
    assert (gone.visitor, withdrawn.visitor) == (first.visitor, second.visitor)
    assert gone.stay_s == pytest.approx(gone.time_s - first.time_s, abs=0.01)
    check(facts)


def test_a_withdrawn_visit_that_leaves_a_contradiction_parts_the_visitor() -> None:
    """In by A, out by B, in by A again; then the going out turns out not to have been."""
    book = VisitBook(VisitorIds(tokens(), PLAN.timezone, 12.0))
    out = Crossing("B", 1, "out", BEGIN_S + 10.0, inferred=True)
    facts = [book.add(Crossing("A", 1, "in", BEGIN_S)), book.add(out)]
    facts.append(book.add(Crossing("A", 1, "in", BEGIN_S + 20.0)))
    facts.append(book.add(Crossing("A", 1, "out", BEGIN_S + 50.0)))
    facts.append(book.add(replace(out, retracted=True)))
    facts += book.corrected()
    facts.append(book.add(Crossing("A", 1, "in", BEGIN_S + 60.0)))
    visits = holding(facts, Visit)
    by = {visit.time_s - BEGIN_S: (visit.visitor, visit.direction, visit.stay_s) for visit in visits}
    assert by == {
        0.0: ("v1", "in", None),
        20.0: ("v2", "in", None),
        50.0: ("v2", "out", 30.0),
        60.0: ("v2", "in", None),
    }


def test_a_crossing_told_once_more_after_it_was_withdrawn_has_a_higher_revision() -> None:
    book = VisitBook(VisitorIds(tokens(), PLAN.timezone, 12.0))
    crossing = Crossing("A", 1, "in", BEGIN_S)
    told = [book.add(crossing), book.add(replace(crossing, retracted=True)), book.add(crossing)]
    assert [(visit.rev, visit.retracted) for visit in told] == [(0, False), (1, True), (2, False)]
    assert len({visit.key for visit in told}) == 1
