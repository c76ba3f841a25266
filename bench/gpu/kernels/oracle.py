"""What the kernels should give, in float64 and whole images at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.cuda.frames import BGR
from engines.cuda.kernels.launches import MAX_CANDIDATES, MAX_KEPT

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

YUV_TO_BGR = np.array(
    ((1.16400146, 2.01799965, 0.0), (1.16400146, -0.39099979, -0.81299973), (1.16400146, 0.0, 1.59599972))
)
"""OpenCV's BT.601, limited range: rows blue, green, red; columns luma, u, v."""


@dataclass(frozen=True)
class OracleImage:
    """An image in memory that holds not one byte more than it needs."""

    memory: NDArray[np.uint8]
    width: int
    height: int
    format: int
    row_bytes: int
    chroma_offset: int = 0

    def bgr(self) -> Float64:
        """(height, width, 3), 0 to 255."""
        if self.format == BGR:
            return _rows(self.memory, self.height, self.row_bytes, 3 * self.width).reshape(
                self.height, self.width, 3
            )
        luma = _rows(self.memory, self.height, self.row_bytes, self.width)
        halves = ((self.height + 1) // 2, (self.width + 1) // 2)
        chroma = _rows(self.memory[self.chroma_offset :], halves[0], self.row_bytes, 2 * halves[1])
        whole = chroma.reshape(*halves, 2).repeat(2, 0).repeat(2, 1)[: self.height, : self.width] - 128.0
        yuv = np.dstack((np.maximum(luma - 16.0, 0.0), whole))
        clipped: Float64 = np.clip(yuv @ YUV_TO_BGR.T, 0.0, 255.0)
        return clipped


def _rows(memory: NDArray[np.uint8], rows: int, row_bytes: int, used: int) -> Float64:
    padded = np.zeros(rows * row_bytes, np.float64)
    taken = memory[: rows * row_bytes]
    padded[: len(taken)] = taken
    return padded.reshape(rows, row_bytes)[:, :used]


def sampled(bgr: Float64, x: Float64, y: Float64) -> Float64:
    """Bilinear values (len(y), len(x), 3) at those places; pixel centres at whole numbers, edges repeated."""
    x, y = np.clip(x, 0, bgr.shape[1] - 1), np.clip(y, 0, bgr.shape[0] - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, bgr.shape[1] - 1), np.minimum(top + 1, bgr.shape[0] - 1)
    across, down = (x - left)[None, :, None], (y - top)[:, None, None]
    above = bgr[top][:, left] * (1 - across) + bgr[top][:, right] * across
    below = bgr[bottom][:, left] * (1 - across) + bgr[bottom][:, right] * across
    mixed: Float64 = above * (1 - down) + below * down
    return mixed


def _centres(count: int, size: float) -> Float64:
    centres: Float64 = (np.arange(count, dtype=np.float64) + 0.5) * (size / count) - 0.5
    return centres


def as_input(bgr: Float64, mean: Float64, std: Float64, *, rgb: bool) -> Float64:
    """(H, W, 3) blue, green, red to (3, H, W) in the network's order, normalised."""
    ordered = bgr[:, :, ::-1] if rgb else bgr
    normalised: Float64 = ((ordered - mean) / std).transpose(2, 0, 1)
    return normalised


def letterboxed(
    image: OracleImage | None,
    offset_xy: tuple[int, int],
    size_wh: tuple[int, int],
    shape: tuple[int, int],
    pad: float,
) -> Float64:
    """The input (height, width, 3) before normalisation; what sticks out of it is cut off."""
    canvas = np.full((*shape, 3), pad)
    if image is None:
        return canvas
    placed = sampled(image.bgr(), _centres(size_wh[0], image.width), _centres(size_wh[1], image.height))
    (left, top), (height, width) = offset_xy, shape
    x, y = np.arange(size_wh[0]) + left, np.arange(size_wh[1]) + top
    inside_x, inside_y = (x >= 0) & (x < width), (y >= 0) & (y < height)
    canvas[np.ix_(y[inside_y], x[inside_x])] = placed[np.ix_(inside_y, inside_x)]
    return canvas


@dataclass(frozen=True)
class Lies:
    """Where a frame lies in the network's input: its corner there, and image pixels per input pixel."""

    offset_xy: tuple[int, int]
    step_xy: tuple[float, float]


def cropped(
    image: OracleImage | None,
    box: Float32,
    lies: Lies,
    shape: tuple[int, int],
    grown: tuple[float, float],
    pad: float,
) -> Float64:
    """A box of input pixels, cut at the image's edges, grown and stretched to (height, width, 3)."""
    grey = np.full((*shape, 3), pad)
    if image is None or not np.isfinite(box).all():
        return grey
    spans = [
        _span(box[axis], box[axis + 2], lies.offset_xy[axis], lies.step_xy[axis], size, grown[axis])
        for axis, size in enumerate((image.width, image.height))
    ]
    if min(shown for _, _, shown in spans) < 1:
        return grey
    (left, right, _), (top, bottom, _) = spans
    columns, rows = _window(left, right, image.width), _window(top, bottom, image.height)
    across, down = len(columns), len(rows)
    scale = min(np.float32(shape[1]) / (right - left), np.float32(shape[0]) / (bottom - top))
    while scale < 0.5 and min(across, down) > 1:
        across, down, scale = across // 2, down // 2, scale * 2
    seen = np.einsum(
        "ab,bcx,dc->adx", _means(len(rows), down), _at(image, rows, columns), _means(len(columns), across)
    )
    x = _places(shape[1], left, right, columns[0], across / len(columns))
    y = _places(shape[0], top, bottom, rows[0], down / len(rows))
    return sampled(seen, x, y)


def _span(
    start: np.float32, end: np.float32, offset: int, step: float, size: int, grown: float
) -> tuple[np.float32, np.float32, np.float32]:
    """Both ends in image pixels, and how much the image shows. float32, because in which pixel an end
    lies is a matter of its last bit."""
    low, high = (
        np.clip((value - np.float32(offset)) * np.float32(step), np.float32(0), np.float32(size))
        for value in (start, end)
    )
    more = (high - low) * np.float32(grown)
    return low - more, high + more, high - low


def _window(low: np.float32, high: np.float32, size: int) -> NDArray[np.int64]:
    return np.arange(max(0, int(low) - 2), min(size, int(high) + 2))


def _at(image: OracleImage, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Float64:
    return np.asarray(image.bgr()[np.ix_(rows, columns)], np.float64)


def _means(count: int, fewer: int) -> Float64:
    """(fewer, count): the shares of `count` pixels in each of `fewer` that cover them all evenly."""
    pixels, factor = np.arange(count), count / fewer
    low = np.arange(fewer)[:, None] * factor
    shared = np.minimum(pixels + 1, low + factor) - np.maximum(pixels, low)
    return np.asarray(np.clip(shared, 0, None) / factor, np.float64)


def _places(count: int, low: np.float32, high: np.float32, first: int, scale: float) -> Float64:
    places = float(low) - first + (np.arange(count) + 0.5) * ((float(high) - float(low)) / count)
    return np.asarray(places * scale - 0.5, np.float64)


def cells_of(width: int, height: int, levels: int) -> Float64:
    """Column, row, stride of every cell."""
    found: list[tuple[int, int, int]] = []
    for level in range(levels):
        stride = 8 << level
        for row in range(-(-height // stride)):
            found.extend((column, row, stride) for column in range(-(-width // stride)))
    return np.array(found, np.float64).reshape(-1, 3)


@dataclass(frozen=True)
class OracleBoxes:
    """For every cell: box (A, 4), score, class; -1, -1 and an empty box where it is none."""

    boxes: Float64
    scores: Float32
    kinds: NDArray[np.int32]


def filtered(
    boxes: Float64, scores: Float32, kinds: NDArray[np.int64], known: int, least_score: float
) -> OracleBoxes:
    """Only finite boxes with enough score, among the first `known` cells, are candidates."""
    with np.errstate(invalid="ignore", over="ignore"):
        chosen = (scores >= np.float32(least_score)) & np.isfinite(scores) & (kinds >= 0)
        chosen &= np.isfinite(boxes.astype(np.float32)).all(1) & (np.arange(len(scores)) < known)
    return OracleBoxes(
        np.where(chosen[:, None], boxes, 0.0),
        np.where(chosen, scores, np.float32(-1)).astype(np.float32),
        np.where(chosen, kinds, -1).astype(np.int32),
    )


def decoded(
    decoder: str, table: Float32, only: int, input_wh: tuple[int, int], levels: int, least_score: float
) -> OracleBoxes:
    """One image's outputs: (A, 5), (A, 5 + C) or (4 + C, A) as the decoder has them."""
    rows = table.T if decoder == "yolov8" else table
    wide = rows.astype(np.float64)
    cells = np.zeros((len(rows), 3))
    grid = cells_of(*input_wh, levels)
    known = len(rows) if decoder == "yolov8" else min(len(rows), len(grid))
    cells[: min(len(rows), len(grid))] = grid[: len(rows)]
    with np.errstate(invalid="ignore", over="ignore"):
        if decoder == "ltrb":
            centre = (cells[:, :2] + 0.5) * cells[:, 2:]
            boxes = np.concatenate((centre - wide[:, :2], centre + wide[:, 2:4]), 1)
            return filtered(boxes, rows[:, 4], np.zeros(len(rows), np.int64), known, least_score)
        first = 5 if decoder == "yolox" else 4
        kinds = _best_classes(rows[:, first:], only)
        scores = rows[np.arange(len(rows)), first + np.maximum(kinds, 0)]
        centre, size = wide[:, :2], wide[:, 2:4]
        if decoder == "yolox":
            scores = rows[:, 4] * scores
            centre, size = (
                (centre + cells[:, :2]) * cells[:, 2:],
                np.exp(np.minimum(size, 10.0)) * cells[:, 2:],
            )
        boxes = np.concatenate((centre - size / 2, centre + size / 2), 1)
    return filtered(boxes, scores, kinds, known, least_score)


def _best_classes(scores: Float32, only: int) -> NDArray[np.int64]:
    if only >= 0:
        return np.full(len(scores), only if only < scores.shape[1] else -1, np.int64)
    finite = np.where(np.isfinite(scores), scores, -np.inf)
    best: NDArray[np.int64] = np.where(np.isfinite(scores).any(1), finite.argmax(1), -1)
    return best


def kept_of(boxes: Float32, scores: Float32, kinds: NDArray[np.int32], iou_limit: float) -> list[int]:
    """Cells that stay, best first. float32, because where to cut is a matter of its last bit."""
    order = [int(cell) for cell in np.argsort(-scores, kind="stable") if scores[cell] >= 0][:MAX_CANDIDATES]
    kept: list[int] = []
    for cell in order:
        if len(kept) == MAX_KEPT:
            break
        rivals = np.array([other for other in kept if kinds[other] == kinds[cell]], int)
        if not len(rivals) or bool((_overlaps(boxes[rivals], boxes[cell]) <= np.float32(iou_limit)).all()):
            kept.append(cell)
    return kept


def _overlaps(boxes: Float32, box: Float32) -> Float32:
    corner = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.prod(np.maximum(corner, np.float32(0)), 1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], 1) + np.prod(box[2:] - box[:2])
    ratio: Float32 = shared / np.maximum(areas - shared, np.float32(1e-9))
    return ratio


def unit_rows(rows: Float32) -> Float64:
    """Rows of length 1; zeros where a row is zero or not finite."""
    known = np.isfinite(rows).all(1, keepdims=True)
    wide = np.where(known, rows, 0.0).astype(np.float64)
    length = np.sqrt((wide**2).sum(1, keepdims=True))
    units: Float64 = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
    return units
