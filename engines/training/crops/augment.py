"""Makes crops as hard to see as a shop's cameras do: few pixels, other light, goods and people in front."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Image
from engines.training.crops.gather import MARGIN, inner_size

Random = np.random.Generator


@dataclass(frozen=True)
class Hardships:
    """How often each thing happens to a crop, and how far it goes."""

    mirrored: float = 0.5
    shift: float = 0.06
    few_pixels: float = 0.6
    least_height_px: float = 36.0
    compressed: float = 0.3
    blurred: float = 0.15
    covered: float = 0.35
    tint: float = 0.06


def augmented(crop: Image, other: Image, rng: Random, hardships: Hardships) -> Image:
    """A crop with its margin as a hard view of `inner_size`; `other`, of that size, may be in front."""
    view = shifted(crop, rng, hardships.shift)
    if rng.random() < hardships.covered:
        view = covered(view, other, rng)
    if rng.random() < hardships.mirrored:
        view = view[:, ::-1]
    view = relit(view, rng, hardships.tint)
    if rng.random() < hardships.blurred:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.5, 2.0))), np.uint8)
    if rng.random() < hardships.few_pixels:
        view = coarse(view, rng, hardships.least_height_px)
    if rng.random() < hardships.compressed:
        view = compressed(view, int(rng.integers(25, 75)))
    return np.ascontiguousarray(view, np.uint8)


def shifted(crop: Image, rng: Random, amount: float) -> Image:
    """The box, its edges moved by up to `amount` (standard deviation half of it) of its size."""
    width, height = inner_size(crop)
    edges = np.clip(rng.normal(0, amount / 2, 4), -MARGIN, MARGIN)
    left, top = (MARGIN + edges[0]) * width, (MARGIN + edges[1]) * height
    right = crop.shape[1] - (MARGIN + edges[2]) * width
    bottom = crop.shape[0] - (MARGIN + edges[3]) * height
    scale = width / (right - left), height / (bottom - top)
    matrix = np.array([[scale[0], 0, -left * scale[0]], [0, scale[1], -top * scale[1]]])
    moved = cv2.warpAffine(
        crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def relit(view: Image, rng: Random, tint: float) -> Image:
    """Another exposure, contrast, gamma and white balance."""
    gain = rng.uniform(0.65, 1.35) * rng.normal(1.0, tint, 3)
    levels = np.arange(256, dtype=np.float64)[:, None] / 255
    curve = (levels ** rng.uniform(0.75, 1.33) * gain + rng.normal(0, 0.03)) * 255
    table = curve.clip(0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(np.ascontiguousarray(view), table), np.uint8)


def coarse(view: Image, rng: Random, least_height_px: float) -> Image:
    """As if the person stood far away: down to a height of at least so many pixels, and up again."""
    full = (view.shape[1], view.shape[0])
    height = float(np.exp(rng.uniform(np.log(least_height_px), np.log(max(130, least_height_px)))))
    small = (max(8, round(height * full[0] / full[1] * rng.uniform(0.8, 1.1))), round(height))
    fewer = cv2.resize(view, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(fewer, full, interpolation=cv2.INTER_LINEAR), np.uint8)


def compressed(view: Image, quality: int) -> Image:
    """With the blocks that JPEG leaves at this quality (1..100)."""
    written = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)


def covered(view: Image, other: Image, rng: Random) -> Image:
    """A part of another crop, or plain colour, in front: from below, from a side, or somewhere."""
    height, width = view.shape[:2]
    way = rng.integers(3)
    if way == 0:
        left, right, bottom = 0, width, height
        top = int(height * rng.uniform(0.5, 0.85))
    elif way == 1:
        top, bottom = int(height * rng.uniform(0, 0.3)), height
        share = int(width * rng.uniform(0.15, 0.45))
        left, right = (0, share) if rng.random() < 0.5 else (width - share, width)
    else:
        left, top = int(width * rng.uniform(0, 0.7)), int(height * rng.uniform(0, 0.7))
        right = left + int(width * rng.uniform(0.2, 0.5))
        bottom = top + int(height * rng.uniform(0.1, 0.3))
    result = np.array(view, np.uint8)
    target = result[top:bottom, left:right]
    if rng.random() < 0.7:
        target[...] = other[top : top + target.shape[0], left : left + target.shape[1]]
    else:
        target[...] = rng.integers(0, 256, 3, dtype=np.uint8)
    return result


def as_batch(views: list[Image], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Views as (n, 3, height, width), scaled to the size trained at."""
    if views and size_wh != (views[0].shape[1], views[0].shape[0]):
        views = [
            np.asarray(cv2.resize(view, size_wh, interpolation=cv2.INTER_AREA), np.uint8) for view in views
        ]
    return np.asarray(np.ascontiguousarray(np.stack(views).transpose(0, 3, 1, 2)), np.uint8)
