"""Outputs that belong to the cells of a grid: the box is told from where its cell lies.

Cells are counted row by row over the levels, the finest first (strides 8, 16, 32 and perhaps 64).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from engines.errors import DecoderError
from engines.inference.decoders.scene import (
    Array,
    CandidateBoxes,
    DecoderInput,
    as_shares,
    corners,
    scores_of,
)

Shapes = Sequence[tuple[int | None, ...]]

LEVELS = ((8, 16, 32), (8, 16, 32, 64))
"""Strides of the levels that grid-based detectors use."""

MAX_LOG_SIZE = 10.0
"""exp() of anything above is no size of a box; keeps a broken network from overflowing."""

FASTESTDET_STRIDE = 16

SIDE_COLUMNS = (32, 64, 44)
"""4 x (R + 1) for the R that NanoDet models are trained with: 7, seldom 15 or 10."""


@lru_cache(maxsize=16)
def cells(width: int, height: int, strides: tuple[int, ...]) -> Array:
    """Column, row and stride of each cell (A, 3), level by level, row by row."""
    levels = []
    for stride in strides:
        columns, rows = np.meshgrid(np.arange(-(-width // stride)), np.arange(-(-height // stride)))
        levels.append(np.stack((columns.ravel(), rows.ravel(), np.full(columns.size, stride)), 1))
    grid = np.concatenate(levels).astype(np.float32)
    grid.setflags(write=False)
    return grid


def strides_for(count: int | None, width: int, height: int) -> tuple[int, ...] | None:
    """The levels that have that many cells in all for this input, or None."""
    for strides in LEVELS:
        if count == sum(-(-width // stride) * -(-height // stride) for stride in strides):
            return strides
    return None


def _grid_for(count: int, scene: DecoderInput) -> Array:
    strides = strides_for(count, scene.width, scene.height)
    if strides is None:
        raise DecoderError(f"{count} cells fit no set of strides at {scene.width}x{scene.height}")
    return cells(scene.width, scene.height, strides)


def decode_ltrb(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Ours: distances in pixels from ((column + 0.5) stride, (row + 0.5) stride), then the score."""
    rows = outputs[0][0]
    scores = as_shares(rows[:, 4], scene)
    chosen = np.flatnonzero(scores >= scene.least_score)
    rows, grid = rows[chosen], _grid_for(len(rows), scene)[chosen]
    centre = (grid[:, :2] + np.float32(0.5)) * grid[:, 2:]
    return CandidateBoxes(np.concatenate((centre - rows[:, :2], centre + rows[:, 2:4]), 1), scores[chosen])


