"""What raw outputs of detectors mean: from tensors to candidate boxes in input pixels.

| decoder | outputs | boxes | source |
| --- | --- | --- | --- |
| ltrb | [1, A, 5] | distances from the cell's centre to the four sides, score | engines/models/detector.py |
| yolox | [1, A, 5 + C] | cell + offset, log size, objectness, classes | arXiv 2107.08430 |
| yolov8 | [1, 4 + C, A] | centre, size in pixels, classes | Ultralytics' export |
| nanodet | [A, C] and [A, 4 (R + 1)] a level, or joined | distribution of distances | arXiv 2006.04388 |
| fastestdet | [1, 5 + C, H/16, W/16] | objectness, tanh offset, size, classes | FastestDet |
| ssd | [1, 1, N, 7] | image, label, score, corners as shares of the input | OpenVINO DetectionOutput |

A counts cells, row by row, over the levels (strides 8, 16, 32 and perhaps 64); C counts classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.backends import PixelFormat
from engines.errors import DecoderError
from engines.preprocess import Fit

Array = NDArray[np.float32]
Shapes = Sequence[tuple[int | None, ...]]

LEVELS = ((8, 16, 32), (8, 16, 32, 64))
"""Strides of the levels that grid-based detectors use."""

MAX_LOG_SIZE = 10.0
"""exp() of anything above is no size of a box; keeps a broken network from overflowing."""


_AS_IT_IS = PixelFormat()
_UNIT_RGB = PixelFormat("rgb", std=(255.0, 255.0, 255.0))
_UNIT_BGR = PixelFormat("bgr", std=(255.0, 255.0, 255.0))
_IMAGENET_BGR = PixelFormat("bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))


@dataclass(frozen=True)
class Scene:
    """What a decoder must know: the input's size in pixels, which class is a person, the least score."""

    width: int
    height: int
    person_class: int
    least_score: float


@dataclass(frozen=True)
class Candidates:
    """Boxes before suppression: (n, 4) left, top, right, bottom in input pixels; scores (n,)."""

    boxes: Array
    scores: Array


@dataclass(frozen=True)
class Decoder:
    """One meaning of outputs, and how networks of that family want the picture."""

    name: str
    decode: Callable[[Sequence[Array], Scene], Candidates]
    matches: Callable[[Shapes, int, int], bool]
    classes: Callable[[Shapes], int | None]
    """How many classes outputs of these shapes tell apart; None where they do not say."""
    pixels: PixelFormat = _AS_IT_IS
    fit: Fit = "corner"
    suppressed: bool = False
    """True where the network has done non-maximum suppression itself."""


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


def _grid_for(count: int, scene: Scene) -> Array:
    strides = strides_for(count, scene.width, scene.height)
    if strides is None:
        raise DecoderError(f"{count} cells fit no set of strides at {scene.width}x{scene.height}")
    return cells(scene.width, scene.height, strides)


def _corners(centre: Array, size: Array) -> Array:
    half = size * np.float32(0.5)
    return np.concatenate((centre - half, centre + half), 1)


def decode_ltrb(outputs: Sequence[Array], scene: Scene) -> Candidates:
    """Ours: distances in pixels from ((column + 0.5) stride, (row + 0.5) stride), then the score."""
    rows = outputs[0][0]
    chosen = np.flatnonzero(rows[:, 4] >= scene.least_score)
    rows, grid = rows[chosen], _grid_for(len(rows), scene)[chosen]
    centre = (grid[:, :2] + np.float32(0.5)) * grid[:, 2:]
    return Candidates(np.concatenate((centre - rows[:, :2], centre + rows[:, 2:4]), 1), rows[:, 4].copy())


def decode_yolox(outputs: Sequence[Array], scene: Scene) -> Candidates:
    """YOLOX without its own decoding: centre = (cell + offset) stride, size = exp(log size) stride."""
    rows = outputs[0][0]
    scores = rows[:, 4] * rows[:, 5 + scene.person_class]
    chosen = np.flatnonzero(scores >= scene.least_score)
    rows, grid = rows[chosen], _grid_for(len(rows), scene)[chosen]
    centre = (rows[:, :2] + grid[:, :2]) * grid[:, 2:]
    size = np.exp(np.minimum(rows[:, 2:4], MAX_LOG_SIZE)) * grid[:, 2:]
    return Candidates(_corners(centre, size), scores[chosen])


def decode_yolov8(outputs: Sequence[Array], scene: Scene) -> Candidates:
    """Boxes in the columns, already in input pixels: centre x, centre y, width, height, then the classes."""
    table = outputs[0][0]
    scores = table[4 + scene.person_class]
    chosen = np.flatnonzero(scores >= scene.least_score)
    boxes = table[:4, chosen].T
    return Candidates(_corners(boxes[:, :2], boxes[:, 2:]), scores[chosen])


