"""Two who pass each other: their numbers are given back where the tracker switched them, and only there."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.people import id_switches
from runtime.store.people.id_switches import IdSwitch, IdSwitches
from runtime.store.people.motion import Position, RecentMotion

DT_S = 0.1


def pass_by(speed: float, side_m: float, *, switched: bool, after: float = 1.0) -> list[IdSwitch]:
    """One walks along x, two against them, `side_m` beside; they meet at x = 0 after three seconds, and walk
    on `after` times as fast."""
    watch, found = IdSwitches(), []
    motions: defaultdict[int, RecentMotion] = defaultdict(RecentMotion)
    for index in range(61):
        time_s = index * DT_S
        way_m = speed * (time_s - 3.0)
        if time_s > 3.0:
            way_m *= after
        places = {1: (way_m, 0.0), 2: (-way_m, side_m)}
        if switched and time_s > 3.0:
            places = {1: places[2], 2: places[1]}
        for number, (x_m, y_m) in places.items():
            motions[number].add(Position(time_s, x_m, y_m))
        found += watch.observe(time_s, motions.keys(), motions)
    return found


@given(st.floats(0.8, 1.8), st.floats(0.1, 0.7))
def test_switched_numbers_are_found_once(speed: float, side_m: float) -> None:
    (found,) = pass_by(speed, side_m, switched=True)
    assert {found.one, found.other} == {1, 2}
    assert 1.0 < found.since_s < 3.0, "since they came together"


@given(st.floats(0.8, 1.8), st.floats(0.1, 0.7))
def test_who_walked_on_is_left_alone(speed: float, side_m: float) -> None:
    assert pass_by(speed, side_m, switched=False) == []


@pytest.mark.parametrize("after", [-1.0, 1.7], ids=["turns back", "hurries on"])
def test_who_is_nowhere_near_where_they_were_expected_is_left_alone(after: float) -> None:
    assert pass_by(1.2, 0.3, switched=True, after=after) == []


def test_who_hardly_moves_is_left_alone() -> None:
    assert pass_by(0.3, 0.3, switched=True) == []


def test_no_more_encounters_are_watched_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_switches, "MAX_ENCOUNTERS", 0)
    assert pass_by(1.2, 0.3, switched=True) == []
