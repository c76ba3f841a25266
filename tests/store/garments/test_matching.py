from __future__ import annotations

import numpy as np
import pytest

from bench.vision.matching import SimulatedCrowd, measure
from runtime.store.floorplan import Place
from runtime.store.garments.matching import MAX_TOGETHER, Match, MatchSettings, TagTurned, match, together
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position
from runtime.store.people.paths import RecentPaths

RACK = Place("rack", "fixture", ((5.0, 5.0),))
OTHER = Place("other rack", "fixture", ((5.0, 7.0),))
SETTINGS = MatchSettings()


def stand(
    paths: RecentPaths,
    person: int,
    x_m: float,
    y_m: float,
    span: tuple[float, float] = (0.0, 20.0),
    handling: float | None = None,
    hidden: tuple[float, float] = (-1.0, -1.0),
) -> None:
    for time_s in np.arange(*span, 0.1):
        if not hidden[0] <= time_s < hidden[1]:
            paths.observe(
                [TrackPoint(person, ("cam", person), Position(float(time_s), x_m, y_m, handling), True)]
            )


def turned(
    start_s: float = 9.0, end_s: float = 10.5, place: Place | None = RACK, score: float = 0.9
) -> TagTurned:
    return TagTurned(start_s, end_s, score, place)


def one(paths: RecentPaths, flip: TagTurned | None = None) -> Match:
    return match([flip or turned()], paths, SETTINGS)[0]


def test_the_person_at_the_rack_did_it_and_not_the_one_across_the_aisle() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.4, 5.4)
    stand(paths, 2, 8.0, 5.0)
    found = one(paths)
    assert found.person == 1
    assert found.probability > 0.9
    assert found.evidence is not None
    assert found.evidence.distance_m == pytest.approx(0.57, abs=0.01)


def test_with_nobody_near_the_answer_is_nobody_seen() -> None:
    paths = RecentPaths()
    stand(paths, 1, 9.0, 9.0)
    found = one(paths)
    assert (found.person, found.evidence) == (None, None)
    assert found.probability == found.nobody_probability > 0.9


def test_an_empty_floor_is_nobody_seen_for_sure() -> None:
    assert one(RecentPaths()) == Match(None, 1.0, 1.0, None, 0.0, None)


def test_of_two_people_at_one_rack_none_is_named() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.5, 5.0)
    stand(paths, 2, 4.5, 5.0)
    found = one(paths)
    assert (found.person, found.evidence) == (None, None)
    assert found.runner_up in {1, 2}
    assert 0.45 < found.runner_up_probability < 0.5
    assert found.probability == found.nobody_probability < 0.05


def test_who_stands_at_the_rail_is_named_and_not_who_stands_in_the_aisle() -> None:
    rail = Place("rail", "fixture", ((4.25, 4.75), (5.75, 4.75), (5.75, 5.25), (4.25, 5.25)))
    paths = RecentPaths()
    stand(paths, 1, 5.0, 5.55)
    stand(paths, 2, 5.0, 6.45)
    found = one(paths, turned(place=rail))
    assert found.person == 1
    assert found.probability > 0.8
    far = RecentPaths()
    stand(far, 2, 5.0, 7.3)
    assert one(far, turned(place=rail)).person is None, "two metres from the rail"


def test_someone_who_handles_goods_is_preferred_to_someone_who_only_stands_there() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.5, 5.0, handling=0.1)
    stand(paths, 2, 4.5, 5.0, handling=0.9)
    found = one(paths)
    assert found.person == 2
    assert found.probability > 0.8


def test_someone_who_left_before_did_not_do_it() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.3, 5.0, span=(0.0, 6.0))
    stand(paths, 2, 5.8, 5.0)
    assert one(paths).person == 2


def test_someone_hidden_at_that_moment_is_bridged_and_said_to_be() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.4, 5.0, hidden=(8.0, 11.5))
    found = one(paths)
    assert found.person == 1
    assert found.evidence is not None
    assert found.evidence.bridged


def test_someone_away_for_long_is_not_thought_to_be_there() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.4, 5.0, hidden=(4.0, 16.0))
    assert one(paths).person is None


def test_simultaneous_flips_go_to_different_people() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.0, 6.0)
    stand(paths, 2, 5.0, 7.9)
    first, second = match([turned(place=RACK), turned(place=OTHER)], paths, SETTINGS)
    assert (first.person, second.person) == (1, 2)


def test_a_person_between_two_racks_turns_only_one_tag_at_a_time() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.0, 6.0)
    found = match([turned(place=RACK, score=0.95), turned(place=OTHER, score=0.5)], paths, SETTINGS)
    assert sorted(each.person or 0 for each in found) == [0, 1]


def test_without_a_known_place_everyone_seen_is_as_likely() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.0, 6.0)
    stand(paths, 2, 9.0, 1.0)
    found = one(paths, turned(place=None))
    assert found.evidence is None
    assert found.probability < 0.5


def test_a_doubtful_flip_is_sooner_nobodys() -> None:
    paths = RecentPaths()
    stand(paths, 1, 6.35, 5.0)
    assert one(paths, turned(score=0.2)).nobody_probability > one(paths, turned(score=1.0)).nobody_probability


def test_probabilities_add_up() -> None:
    paths = RecentPaths()
    for person in range(5):
        stand(paths, person, 4.0 + 0.6 * person, 5.3)
    flips = [turned(), turned(9.1, 10.4, OTHER), turned(9.2, 10.6)]
    for found in match(flips, paths, SETTINGS):
        assert 0 < found.probability + found.runner_up_probability <= 1 + 1e-9
        assert found.person is None or found.probability >= found.runner_up_probability


def test_flips_one_after_the_other_are_judged_apart() -> None:
    assert together([(0.0, 2.0), (1.8, 3.5), (0.2, 1.9)]) == [[0, 2], [1]]


def test_groups_of_flips_are_bounded() -> None:
    groups = together([(0.0, 2.0)] * (MAX_TOGETHER + 3))
    assert [len(group) for group in groups] == [MAX_TOGETHER, 3]


def test_a_crowd_is_matched_right_and_the_probability_is_honest() -> None:
    report = measure(SETTINGS, SimulatedCrowd(), scenes=12, seed=2000)
    assert report.right_share >= 0.85
    assert report.named_right_share > report.nearest_named_right_share
    assert report.brier < 0.12
    for claimed, found, count in report.reliability:
        assert abs(claimed - found) < 0.12 + 1.0 / np.sqrt(count)
