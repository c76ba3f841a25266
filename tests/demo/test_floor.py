from __future__ import annotations

import cv2
import numpy as np
import pytest

from contract.facts import Cell, Heatmap
from runtime.config import StoreConfig, image_to_floor, load
from runtime.demo.drawing import floor
from runtime.demo.drawing.floor import (
    PAPER,
    Plan,
    cell_seconds,
    draw_heat,
    from_above,
    heat_picture,
    scale_ticks,
)
from runtime.demo.plaza import STORE

GREY = np.full((576, 768, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def plaza() -> StoreConfig:
    return load(STORE, clips_needed=False)


def heatmap(*cells: Cell) -> Heatmap:
    return Heatmap(
        key="h", time_s=1.0, start_s=0.0, end_s=1.0, zones={}, cells=cells, origin_m=(-20.0, -8.5), cell_m=0.5
    )  # fmt: skip


def test_what_the_camera_sees_lies_where_the_plan_says(plaza: StoreConfig) -> None:
    """A mark at a rack's foot in the camera's picture is at that rack from above, and nowhere else."""
    floor_map = image_to_floor(plaza.cameras[0], (768, 576))
    assert floor_map is not None
    plan = Plan(plaza.floor.extent())
    for fixture in plaza.fixtures:
        seen = GREY.copy()
        u, v = floor_map.to_image(np.array([fixture.centre()]))[0]
        cv2.circle(seen, (round(u), round(v)), 3, (0, 0, 255), -1)
        above = from_above(seen, floor_map, plan).astype(int)
        red = np.argwhere(above[..., 2] - above[..., 0] > 60)
        assert np.abs(red.mean(axis=0)[::-1] - plan.px(fixture.centre())).max() < 6


def test_the_plan_is_not_a_mirror_image(plaza: StoreConfig) -> None:
    """Walking round the floor's corner clockwise from above is clockwise for the camera too."""
    floor_map = image_to_floor(plaza.cameras[0], (768, 576))
    assert floor_map is not None
    triangle = np.array([(-8.0, 6.0), (-6.0, 6.0), (-6.0, 8.0)])
    plan = Plan(plaza.floor.extent())
    turns = []
    for corners in (np.array([plan.px((x, y)) for x, y in triangle]), floor_map.to_image(triangle)):
        (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
        turns.append(np.sign(ax * by - ay * bx))
    assert turns[0] == turns[1]


def test_person_seconds_of_all_intervals_add_up_by_cell(plaza: StoreConfig) -> None:
    cells = cell_seconds([heatmap(Cell(3, 2, 1.5)), heatmap(Cell(3, 2, 0.5), Cell(0, 0, 1.0))], plaza)
    assert cells.shape == (51, 56)
    assert (cells[2, 3], cells[0, 0], cells.sum()) == (2.0, 1.0, 3.0)


def test_a_cell_has_the_colour_that_the_scale_gives_its_person_seconds(plaza: StoreConfig) -> None:
    cells = np.zeros((10, 10))
    cells[4, 6], cells[7, 2] = 7.0, 3.5
    picture = np.full((360, 360, 3), PAPER, np.uint8)
    draw_heat(picture, cells)
    floor_map = image_to_floor(plaza.cameras[0], (768, 576))
    assert floor_map is not None
    whole = heat_picture(GREY, floor_map, plaza, [heatmap(Cell(20, 30, 7.0))])
    scale = whole[whole.shape[0] - floor.LEGEND_PX - floor.SCALE_PX + 18, 24 : 24 + 420].astype(int)
    for (row, column), share in (((4, 6), 1.0), ((7, 2), 0.5)):
        colour = picture[row * 36 + 18, column * 36 + 18].astype(int)
        nearest = np.abs(scale - colour).sum(axis=1).argmin()
        assert nearest / 419 == pytest.approx(share**floor.HEAT_GAMMA, abs=0.04)
    assert (picture[20, 20] == PAPER).all()


@pytest.mark.parametrize(
    ("warmest", "ticks"),
    [(3.1, [0, 0.5, 1, 2, 3.1]), (6.0, [0, 1, 2, 5, 6]), (100.0, [0, 10, 20, 50, 100]), (0.0, [])],
)
def test_a_scale_names_round_values_and_its_ends(warmest: float, ticks: list[float]) -> None:
    assert scale_ticks(warmest) == pytest.approx(ticks)


def test_an_evening_with_nobody_there_is_drawn_too(plaza: StoreConfig) -> None:
    floor_map = image_to_floor(plaza.cameras[0], (768, 576))
    assert floor_map is not None
    assert heat_picture(GREY, floor_map, plaza, []).std() > 10


@pytest.mark.parametrize("text", ["promenade", "east walk", "a rather longer name of a zone"])
def test_letters_are_written_once_on_a_plate_that_is_as_wide_as_they_are(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """An outline of letters in another weight is of another width in OpenCV 5: ghosts beside the letters."""
    written = []
    put_text = cv2.putText

    def noted(image: np.ndarray, text: str, at: tuple[int, int], *rest: int) -> object:
        written.append((text, at))
        return put_text(image, text, at, *rest)

    monkeypatch.setattr(cv2, "putText", noted)
    picture = np.zeros((80, 400, 3), np.uint8)
    floor._label(picture, text, (20, 40), (0, 0, 255))
    assert written == [(text, (20, 40))]
    columns = np.flatnonzero(picture.any(axis=(0, 2)))
    letters = np.flatnonzero(
        (np.abs(picture.astype(int)[..., 2] - picture.astype(int)[..., 0]) > 40).any(axis=0)
    )
    assert 0 <= letters[0] - columns[0] <= 8
    assert 0 <= columns[-1] - letters[-1] <= 8
