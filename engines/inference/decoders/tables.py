"""Outputs that are a table: a row (or a column) a candidate, whose box stands in it as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.errors import DecoderError
from engines.inference.decoders.grids import LEVELS, Shapes, one, strides_for
from engines.inference.decoders.scene import (
    Array,
    CandidateBoxes,
    DecoderInput,
    as_shares,
    boxes_of,
    scores_of,
)

MIN_ROWS, MAX_ROWS = 10, 5_000
"""Of lists that the network itself has cut to its best candidates."""
ANCHORS = 3
"""Candidates a cell of networks with anchors."""
MAX_COLUMNS = 2_000
MASKS = 32
"""Columns behind the classes that weigh a segmentation network's masks, where it has such."""


def _picked(rows: Array, scores: Array, scene: DecoderInput) -> CandidateBoxes:
    chosen = np.flatnonzero(scores >= scene.least_score)
    return CandidateBoxes(boxes_of(rows[chosen, :4], scene), scores[chosen])


def decode_yolov8(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Boxes in the columns: centre x, centre y, width, height, then the classes."""
    table = outputs[0][0].T
    return _picked(table, scores_of(table[:, 4:], scene), scene)


def decode_rows(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """As YOLOv8, but boxes in the rows."""
    table = outputs[0][0]
    return _picked(table, scores_of(table[:, 4:], scene), scene)


def decode_objectness(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Boxes in the rows, each with objectness, then the classes; the score is their product."""
    table = outputs[0][0]
    return _picked(table, as_shares(table[:, 4], scene) * scores_of(table[:, 5:], scene), scene)


def decode_objectness_columns(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """The same with boxes in the columns."""
    return decode_objectness([outputs[0].transpose(0, 2, 1), *outputs[1:]], scene)


def decode_end2end(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Four numbers of a box, then score and class (or class and score, by the meaning's roles)."""
    rows = outputs[0].reshape(-1, outputs[0].shape[-1])
    score, label = (5, 4) if scene.meaning.roles[:1] == ("labels",) else (4, 5)
    check_labels(rows[:, label])
    rows = rows[np.round(rows[:, label]) == scene.person_class]
    return _picked(rows, as_shares(rows[:, score], scene), scene)


def decode_ssd(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Rows of image, label, score, left, top, right, bottom; the list ends at the first image below 0."""
    rows = outputs[0].reshape(-1, 7)
    ends = np.flatnonzero(rows[:, 0] < 0)
    rows = rows[: ends[0]] if len(ends) else rows
    rows = rows[(rows[:, 1] == scene.person_class) & (rows[:, 2] >= scene.least_score)]
    return CandidateBoxes(boxes_of(rows[:, 3:], scene), rows[:, 2].copy())


def decode_batched(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Rows of image, left, top, right, bottom, class, score, as YOLOv7 exports with suppression in it."""
    rows = outputs[0].reshape(-1, 7)
    check_labels(rows[:, 5])
    rows = rows[np.round(rows[:, 5]) == scene.person_class]
    return _picked(rows[:, 1:5], as_shares(rows[:, 6], scene), scene)


def check_labels(labels: Array) -> None:
    """Raises DecoderError for numbers that number no classes."""
    if not np.array_equal(labels, np.round(labels)):
        raise DecoderError("where the classes should be, there are no whole numbers")


def is_yolov8(shapes: Shapes, width: int, height: int) -> bool:
    """Four numbers and the classes down, cells across; perhaps the masks' planes as a second output."""
    shape = _with_masks(shapes)
    return shape is not None and (shape[1] or 0) >= 5 and strides_for(shape[2], width, height) == LEVELS[0]


def is_yolov8_rows(shapes: Shapes, width: int, height: int) -> bool:
    """The same with cells down."""
    shape = _with_masks(shapes)
    return shape is not None and (shape[2] or 0) >= 5 and strides_for(shape[1], width, height) == LEVELS[0]


def is_rtdetr(shapes: Shapes, width: int, height: int) -> bool:
    """A short list of boxes, each with all its classes."""
    shape = one(shapes, 3)
    return shape is not None and _listed(shape[1]) and 5 <= (shape[2] or 0) <= MAX_COLUMNS


def is_yolox_decoded(shapes: Shapes, width: int, height: int) -> bool:
    """A row a cell."""
    shape = one(shapes, 3)
    return shape is not None and (shape[2] or 0) >= 6 and strides_for(shape[1], width, height) == LEVELS[0]


def is_yolov5(shapes: Shapes, width: int, height: int) -> bool:
    """Three rows a cell; perhaps the masks' planes as a second output."""
    shape = _with_masks(shapes)
    if shape is None or (shape[2] or 0) < 6 or not shape[1] or shape[1] % ANCHORS:
        return False
    return strides_for(shape[1] // ANCHORS, width, height) is not None


def is_objectness_columns(shapes: Shapes, width: int, height: int) -> bool:
    """A column a cell, or three of them."""
    shape = _with_masks(shapes)
    if shape is None or (shape[1] or 0) < 6 or not shape[2]:
        return False
    counts = [shape[2], *([shape[2] // ANCHORS] if shape[2] % ANCHORS == 0 else [])]
    return any(strides_for(count, width, height) is not None for count in counts)


def is_end2end(shapes: Shapes, width: int, height: int) -> bool:
    """A list of six numbers, or of six and what weighs masks."""
    shape = _with_masks(shapes)
    if shape is None:
        shape = one(shapes, 2)
        return shape is not None and shape[1] == 6
    return shape[2] == 6 or (len(shapes) == 2 and shape[2] == 6 + MASKS)


def is_ssd(shapes: Shapes, width: int, height: int) -> bool:
    """A list of seven numbers in four dimensions."""
    shape = one(shapes, 4)
    return shape is not None and shape[:2] == (1, 1) and shape[3] == 7


def is_batched(shapes: Shapes, width: int, height: int) -> bool:
    """A list of seven numbers in two dimensions."""
    shape = one(shapes, 2)
    return shape is not None and shape[1] == 7


def _with_masks(shapes: Shapes) -> tuple[int | None, ...] | None:
    """The table's shape, where it is the only output or the planes of masks are the other."""
    if len(shapes) == 2 and len(shapes[0]) == 3 and len(shapes[1]) == 4 and shapes[1][1] == MASKS:
        return shapes[0]
    return one(shapes, 3)


def _listed(count: int | None) -> bool:
    return count is None or MIN_ROWS <= count <= MAX_ROWS
