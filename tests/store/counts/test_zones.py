from __future__ import annotations

import itertools

import pytest

from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.zones import UNSEEN_S, ZoneChange, ZoneKeeper
from runtime.store.floorplan import FloorZone
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position

SHOES = FloorZone("shoes", ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)))
HATS = FloorZone("hats", ((6.0, 0.0), (10.0, 0.0), (10.0, 4.0), (6.0, 4.0)))


def points(*path: tuple[float, float, float], person: int = 1, fps: float = 10.0) -> list[TrackPoint]:
    """A walk through waypoints (time_s, x_m, y_m)."""
    made = []
    for (t0, x0, y0), (t1, x1, y1) in itertools.pairwise(path):
        count = round((t1 - t0) * fps)
        for k in range(count):
            share = k / count
            position = Position(t0 + (t1 - t0) * share, x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
            made.append(TrackPoint(person, ("cam", person), position, True))
    return made


def keeper_of(*zones: FloorZone) -> ZoneKeeper:
    """A keeper whose camera looks on until someone asks, whatever it sees."""
    return ZoneKeeper(zones, CoverageMeter((), 0.0, 60.0))


def run(keeper: ZoneKeeper, path: list[TrackPoint]) -> list[ZoneChange]:
    return [change for point in path for change in keeper.observe([point])]


def test_a_stay_runs_from_the_first_to_the_last_moment_inside() -> None:
    keeper = keeper_of(SHOES)
    entered, left = run(keeper, points((0, -2, 2), (2, 0, 2), (5, 2, 2), (8, 4, 2), (10, 6, 2)))
    assert (entered.zone, entered.leave_s) == ("shoes", None)
    assert entered.enter_s == pytest.approx(2.0, abs=0.11)
    assert left.leave_s == pytest.approx(8.0, abs=0.11)


def test_cutting_a_corner_is_no_stay() -> None:
    assert run(keeper_of(SHOES), points((0, -1, 0.2), (2, 0.3, -1.5))) == []


def test_swaying_on_the_edge_is_one_stay() -> None:
    sway = [(3.0 + k, 4.0 + 0.3 * (-1) ** k, 2.0) for k in range(10)]
    changes = run(keeper_of(SHOES), points((0, 1, 2), *sway, (14, 9, 2)))
    assert [change.leave_s is None for change in changes] == [True, False]


def test_someone_out_of_sight_left_when_they_were_last_inside() -> None:
    keeper = keeper_of(SHOES)
    run(keeper, points((0, 1, 1), (5, 2, 2)))
    assert keeper.advance(5.0 + UNSEEN_S - 0.5) == []
    (left,) = keeper.advance(5.0 + UNSEEN_S + 0.5)
    assert left.leave_s == pytest.approx(4.9)


def test_a_cut_ends_the_stay_there_and_begins_another() -> None:
    keeper = keeper_of(SHOES)
    run(keeper, points((0, 1, 1), (5, 2, 2)))
    (cut,) = keeper.cut(4.0)
    assert (cut.enter_s, cut.leave_s) == (0.0, 4.0)
    (left,) = keeper.advance(60.0)
    assert left.enter_s == 4.0


def test_two_zones_and_two_people_do_not_mix() -> None:
    keeper = keeper_of(SHOES, HATS)
    run(keeper, points((0, 1, 1), (3, 2, 2)))
    run(keeper, points((0, 7, 1), (3, 8, 2), person=2))
    assert (keeper.present("shoes"), keeper.present("hats")) == ([1], [2])
