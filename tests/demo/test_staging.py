"""From a scene to store.yaml, a scenario and paths: the same truth on the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import yaml

from contract.facts import Dwell, Visit
from engines.scene.optics import View
from engines.scene.reading import load_scene
from engines.scene.truth import Passage, Stay, courses, handled
from rfid_reader.simulator.offline import write_simulated_reads
from rfid_reader.simulator.scenarios.files import load_scenario
from runtime.config import load
from runtime.demo.boutique.score import count, identities, stays
from runtime.demo.boutique.show import next_turn
from runtime.demo.boutique.store import SCENE, Boutique
from runtime.demo.score import Paths
from runtime.demo.staging import floor_map, plan_point, scenario_of, store_of, write_paths


@pytest.fixture(scope="module")
def boutique() -> Boutique:
    return Boutique.shipped()


def test_films_ship_and_are_small(boutique: Boutique) -> None:
    assert len(boutique.films) == 3
    assert sum(film.stat().st_size for film in boutique.films.values()) <= 8_000_000


def test_the_store_that_is_written_can_be_loaded(boutique: Boutique, tmp_path: Path) -> None:
    uris = {name: f"file:{film}" for name, film in boutique.films.items()}
    store = store_of(boutique.scene, uris)
    store["uplink"] = {"host": "127.0.0.1", "port": 1883, "trust_broker": True}
    store["state_dir"] = str(tmp_path)
    (tmp_path / "store.yaml").write_text(yaml.safe_dump(store))
    config = load(tmp_path / "store.yaml")
    assert [camera.name for camera in config.cameras] == ["door", "window", "corner"]
    assert [zone.name for zone in config.zones] == ["shirts", "coats", "dresses", "till"]


def test_a_cameras_map_gives_the_plan_of_what_it_sees() -> None:
    scene = load_scene(SCENE)
    for camera in scene.cameras:
        view = View.of(camera)
        floor = view.floor(np.array([[200.0, 250.0], [320.0, 300.0], [420.0, 260.0]]))
        plan = floor_map(scene, camera).to_floor(view.project(np.column_stack([floor, np.zeros(3)])))
        assert np.allclose(plan, [plan_point(scene, point) for point in floor.tolist()], atol=0.05)


def test_the_simulated_reader_plays_what_hands_do_in_every_turn(tmp_path: Path) -> None:
    scene = load_scene(SCENE)
    everybody = courses(scene)
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario_of(scene, everybody)))
    played: list[tuple[str, str | None, float]] = []
    write_simulated_reads(
        load_scenario(tmp_path / "scenario.yaml"),
        tmp_path / "reads.csv",
        2 * scene.seconds,
        0.0,
        None,
        lambda flip, _: played.append((flip.epc, flip.person, flip.start_s)),
    )
    once = [(one.epc, one.person, one.start_s) for one in handled(scene, everybody)]
    again = [(epc, person, start_s + scene.seconds) for epc, person, start_s in once]
    for found, true in zip(sorted(played), sorted(once + again), strict=True):
        assert found[:2] == true[:2]
        assert found[2] == pytest.approx(true[2], abs=0.01)
    assert len(once) == 8


def test_paths_have_everybody_where_the_scene_has_them(tmp_path: Path) -> None:
    scene = load_scene(SCENE)
    everybody = courses(scene)
    write_paths(scene, everybody, tmp_path / "paths.csv")
    at = Paths(tmp_path / "paths.csv", scene.seconds).at(30.1)
    for course in everybody:
        standing = course.at(30.1)
        assert standing is not None
        assert np.allclose(at[course.person.name], plan_point(scene, standing.xy_m), atol=0.05)


def visit(visitor: str, direction: Literal["in", "out"], time_s: float) -> Visit:
    key = f"{visitor} {direction}"
    return Visit(key=key, time_s=time_s, visitor=visitor, direction=direction, entrance="door")


TRUTH = [
    Passage("ana", "door", "in", 5.0),
    Passage("ben", "door", "in", 9.0),
    Passage("ana", "door", "out", 30.0),
    Passage("ben", "door", "out", 33.0),
]


def test_counts_are_exact_only_if_both_ways_are() -> None:
    visits = [
        visit("v1", "in", 105.2),
        visit("v2", "in", 109.4),
        visit("v1", "out", 130.0),
        visit("v2", "out", 133.2),
    ]
    assert count(visits, TRUTH, 100.0).exact
    assert count(visits, TRUTH, 100.0).moment_error_s == pytest.approx(0.2)
    assert not count(visits[:3], TRUTH, 100.0).exact


def test_who_leaves_under_another_id_was_lost_on_the_way() -> None:
    kept = [
        visit("v1", "in", 105.0),
        visit("v2", "in", 109.0),
        visit("v1", "out", 130.0),
        visit("v3", "out", 133.0),
    ]
    assert (identities(kept, TRUTH, 100.0).people, identities(kept, TRUTH, 100.0).kept) == (2, 1)
    swapped = [
        visit("v1", "in", 105.0),
        visit("v2", "in", 109.0),
        visit("v2", "out", 130.0),
        visit("v1", "out", 133.0),
    ]
    assert (identities(swapped, TRUTH, 100.0).kept, identities(swapped, TRUTH, 100.0).shared) == (0, 2)


def dwell(zone: str, enter_s: float, leave_s: float) -> Dwell:
    return Dwell(
        key=f"{zone}{enter_s}",
        time_s=leave_s,
        visitor="v",
        zone=zone,
        enter_s=enter_s,
        leave_s=leave_s,
        dwell_s=leave_s - enter_s,
    )


def test_a_stay_is_found_by_zone_and_time() -> None:
    truth = [
        Stay("ana", "shirts", 10.0, 30.0),
        Stay("ben", "coats", 12.0, 40.0),
        Stay("ben", "shirts", 8.0, 9.0),
    ]
    found = stays(
        [dwell("shirts", 111.0, 129.0), dwell("shirts", 150.0, 160.0), dwell("coats", 130.0, 138.0)],
        truth,
        100.0,
    )
    assert (found.true, found.found, found.other) == (2, 1, 2)
    assert found.dwell_error_s == pytest.approx(2.0)
    assert found.seconds == {"coats": (28.0, 8.0), "shirts": (20.0, 28.0)}


def test_the_films_next_beginning_is_waited_for() -> None:
    assert next_turn(100.0, 60.0, 99.0) == 100.0
    assert next_turn(100.0, 60.0, 131.0) == 160.0