def decode_nanodet(outputs: Sequence[Array], scene: Scene) -> Candidates:
    """Generalised focal loss head: each side's distance is the mean of a distribution over 0..R strides.

    Three levels (NanoDet) have their cells' centres at (cell + 0.5) stride - 0.5, four (NanoDet-Plus) at
    cell x stride, as their anchors are generated.
    """
    classes, sides = _nanodet_tables(outputs, scene)
    scores = classes[:, scene.person_class]
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
    return Candidates(boxes.astype(np.float32), scores[chosen])


def _nanodet_tables(outputs: Sequence[Array], scene: Scene) -> tuple[Array, Array]:
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


SIDE_COLUMNS = (32, 64, 44)
"""4 x (R + 1) for the R that NanoDet models are trained with: 7, seldom 15 or 10."""


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


FASTESTDET_STRIDE = 16


def decode_fastestdet(outputs: Sequence[Array], scene: Scene) -> Candidates:
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
    return Candidates(_corners(np.stack((x, y), 1), size).astype(np.float32), scores[chosen])


def decode_ssd(outputs: Sequence[Array], scene: Scene) -> Candidates:
    """Rows of image, label, score, left, top, right, bottom; the list ends at the first image below 0."""
    rows = outputs[0].reshape(-1, 7)
    ends = np.flatnonzero(rows[:, 0] < 0)
    rows = rows[: ends[0]] if len(ends) else rows
    rows = rows[(rows[:, 1] == scene.person_class) & (rows[:, 2] >= scene.least_score)]
    return Candidates(rows[:, 3:] * np.array((scene.width, scene.height) * 2, np.float32), rows[:, 2].copy())


def _one(shapes: Shapes, dimensions: int) -> tuple[int | None, ...] | None:
    return shapes[0] if len(shapes) == 1 and len(shapes[0]) == dimensions else None


def _is_ltrb(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 3)
    return shape is not None and shape[2] == 5 and strides_for(shape[1], width, height) == LEVELS[0]


def _is_yolox(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 3)
    return shape is not None and (shape[2] or 0) >= 6 and strides_for(shape[1], width, height) == LEVELS[0]


def _is_yolov8(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 3)
    return shape is not None and (shape[1] or 0) >= 5 and strides_for(shape[2], width, height) == LEVELS[0]


def _is_nanodet(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 3)
    if shape is not None:
        return (shape[2] or 0) > SIDE_COLUMNS[0] and strides_for(shape[1], width, height) == LEVELS[1]
    if _class_and_side_columns(shapes) is None:
        return False
    counts = [count for *_, count, _ in shapes if count is not None]
    return len(counts) == len(shapes) and strides_for(sum(counts) // 2, width, height) is not None


def _is_fastestdet(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 4)
    grid = (height // FASTESTDET_STRIDE, width // FASTESTDET_STRIDE)
    return shape is not None and (shape[1] or 0) >= 6 and shape[2:] == grid


def _is_ssd(shapes: Shapes, width: int, height: int) -> bool:
    shape = _one(shapes, 4)
    return shape is not None and shape[:2] == (1, 1) and shape[3] == 7


def _columns_less(fewer: int, axis: int) -> Callable[[Shapes], int | None]:
    def classes(shapes: Shapes) -> int | None:
        size = shapes[0][axis]
        return None if size is None else size - fewer

    return classes


def _nanodet_classes(shapes: Shapes) -> int | None:
    pair = _class_and_side_columns(shapes)
    columns = shapes[0][-1]
    if pair is not None or columns is None:
        return pair[0] if pair else None
    return columns - _side_columns(columns)


DECODERS = {
    decoder.name: decoder
    for decoder in (
        Decoder("ltrb", decode_ltrb, _is_ltrb, lambda _: 1),
        Decoder("yolox", decode_yolox, _is_yolox, _columns_less(5, 2)),
        Decoder("yolov8", decode_yolov8, _is_yolov8, _columns_less(4, 1), _UNIT_RGB, "centre"),
        Decoder("nanodet", decode_nanodet, _is_nanodet, _nanodet_classes, _IMAGENET_BGR, "centre"),
        Decoder("fastestdet", decode_fastestdet, _is_fastestdet, _columns_less(5, 1), _UNIT_BGR, "stretch"),
        Decoder("ssd", decode_ssd, _is_ssd, lambda _: None, fit="stretch", suppressed=True),
    )
}


def by_name(name: str) -> Decoder:
    """The decoder of that name. Raises DecoderError."""
    if name not in DECODERS:
        raise DecoderError(f"no decoder is called {name!r}: use one of {', '.join(DECODERS)}")
    return DECODERS[name]


def guess(shapes: Shapes, width: int, height: int) -> Decoder:
    """The decoder whose outputs have these shapes for an input of that size.

    Raises DecoderError where none or more than one does.
    """
    fitting = [decoder for decoder in DECODERS.values() if decoder.matches(shapes, width, height)]
    if len(fitting) == 1:
        return fitting[0]
    seen = ", ".join(str(list(shape)) for shape in shapes)
    if not fitting:
        raise DecoderError(f"outputs {seen} are not those of a detector known here ({', '.join(DECODERS)})")
    names = " or ".join(decoder.name for decoder in fitting)
    raise DecoderError(f"outputs {seen} could be {names}: say which with --decoder")
