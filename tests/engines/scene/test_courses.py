"""Where people, feet and hands are, and what that makes true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engines.scene.courses import GRASP_S, Trajectory
from engines.scene.optics import View
from engines.scene.reading import load_scene
from engines.scene.spec import (
    Door,
    Garments,
    Move,
    Room,
    Scene,
    SceneCamera,
    ScenePerson,
    SceneRack,
    SceneZone,
    Stand,
    Turn,
    Walk,
)
from engines.scene.truth import contacts, courses, handled, kinds, passages, stays
from runtime.demo.boutique.store import SCENE

CAMERA = SceneCamera("a", (0.3, 0.3, 2.8), (5.0, 4.0, 0.8), hfov_deg=95, k1=-0.15, k2=0.02)


def shop(*people: ScenePerson) -> Scene:
    return Scene(
        "shop", 60.0, Room((8.0, 6.0)), [CAMERA], doors=[Door("door", "front", 1.0, 2.5)],
        racks=[SceneRack("shirts", (4.5, 3.0), garments=Garments(12, "e28000"))],
        zones=[SceneZone("middle", [(3, 1), (6, 1), (6, 4), (3, 4)])], people=list(people),
    )  # fmt: skip


ANA = ScenePerson(
    "ana",
    (1.7, -1.5),
    [Walk([(1.7, 1.5), (4.4, 2.4)]), Turn("shirts", 6, 5), Walk([(1.7, 1.5), (1.7, -1.5)])],
    2.0,
)


def test_a_foot_on_the_floor_stands_still() -> None:
    for course in courses(load_scene(SCENE)):
        slid, before = 0.0, course.at(course.start_s)
        for time_s in np.arange(course.start_s + 0.02, course.end_s, 0.02):
            now = course.at(float(time_s))
            assert now is not None and before is not None
            for foot, was in ((now.left, before.left), (now.right, before.right)):
                if foot.lift_m < 1e-4 and was.lift_m < 1e-4:
                    slid = max(slid, float(np.linalg.norm(foot.xy_m - was.xy_m)))
            before = now
        assert slid < 0.01, course.person.name


def test_a_body_neither_jumps_nor_spins_at_once() -> None:
    for course in courses(load_scene(SCENE)):
        before = course.at(course.start_s)
        for time_s in np.arange(course.start_s + 0.05, course.end_s, 0.05):
            now = course.at(float(time_s))
            assert now is not None and before is not None
            assert np.linalg.norm(now.xy_m - before.xy_m) < 0.05 * 1.6
            turn = (now.heading_rad - before.heading_rad + math.pi) % (2 * math.pi) - math.pi
            assert abs(turn) < 0.5
            before = now


def test_a_walk_keeps_its_speed_and_length() -> None:
    course = Trajectory(shop(), ScenePerson("b", (1.0, 1.0), [Walk([(6.0, 1.0)], 1.25)]))
    middle = course.at(course.end_s / 2)
    assert middle is not None
    assert middle.speed_mps == pytest.approx(1.25, abs=0.01)
    last = course.at(course.end_s)
    assert last is not None and np.allclose(last.xy_m, (6.0, 1.0), atol=1e-6)
    assert 5.0 / 1.25 < course.end_s - course.start_s < 5.0 / 1.25 + 2.5


def test_nobody_is_there_before_they_come_and_after_they_went() -> None:
    course = Trajectory(shop(), ANA)
    assert course.at(1.99) is None
    assert course.at(course.end_s + 0.01) is None


def test_who_comes_in_and_goes_out_is_told_once_each() -> None:
    scene = shop(ANA)
    told = passages(scene, courses(scene))
    assert [(one.person, one.direction) for one in told] == [("ana", "in"), ("ana", "out")]


def test_a_way_beside_the_door_is_no_passage() -> None:
    scene = shop(ScenePerson("b", (6.0, -1.0), [Walk([(6.0, 2.0)])]))
    assert passages(scene, courses(scene)) == []


def test_a_turned_garment_is_out_of_its_place_between_the_grasps() -> None:
    scene = shop(ANA)
    everybody = courses(scene)
    (one,) = handled(scene, everybody)
    ((start_s, end_s, _),) = everybody[0].acts()
    assert (one.person, one.garment, one.epc) == ("ana", 6, "e28000000000000000000006")
    assert one.start_s == pytest.approx(start_s + GRASP_S)
    assert one.end_s == pytest.approx(end_s - GRASP_S)
    assert [one.how for one in contacts(scene, everybody)] == ["turn"]


def test_a_stay_lasts_from_the_zones_edge_to_its_edge() -> None:
    scene = shop(ScenePerson("b", (1.0, 2.0), [Walk([(4.0, 2.0)], 1.0), Stand(10), Walk([(1.0, 2.0)], 1.0)]))
    (stay,) = stays(scene, courses(scene))
    assert stay.zone == "middle"
    assert 10 + 2 * 0.9 < stay.leave_s - stay.enter_s < 10 + 2 * 2.5


def test_pixels_and_floor_are_each_others_way_back() -> None:
    view = View.of(CAMERA)
    floor = np.array([[3.0, 2.0], [6.0, 4.5], [1.5, 3.0], [4.0, 1.0]])
    pixels = view.project(np.concatenate([floor, np.zeros((4, 1))], axis=1))
    assert np.allclose(view.floor(pixels), floor, atol=1e-6)


def test_a_barrel_that_folds_back_goes_on_outwards() -> None:
    lens = View.of(SceneCamera("b", (0, 0, 2.0), (3, 0, 0), k1=-0.4)).lens
    radii = np.linspace(0, 6, 400)
    assert (np.diff(lens.bent(radii)) > 0).all()


def test_what_is_behind_the_camera_is_nowhere_in_the_picture() -> None:
    assert np.isnan(View.of(CAMERA).project(np.array([[-3.0, -3.0, 3.0]]))).all()


def test_a_bumped_camera_looks_elsewhere_from_then_on() -> None:
    bumped = SceneCamera("a", (0.3, 0.3, 2.8), (5.0, 4.0, 0.8), moves=[Move(10.0, looks_at=(4.0, 5.0, 0.8))])
    point = np.array([[4.0, 3.0, 0.0]])
    before, after = View.of(bumped, 9.9).project(point), View.of(bumped, 10.0).project(point)
    assert np.linalg.norm(after - before) > 50
    assert np.allclose(before, View.of(SceneCamera("a", (0.3, 0.3, 2.8), (5.0, 4.0, 0.8))).project(point))


def test_groups_of_people_are_told() -> None:
    found = {person.name: kinds(person) for person in load_scene(SCENE).people}
    assert found["kim"] == ["child"]
    assert found["cleo"] == ["headscarf"]
    assert found["dan"] == ["dark"]
    assert found["ana"] == ["adult"]
