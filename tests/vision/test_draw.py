"""Drawing on a camera's picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from runtime.geometry import Homography
from runtime.vision.draw import FLIP_SECONDS, ScenePainter, person_colour
from runtime.vision.pen import FLIP, RIGHT, WRONG

PLAZA = Homography(
    [
        [0.0533237, -0.6022939, 88.2870706],
        [-0.1388754, -0.3985859, 120.0428132],
        [0.000911589, 0.01956270, 1.0],
    ]
)
GREY = np.full((576, 768, 3), 128, np.uint8)


def painter() -> ScenePainter:
    return ScenePainter((768, 576), PLAZA)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.argwhere((before != after).any(axis=2))[:, ::-1]


def test_small_pictures_are_enlarged_and_the_picture_itself_is_left_alone() -> None:
    canvas = painter().canvas(GREY)
    assert canvas.shape == (1152, 1536, 3)
    canvas[:] = 0
    assert (GREY == 128).all()
    large = ScenePainter((1920, 1080))
    assert large.canvas(np.zeros((1080, 1920, 3), np.uint8)).shape == (1080, 1920, 3)


def test_a_rack_is_drawn_where_it_stands_on_the_floor() -> None:
    scene = painter()
    canvas = scene.canvas(GREY)
    blank = canvas.copy()
    scene.rack(canvas, "", [(-7.3, -6.2)])
    centre = PLAZA.to_image([[-7.3, -6.2]])[0] * scene.zoom
    assert np.abs(changed(blank, canvas).mean(axis=0) - centre).max() < 6


@pytest.mark.parametrize("at", [(-7.0, -8.0), (500.0, 500.0), (-7.0, 4000.0)])
def test_anything_can_be_drawn_anywhere(at: tuple[float, float]) -> None:
    scene = painter()
    canvas = scene.canvas(GREY)
    x, y = at
    scene.zone(canvas, "zone", [(x, y), (x + 3, y), (x, y + 3)])
    scene.gate(canvas, "door", ((x, y), (x + 2, y)), (x, y + 1), (3, 2))
    scene.rack(canvas, "rack", [at])
    scene.flip(canvas, at, "coat", 0.2)
    scene.trail(canvas, 4, [at, (x + 1, y)])
    scene.person(canvas, 4, (-50.0, -20.0, 40.0, 90.0), at, "handling")
    scene.panel(canvas, ["12.0 s", "8 in view"])
    assert canvas.shape == (1152, 1536, 3)


def test_a_flip_spreads_and_fades() -> None:
    scene = painter()
    blank = scene.canvas(GREY)
    early, late, over = blank.copy(), blank.copy(), blank.copy()
    scene.flip(early, (-7.0, -8.0), "", 0.1)
    scene.flip(late, (-7.0, -8.0), "", FLIP_SECONDS * 0.9)
    scene.flip(over, (-7.0, -8.0), "", FLIP_SECONDS * 1.01)
    assert np.ptp(changed(blank, early), axis=0)[0] < np.ptp(changed(blank, late), axis=0)[0]
    assert not len(changed(blank, over))


def test_without_a_floor_people_are_drawn_and_the_floor_is_not() -> None:
    scene = ScenePainter((768, 576))
    blank = scene.canvas(GREY)
    canvas = blank.copy()
    scene.zone(canvas, "zone", [(0, 0), (3, 0), (0, 3)])
    assert not len(changed(blank, canvas))
    scene.person(canvas, 1, (300.0, 200.0, 40.0, 90.0), None)
    assert len(changed(blank, canvas))


def test_neighbours_in_number_have_different_colours() -> None:
    colours = [np.array(person_colour(number), float) for number in range(1, 9)]
    gaps = [np.abs(a - b).max() for a, b in itertools.pairwise(colours)]
    assert min(gaps) > 60


def test_a_tick_is_green_and_a_cross_is_red_beside_the_words_of_a_flip() -> None:
    shown = {}
    for right in (None, True, False):
        scene = painter()
        shown[right] = scene.canvas(GREY)
        scene.flip(shown[right], (-7.0, -6.0), "coat turned", 1.0, right)
    for right, colour in ((True, RIGHT), (False, WRONG)):
        marked = (shown[right] == colour).all(axis=2).sum()
        assert marked > 50
        assert (shown[None] == colour).all(axis=2).sum() == 0
        assert (shown[not right] == colour).all(axis=2).sum() == 0


def test_a_line_joins_a_person_to_the_rack() -> None:
    scene = painter()
    canvas = scene.canvas(GREY)
    person, rack = (-9.0, -6.0), (-7.0, -6.0)
    scene.link(canvas, person, rack)
    for share in (0.1, 0.5, 0.9):
        place = np.array([(1 - share) * np.array(person) + share * np.array(rack)])
        u, v = (PLAZA.to_image(place)[0] * scene.zoom).round().astype(int)
        assert (canvas[v, u] == FLIP).all()


def test_a_label_takes_the_place_of_number_and_place_and_none_is_written_where_it_is_empty() -> None:
    scene = painter()
    pictures = []
    for label in (None, "b2a3b3", ""):
        canvas = scene.canvas(GREY)
        scene.person(canvas, 7, (300.0, 200.0, 40.0, 100.0), None, label)
        pictures.append(canvas)
    above = [(picture[: 200 * scene.zoom - 4] != 128).any() for picture in pictures]
    assert above == [True, True, False]
    assert (pictures[0] != pictures[1]).any()
