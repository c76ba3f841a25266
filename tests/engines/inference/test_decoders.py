"""Raw outputs to boxes, worked out by hand for each family."""

from __future__ import annotations

import numpy as np
import pytest

from engines.errors import DecoderError
from engines.inference import decoders
from engines.inference.decoders import DecoderInput, Meaning, cells
from engines.inference.decoders.tables import check_labels

SIZE = 64
CELLS = 84  # 8 x 8 + 4 x 4 + 2 x 2
SCENE = DecoderInput(SIZE, SIZE, person_class=0, least_score=0.5)


def test_ltrb_measures_from_the_middle_of_the_cell() -> None:
    rows = np.zeros((1, CELLS, 5), np.float32)
    rows[0, 8 + 3] = (4, 5, 6, 7, 0.9)  # row 1, column 3 of stride 8: centre (28, 12)
    rows[0, 64 + 5] = (1, 2, 3, 4, 0.4)  # below the least score
    found = decoders.decode_ltrb([rows], SCENE)
    assert found.boxes.tolist() == [[24, 7, 34, 19]]
    assert found.scores.tolist() == [pytest.approx(0.9)]


def test_ltrb_levels_follow_each_other_from_fine_to_coarse() -> None:
    rows = np.zeros((1, CELLS, 5), np.float32)
    rows[0, 64 + 16 + 3] = (8, 8, 8, 8, 0.8)  # last cell of stride 32: centre (48, 48)
    assert decoders.decode_ltrb([rows], SCENE).boxes.tolist() == [[40, 40, 56, 56]]


def test_yolox_adds_the_cell_and_takes_the_exponent_of_the_size() -> None:
    rows = np.zeros((1, CELLS, 7), np.float32)
    rows[0, 64 + 4 + 2] = (0.5, 0.25, np.log(2), np.log(3), 0.9, 0.1, 0.8)  # stride 16, row 1, column 2
    scene = DecoderInput(SIZE, SIZE, person_class=1, least_score=0.5)
    found = decoders.decode_yolox([rows], scene)
    centre, size = (2.5 * 16, 1.25 * 16), (32, 48)
    expected = [
        centre[0] - size[0] / 2,
        centre[1] - size[1] / 2,
        centre[0] + size[0] / 2,
        centre[1] + size[1] / 2,
    ]
    assert found.boxes[0] == pytest.approx(expected, rel=1e-5)
    assert found.scores[0] == pytest.approx(0.72)


def test_yolox_with_an_absurd_size_stays_finite() -> None:
    rows = np.zeros((1, CELLS, 6), np.float32)
    rows[0, 0] = (0, 0, 1e6, 1e6, 1, 1)
    assert np.isfinite(decoders.decode_yolox([rows], SCENE).boxes).all()


def test_yolov8_boxes_lie_in_columns() -> None:
    table = np.zeros((1, 6, CELLS), np.float32)
    table[0, :, 7] = (30, 20, 10, 8, 0.1, 0.7)
    scene = DecoderInput(SIZE, SIZE, person_class=1, least_score=0.5)
    assert decoders.decode_yolov8([table], scene).boxes.tolist() == [[25, 16, 35, 24]]


def nanodet_outputs(strides: tuple[int, ...], cell: int) -> tuple[np.ndarray, np.ndarray]:
    """Class scores and side logits with one person, 2, 3, 4 and 5 strides from its cell's centre."""
    count = len(cells(SIZE, SIZE, strides))
    classes = np.zeros((count, 3), np.float32)
    sides = np.zeros((count, 4, 8), np.float32)
    classes[cell, 0] = 0.9
    for side, strides_away in enumerate((2, 3, 4, 5)):
        sides[cell, side, strides_away] = 50.0
    return classes, sides.reshape(count, 32)


def test_nanodet_takes_the_mean_of_each_sides_distribution() -> None:
    classes, sides = nanodet_outputs((8, 16, 32), cell=9)  # stride 8, row 1, column 1: centre 11.5
    found = decoders.decode_nanodet([classes, sides], SCENE)
    assert found.boxes[0] == pytest.approx([11.5 - 16, 11.5 - 24, 11.5 + 32, 11.5 + 40], abs=1e-3)


def test_nanodet_levels_may_come_as_outputs_of_their_own_in_any_order() -> None:
    classes, sides = nanodet_outputs((8, 16, 32), cell=9)
    levels = np.split(np.arange(CELLS), [64, 80])
    outputs = [classes[levels[2]], sides[levels[0]][None], classes[levels[0]], sides[levels[2]]]
    outputs += [classes[levels[1]], sides[levels[1]]]
    found = decoders.decode_nanodet(outputs, SCENE)
    assert found.boxes[0] == pytest.approx([11.5 - 16, 11.5 - 24, 11.5 + 32, 11.5 + 40], abs=1e-3)


def test_nanodet_plus_has_a_fourth_level_and_corners_for_centres() -> None:
    classes, sides = nanodet_outputs((8, 16, 32, 64), cell=9)
    found = decoders.decode_nanodet([np.concatenate((classes, sides), 1)[None]], SCENE)
    assert found.boxes[0] == pytest.approx([8 - 16, 8 - 24, 8 + 32, 8 + 40], abs=1e-3)


def test_nanodet_without_anybody_gives_no_boxes() -> None:
    classes, sides = nanodet_outputs((8, 16, 32), cell=9)
    assert decoders.decode_nanodet([classes * 0, sides], SCENE).boxes.shape == (0, 4)


