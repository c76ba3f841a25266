"""Pictures into inputs and boxes back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.inference.preprocess import PAD_VALUE, Canvas, placement, tight_input


def gradient(width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack((columns % 256, rows % 256, (columns + rows) % 256), 2).astype(np.uint8)


def test_a_picture_is_laid_into_the_buffer_itself_at_the_top_left() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    Canvas(pixels, "corner").letterbox(gradient(128, 64))
    assert np.array_equal(pixels[:32], cv2.resize(gradient(128, 64), (64, 32)))
    assert (pixels[32:] == PAD_VALUE).all()


def test_a_centred_picture_has_grey_on_both_sides() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    Canvas(pixels, "centre").letterbox(np.full((64, 128, 3), 7, np.uint8))
    assert (pixels[16:48] == 7).all()
    assert (pixels[:16] == PAD_VALUE).all()
    assert (pixels[48:] == PAD_VALUE).all()


def test_a_stretched_picture_fills_the_input() -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    Canvas(pixels, "stretch").letterbox(np.full((100, 100, 3), 9, np.uint8))
    assert (pixels == 9).all()


def test_a_picture_of_another_size_leaves_nothing_of_the_one_before() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    canvas = Canvas(pixels, "corner")
    canvas.letterbox(np.full((64, 64, 3), 250, np.uint8))
    canvas.letterbox(np.full((64, 128, 3), 7, np.uint8))
    assert (pixels[:32] == 7).all()
    assert (pixels[32:] == PAD_VALUE).all()


def test_a_picture_of_the_inputs_own_size_is_copied_as_it_is() -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    Canvas(pixels, "corner").letterbox(gradient(64, 48))
    assert np.array_equal(pixels, gradient(64, 48))


@pytest.mark.parametrize("fit", ["corner", "centre", "stretch"])
def test_boxes_find_their_way_back_to_the_picture(fit: str) -> None:
    placed = placement((768, 576), (416, 416), fit)
    box = np.array([[100, 50, 300, 400]], np.float32)
    scale, offset = np.array(placed.scale_xy * 2), np.array(placed.offset_xy * 2)
    inside = (box * scale + offset).astype(np.float32)
    assert placed.to_image(inside, 768, 576)[0] == pytest.approx(box[0], abs=1e-3)


def test_boxes_are_cut_at_the_pictures_edge() -> None:
    placed = placement((64, 64), (64, 64), "corner")
    assert placed.to_image(np.array([[-5, -5, 70, 20]], np.float32), 64, 64).tolist() == [[0, 0, 64, 20]]


@pytest.mark.parametrize(
    ("picture", "long_side", "expected"),
    [
        ((768, 576), 416, (416, 320)),
        ((1920, 1080), 416, (416, 256)),
        ((1080, 1920), 416, (256, 416)),
        ((640, 640), 416, (416, 416)),
        ((4000, 10), 416, (416, 32)),
    ],
)
def test_the_input_is_as_tight_as_the_picture(
    picture: tuple[int, int], long_side: int, expected: tuple[int, int]
) -> None:
    assert tight_input(picture, long_side) == expected
