"""The synthetic shop, drawn by the real renderer; left out where there is no OpenGL without a screen."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from engines.errors import EngineError
from engines.scene.optics import View
from engines.scene.spec import (
    Browse,
    Garments,
    Move,
    PersonLook,
    Prop,
    Room,
    Scene,
    SceneCamera,
    ScenePerson,
    SceneRack,
    Stand,
    Turn,
    Walk,
)
from engines.training.synthetic.filming import Studio, film, read_labels
from engines.training.synthetic.people.parts import parts
from engines.training.synthetic.rays import Triangles, first_hits
from engines.training.synthetic.stage import Stage, kind_of
from engines.training.synthetic.standing import standing_scene
from engines.training.synthetic.sums import frame_sums

CAMERAS = [
    SceneCamera("a", (0.3, 0.3, 2.6), (3.4, 3.0, 0.7), (320, 192), 88.0, -0.12),
    SceneCamera("b", (5.7, 0.3, 2.6), (2.6, 3.0, 0.7), (320, 192), 80.0),
]
SHOP = Scene(
    "small",
    4.0,
    Room((6.0, 5.0)),
    CAMERAS,
    fps=5.0,
    seed=3,
    racks=[SceneRack("shirts", (3.0, 2.6), garments=Garments(8, seed=1))],
    things=[
        Prop("mannequin", (1.2, 4.0), -50, 0.1, seed=2),
        Prop("mirror", (4.5, 4.95), -90),
        Prop("poster", (5.97, 3.0), 180, 1.0),
    ],
    people=[
        ScenePerson("turns", (2.9, 2.05), [Turn("shirts", 5, 4)], look=PersonLook(4)),
        ScenePerson("walks", (1.0, 1.2), [Walk([(5.0, 1.4)], 1.2)], look=PersonLook(9), uses="bag"),
        ScenePerson("child", (3.6, 3.3), [Browse("shirts", 4)], look=PersonLook(7, years=8)),
        ScenePerson("near", (0.9, 0.75), [Stand(4)], look=PersonLook(5), faces=(3, 3)),
        ScenePerson("sits", (4.6, 3.6), [Stand(4)], look=PersonLook(6), faces=(3, 3), uses="wheelchair"),
    ],
)


@cache
def _studio() -> Studio | str:
    try:
        return Studio(SHOP, samples=0)
    except EngineError as error:
        return str(error)


@pytest.fixture
def studio() -> Studio:
    made = _studio()
    if isinstance(made, str):
        pytest.skip(made)
    return made


def test_the_same_frame_has_the_same_bytes(studio: Studio) -> None:
    first = studio.take(3)
    studio.take(0)
    again = Studio(SHOP, samples=0).take(3)
    for one, other in zip(first.shots, again.shots, strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert one.labels == other.labels


def test_a_ray_meets_what_the_id_buffer_says(studio: Studio) -> None:
    from engines.training.synthetic.checking import check_frames, limits

    rows = limits(check_frames(SHOP, 2))
    assert {name for name, *_ in rows} >= {"box error, worst, px", "visible share error, mean"}
    assert [row for row in rows if not row[3]] == []


def test_a_body_across_the_edge_has_a_box_beyond_it_and_says_how_much_is_within(studio: Studio) -> None:
    (near,) = [one for one in studio.take(2).shots[0].labels if one.person == "near"] or [None]
    assert near is not None and near.box is not None
    assert near.box[3] > CAMERAS[0].size[1]
    assert 0.05 < near.within < 0.95
    assert near.visible <= near.within + 0.01


def test_who_stands_behind_a_rack_shows_less_than_alone(studio: Studio) -> None:
    label = {one.person: one for one in studio.take(2).shots[0].labels}["child"]
    assert label.visible < 0.8
    assert label.within == 1.0


def test_labels_tell_hands_and_kinds(studio: Studio) -> None:
    labels = {one.person: one for one in studio.take(10).shots[1].labels}
    assert (labels["turns"].hands_at, labels["turns"].holds, labels["turns"].does) == ("shirts", 5, "turns")
    assert (labels["child"].hands_at, labels["child"].holds) == ("shirts", None)
    assert labels["child"].kinds == ["child"]
    assert labels["sits"].kinds == ["wheelchair"]
    assert labels["walks"].hands_at is None


def test_a_held_garment_leaves_the_rail_with_the_hand(studio: Studio) -> None:
    stage = studio.stage
    hung, held = stage.at(0.0), stage.at(2.0)

    def middle(tableau_meshes: list[object]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        (mesh,) = [
            m
            for m in tableau_meshes
            if len(m.vertices) and kind_of(int(m.vertices[0, 12])) == "hanging clothes"
        ]  # type: ignore[attr-defined]
        return np.asarray(mesh.vertices[:, :3].mean(0), np.float32)  # type: ignore[attr-defined]

    moved = middle(list(held.meshes)) - middle(list(hung.meshes))
    assert moved[1] < -0.1
    actor = next(actor for actor in held.actors if actor.person.name == "turns")
    assert actor.moment.held is not None
    assert min(math.dist(actor.moment.held.at_m, hand) for hand in actor.moment.hands.values()) < 0.05


def test_people_differ_and_a_look_is_one_person() -> None:
    def outline(stage: Stage) -> list[int]:
        return [len(mover.dressed.levels["near"].points) for mover in stage.movers]

    assert outline(Stage(SHOP)) == outline(Stage(SHOP))
    assert len(set(outline(Stage(SHOP)))) > 2


def test_a_child_is_small_and_far_people_have_fewer_triangles() -> None:
    movers = {mover.person.name: mover.dressed for mover in Stage(SHOP).movers}
    assert movers["child"].height_m < 1.45 < movers["turns"].height_m
    for dressed in movers.values():
        assert len(dressed.levels["far"].faces) < 0.5 * len(dressed.levels["near"].faces) < 6500


def test_bodies_are_of_human_size() -> None:
    rng = np.random.default_rng(1)
    grown = [parts().shape(rng, bool(n % 2), 20.0 + n).height_m for n in range(40)]
    children = [parts().shape(rng, bool(n % 2), 6.0).height_m for n in range(10)]
    assert 1.42 <= min(grown) < max(grown) < 2.1
    assert 0.75 < min(children) < max(children) < 1.42


def test_a_film_broken_off_goes_on_where_it_was(studio: Studio, tmp_path: Path) -> None:
    scene = msgspec.structs.replace(SHOP, seconds=6.0, cameras=[CAMERAS[1]], people=SHOP.people[:2])
    said: list[str] = []

    def stop(text: str) -> None:
        said.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film(scene, tmp_path / "broken", samples=0, tell=stop)
    film(scene, tmp_path / "broken", samples=0, tell=said.append)
    film(scene, tmp_path / "whole", samples=0, tell=lambda _: None)
    assert len(said) == 2
    for name in ("b.labels.jsonl", "b.gt.txt"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    sums = [
        msgspec.json.decode((tmp_path / name / "manifest.json").read_bytes())["frames"]
        for name in ("broken", "whole")
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 2
    with av.open(str(tmp_path / "broken/b.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 30
    assert len(list(read_labels(tmp_path / "whole/b.labels.jsonl"))) == 30
    rows = [line.split(",") for line in (tmp_path / "whole/b.gt.txt").read_text().splitlines()]
    assert {row[7] for row in rows} <= {"1", "7"}


def test_a_shop_that_is_shut_is_dark(studio: Studio) -> None:
    shut = Studio(msgspec.structs.replace(SHOP, open_s=[(0.0, 1.0), (3.0, 4.0)]), samples=0)
    day, night, again = (shut.take(frame).shots[0].image for frame in (0, 10, 15))
    assert night.mean() < 0.35 * day.mean()
    assert np.array_equal(again, studio.take(15).shots[0].image)


def test_after_a_bump_mannequins_are_elsewhere_in_the_truth_too(studio: Studio, tmp_path: Path) -> None:
    camera = msgspec.structs.replace(CAMERAS[0], moves=[Move(0.5, looks_at=(2.2, 3.6, 0.7))])
    film(
        msgspec.structs.replace(SHOP, seconds=1.0, cameras=[camera], people=SHOP.people[:1]),
        tmp_path,
        samples=0,
        tell=lambda _: None,
    )
    rows = [line.split(",") for line in (tmp_path / "a.gt.txt").read_text().splitlines()]
    left = {int(row[0]): float(row[2]) for row in rows if row[7] == "7"}
    assert left[1] == left[3]
    assert left[4] == left[5] > left[3] + 20


def test_in_a_crowd_shoulders_touch_and_nobody_stands_in_another() -> None:
    scene = standing_scene(3, 5.0, crowd=10)
    places = np.array([one.start for one in scene.people if one.name.startswith("c")])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(len(places))
    assert len(places) == 10
    assert apart.min() > 0.35
    assert apart.min(axis=1).max() < 0.6
    assert not scene.cameras[0].moves and standing_scene(3, 5.0, bumped=True).cameras[0].moves[0].at_s == 2.5


def test_sums_go_on_where_they_were(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.training.synthetic.sums.PART", 2)
    scene = msgspec.structs.replace(SHOP, cameras=[CAMERAS[1]], people=SHOP.people[:1])
    whole = frame_sums(scene, 5, None, lambda _: None)
    log, drawn = tmp_path / "sums.txt", list[str]()

    def stop(text: str) -> None:
        drawn.append(text)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        frame_sums(scene, 5, log, stop)
    assert frame_sums(scene, 5, log, drawn.append) == whole
    assert [line.split()[0] for line in drawn] == ["2", "4", "4", "5"]
    with pytest.raises(EngineError, match="holds sums of"):
        frame_sums(scene, 6, log, drawn.append)


def test_rays_meet_the_nearest_triangle_and_no_rays_meet_none() -> None:
    corners = np.array([[[2.0, -1, -1], [2, 1, -1], [2, 0, 1]], [[1.0, -1, -1], [1, 1, -1], [1, 0, 1]]])
    walls = Triangles(corners, np.array([7, 8]))
    numbers, far = first_hits(np.zeros(3), np.array([[1.0, 0, 0], [-1.0, 0, 0]]), walls)
    assert numbers.tolist() == [8, -1]
    assert far[0] == pytest.approx(1.0)
    assert len(first_hits(np.zeros(3), np.zeros((0, 3)), walls)[0]) == 0


def test_a_projected_body_lies_in_its_box(studio: Studio) -> None:
    tableau = studio.stage.at(1.0)
    for actor in tableau.actors:
        pixels = View.of(CAMERAS[1], 1.0).project(np.stack(list(actor.moment.joints.values())))
        assert not np.isnan(pixels).any()