def test_fastestdet_weighs_objectness_and_class() -> None:
    planes = np.zeros((1, 7, 4, 4), np.float32)
    planes[0, :, 2, 1] = (0.9, 0.0, 0.0, 0.0, 0.0, 0.1, 0.8)
    scene = DecoderInput(SIZE, SIZE, person_class=1, least_score=0.5)
    found = decoders.decode_fastestdet([planes], scene)
    assert found.boxes[0] == pytest.approx([16 - 16, 32 - 16, 16 + 16, 32 + 16], abs=1e-4)
    assert found.scores[0] == pytest.approx(0.9**0.6 * 0.8**0.4)


@pytest.mark.parametrize("labels", [[], [0], [0, 79, 2], [-1, 0]])
def test_classes_are_whole_numbers(labels: list) -> None:
    check_labels(np.array(labels, np.float32))


@pytest.mark.parametrize("labels", [[0.5], [0, 1, 0.999], [0.0, 1e-3], [np.nan, 0], [np.inf, 0.1]])
def test_what_is_no_whole_number_numbers_no_class(labels: list) -> None:
    with pytest.raises(DecoderError, match="where the classes should be, there are no whole numbers"):
        check_labels(np.array(labels, np.float32))


BOX, SCORE, CLASS = (10, 10, 30, 40), 0.9, 0


@pytest.mark.parametrize(
    ("decoder", "usual", "exchanged"),
    [
        ("end2end", [(*BOX, SCORE, CLASS)], [(*BOX, CLASS, SCORE)]),
        ("batched", (0, *BOX, CLASS, SCORE), (0, *BOX, SCORE, CLASS)),
    ],
)
def test_a_score_in_the_place_of_the_class_is_found_out(decoder: str, usual: tuple, exchanged: tuple) -> None:
    scene = DecoderInput(SIZE, SIZE, 0, 0.5, meaning=decoders.by_name(decoder).usual)
    decode = decoders.by_name(decoder).decode
    found = decode([np.array([usual], np.float32)], scene)
    assert found.scores.tolist() == [pytest.approx(SCORE)]
    with pytest.raises(DecoderError, match="no whole numbers"):
        decode([np.array([exchanged], np.float32)], scene)


def test_a_list_of_scores_for_labels_is_found_out() -> None:
    boxes, scores, labels = (np.array([part], np.float32) for part in ([BOX], [SCORE], [CLASS]))
    decode = decoders.by_name("detections").decode
    right = DecoderInput(
        SIZE, SIZE, 0, 0.5, meaning=Meaning(form="corners", roles=("boxes", "scores", "labels"))
    )
    assert decode([boxes, scores, labels], right).boxes.tolist() == [list(BOX)]
    with pytest.raises(DecoderError, match="no whole numbers"):
        decode([boxes, labels, scores], right)


def test_ssd_rows_end_at_the_first_negative_image() -> None:
    rows = np.zeros((1, 1, 4, 7), np.float32)
    rows[0, 0, 0] = (0, 1, 0.9, 0.25, 0.5, 0.5, 0.75)
    rows[0, 0, 1] = (0, 2, 0.9, 0, 0, 1, 1)  # another label
    rows[0, 0, 2] = (-1, 0, 0, 0, 0, 0, 0)
    rows[0, 0, 3] = (0, 1, 0.9, 0, 0, 1, 1)  # left over from an earlier picture
    scene = DecoderInput(SIZE, SIZE, person_class=1, least_score=0.5, meaning=decoders.by_name("ssd").usual)
    assert decoders.decode_ssd([rows], scene).boxes.tolist() == [[16, 32, 32, 48]]


@pytest.mark.parametrize(
    ("shapes", "size", "name"),
    [
        ([(1, 2730, 5)], (416, 320), "ltrb"),
        ([(1, 3549, 85)], (416, 416), "yolox"),
        ([(1, 3549, 6)], (416, 416), "yolox"),
        ([(1, 84, 8400)], (640, 640), "yolov8"),
        ([(1, 5, 8400)], (640, 640), "yolov8"),
        ([(1, 3598, 112)], (416, 416), "nanodet"),
        ([(1600, 80), (400, 80), (100, 80), (1600, 32), (400, 32), (100, 32)], (320, 320), "nanodet"),
        ([(1, 85, 22, 22)], (352, 352), "fastestdet"),
        ([(1, 1, 200, 7)], (544, 320), "ssd"),
    ],
)
def test_the_decoder_is_known_by_the_outputs_shapes(shapes: list, size: tuple[int, int], name: str) -> None:
    assert decoders.guess(shapes, *size).name == name


@pytest.mark.parametrize(
    ("shapes", "size", "said"),
    [
        ([(1, 1000)], (224, 224), "not those of a detector"),  # a classifier
        ([(1, 25200, 85)], (640, 640), "not those of a detector"),  # three anchors a cell
        ([(1, 84, 84)], (64, 64), "yolox or yolov8"),  # 84 cells, or 80 classes and a box
        ([(1, 3549, 85), (1, 3549, 85)], (416, 416), "not those of a detector"),
    ],
)
def test_unknown_and_ambiguous_outputs_are_refused(shapes: list, size: tuple[int, int], said: str) -> None:
    with pytest.raises(DecoderError, match=said):
        decoders.guess(shapes, *size)


def test_an_unknown_decoder_name_lists_the_known_ones() -> None:
    with pytest.raises(DecoderError, match=r"'yolo'.*ltrb, yolox"):
        decoders.by_name("yolo")