def decode_yolox(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """YOLOX without its own decoding: centre = (cell + offset) stride, size = exp(log size) stride."""
    rows = outputs[0][0]
    scores = as_shares(rows[:, 4], scene) * scores_of(rows[:, 5:], scene)
    chosen = np.flatnonzero(scores >= scene.least_score)
    rows, grid = rows[chosen], _grid_for(len(rows), scene)[chosen]
    centre = (rows[:, :2] + grid[:, :2]) * grid[:, 2:]
    size = np.exp(np.minimum(rows[:, 2:4], MAX_LOG_SIZE)) * grid[:, 2:]
    return CandidateBoxes(corners(centre, size), scores[chosen])


def decode_nanodet(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Generalised focal loss head: each side's distance is the mean of a distribution over 0..R strides.

    Three levels (NanoDet) have their cells' centres at (cell + 0.5) stride - 0.5, four (NanoDet-Plus) at
    cell x stride, as their anchors are generated.
    """
    classes, sides = _nanodet_tables(outputs, scene)
    scores = scores_of(classes, scene)
    chosen = np.flatnonzero(scores >= scene.least_score)
    strides = strides_for(len(scores), scene.width, scene.height)
    grid = _grid_for(len(scores), scene)[chosen]
    logits = sides[chosen].reshape(len(chosen), 4, sides.shape[1] // 4)
    weights = np.exp(logits - logits.max(2, keepdims=True))
    steps = np.arange(logits.shape[2], dtype=np.float32)
    distances = (weights @ steps) / np.maximum(weights.sum(2), np.float32(1e-9)) * grid[:, 2:]
    centre = grid[:, :2] * grid[:, 2:]
    if strides == LEVELS[0]:
        centre = (grid[:, :2] + np.float32(0.5)) * grid[:, 2:] - np.float32(0.5)
    boxes = np.concatenate((centre - distances[:, :2], centre + distances[:, 2:]), 1)
    return CandidateBoxes(boxes.astype(np.float32), scores[chosen])


def _nanodet_tables(outputs: Sequence[Array], scene: DecoderInput) -> tuple[Array, Array]:
    """Class scores (A, C) and side logits (A, 4 (R + 1)), levels in order of stride."""
    tables = [output.reshape(-1, output.shape[-1]) for output in outputs]
    if len(tables) == 1:
        side_columns = _side_columns(tables[0].shape[1])
        return tables[0][:, :-side_columns], tables[0][:, -side_columns:]
    columns = _class_and_side_columns([table.shape for table in tables])
    if columns is None:
        raise DecoderError("nanodet outputs must come in pairs of class scores and distances")
    finest_first = sorted(tables, key=len, reverse=True)
    return (
        np.concatenate([table for table in finest_first if table.shape[1] == columns[0]]),
        np.concatenate([table for table in finest_first if table.shape[1] == columns[1]]),
    )


def _side_columns(columns: int) -> int:
    for side_columns in SIDE_COLUMNS:
        if columns > side_columns:
            return side_columns
    raise DecoderError(f"{columns} columns are too few for nanodet's classes and 4 distributions")


def _class_and_side_columns(shapes: Shapes) -> tuple[int, int] | None:
    """Columns of the class tables and of the side tables, or None where the outputs are no such pairs."""
    if any(len(shape) < 2 for shape in shapes):
        return None
    counts = [shape[-1] for shape in shapes]
    widths = sorted({count for count in counts if count is not None})
    pairs = len(widths) == 2 and all(counts.count(width) * 2 == len(shapes) for width in widths)
    for side_columns in SIDE_COLUMNS:
        if pairs and side_columns in widths:
            return widths[0] + widths[1] - side_columns, side_columns
    return None


def decode_fastestdet(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Stride 16: score = objectness^0.6 class^0.4; offset = tanh, size = sigmoid of the input."""
    planes = outputs[0][0]
    table = planes.reshape(planes.shape[0], -1)
    scores = np.abs(table[0]) ** np.float32(0.6) * np.abs(table[5 + scene.person_class]) ** np.float32(0.4)
    chosen = np.flatnonzero(scores >= scene.least_score)
    rows, columns = np.divmod(chosen, planes.shape[2])
    x = (columns + np.tanh(table[1, chosen])) * FASTESTDET_STRIDE
    y = (rows + np.tanh(table[2, chosen])) * FASTESTDET_STRIDE
    share = 1.0 / (1.0 + np.exp(-table[3:5, chosen]))
    size = share.T * np.array((scene.width, scene.height), np.float32)
    return CandidateBoxes(corners(np.stack((x, y), 1), size).astype(np.float32), scores[chosen])


def is_ltrb(shapes: Shapes, width: int, height: int) -> bool:
    """Five numbers a cell."""
    shape = one(shapes, 3)
    return shape is not None and shape[2] == 5 and strides_for(shape[1], width, height) == LEVELS[0]


def is_yolox(shapes: Shapes, width: int, height: int) -> bool:
    """Five numbers and the classes a cell."""
    shape = one(shapes, 3)
    return shape is not None and (shape[2] or 0) >= 6 and strides_for(shape[1], width, height) == LEVELS[0]


def is_nanodet(shapes: Shapes, width: int, height: int) -> bool:
    """Pairs of tables of three or four levels, or one joined table of four."""
    shape = one(shapes, 3)
    if shape is not None:
        return (shape[2] or 0) > SIDE_COLUMNS[0] and strides_for(shape[1], width, height) == LEVELS[1]
    if _class_and_side_columns(shapes) is None:
        return False
    counts = [count for *_, count, _ in shapes if count is not None]
    return len(counts) == len(shapes) and strides_for(sum(counts) // 2, width, height) is not None


def is_fastestdet(shapes: Shapes, width: int, height: int) -> bool:
    """Planes of stride 16."""
    shape = one(shapes, 4)
    grid = (height // FASTESTDET_STRIDE, width // FASTESTDET_STRIDE)
    return shape is not None and (shape[1] or 0) >= 6 and shape[2:] == grid


def nanodet_classes(shapes: Shapes) -> int | None:
    """How many classes the tables tell apart."""
    pair = _class_and_side_columns(shapes)
    columns = shapes[0][-1]
    if pair is not None or columns is None:
        return pair[0] if pair else None
    return columns - _side_columns(columns)


def one(shapes: Shapes, dimensions: int) -> tuple[int | None, ...] | None:
    """The shape of the only output, where it has that many dimensions."""
    return shapes[0] if len(shapes) == 1 and len(shapes[0]) == dimensions else None
