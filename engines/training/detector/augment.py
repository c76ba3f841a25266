"""What happens to a picture before the student sees it: framing, light, blur, noise, coarse compression."""

from __future__ import annotations

import cv2
import numpy as np

from engines.evaluation.pool import PAD, Image, Labels

MIN_SIDE_PX = 5.0
MIN_VISIBLE = 0.35
MIN_VISIBLE_LARGE = 0.12
LARGE_PICTURE_SHARE = 0.08
"""A person cut off by the picture still counts with `MIN_VISIBLE` of it in view; one so near that what is
in view fills `LARGE_PICTURE_SHARE` of the picture already with `MIN_VISIBLE_LARGE`."""


def framed(
    image: Image, labels: Labels, scale: float, offset: tuple[float, float], size: tuple[int, int]
) -> tuple[Image, Labels]:
    """The picture scaled and shifted onto a canvas of `size` (width, height), labels with it."""
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)
    if scale < 0.6:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
    else:
        small = image
    canvas = cv2.warpAffine(
        small,
        matrix,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAD, PAD, PAD),
    )
    shift = np.array([*offset, *offset], np.float32)
    moved = Labels(labels.boxes * scale + shift, labels.trust, labels.teacher_iou)
    return np.asarray(canvas, np.uint8), clipped(moved, (0, 0, *size))


def clipped(labels: Labels, window: tuple[int, int, int, int]) -> Labels:
    """Labels cut to a window; a person of whom little is left becomes a place to look away from."""
    if not len(labels.boxes):
        return labels
    left, top, right, bottom = window
    boxes = labels.boxes.copy()
    before = (boxes[:, 2:] - boxes[:, :2]).clip(1e-3).prod(1)
    boxes[:, 0::2] = boxes[:, 0::2].clip(left, right)
    boxes[:, 1::2] = boxes[:, 1::2].clip(top, bottom)
    sides = boxes[:, 2:] - boxes[:, :2]
    visible = sides.clip(0).prod(1) / before
    there = (sides > 1).all(1)
    large = sides.clip(0).prod(1) >= LARGE_PICTURE_SHARE * (right - left) * (bottom - top)
    enough = visible >= np.where(large, MIN_VISIBLE_LARGE, MIN_VISIBLE)
    trust = np.where(~enough | (sides < MIN_SIDE_PX).any(1), 0, labels.trust)
    return Labels(boxes, trust.astype(np.float32), labels.teacher_iou).pick(there)


def mirrored(image: Image, labels: Labels) -> tuple[Image, Labels]:
    boxes = labels.boxes.copy()
    boxes[:, [0, 2]] = image.shape[1] - labels.boxes[:, [2, 0]]
    return np.ascontiguousarray(image[:, ::-1]), Labels(boxes, labels.trust, labels.teacher_iou)


def stretched(image: Image, labels: Labels, factor: float) -> tuple[Image, Labels]:
    """The picture made wider by `factor` (narrower below 1), its height kept."""
    height, width = image.shape[:2]
    wide = max(8, round(width * factor))
    resized = np.asarray(cv2.resize(image, (wide, height), interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array([wide / width, 1, wide / width, 1], np.float32)
    return resized, Labels(labels.boxes * scale, labels.trust, labels.teacher_iou)


def weathered(image: Image, rng: np.random.Generator) -> Image:
    """Random light, colour, blur, noise and compression of a real camera."""
    if rng.random() < 0.8:
        image = relit(image, rng)
    chance = rng.random()
    if chance < 0.12:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.6))), np.uint8)
    elif chance < 0.2:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        image = np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)
    elif chance < 0.32:
        factor = float(rng.uniform(0.4, 0.8))
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (image.shape[1], image.shape[0])), np.uint8)
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(3, 14), image.shape).astype(np.int16)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 70))])
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return image


def relit(image: Image, rng: np.random.Generator) -> Image:
    """Gain, offset and gamma as one look-up table; sometimes a colour cast, grey, or low light."""
    levels = np.arange(256, dtype=np.float32) / 255
    dark = rng.random() < 0.1
    gamma = rng.uniform(1.4, 2.6) if dark else rng.uniform(0.65, 1.5)
    gain = rng.uniform(0.3, 0.7) if dark else rng.uniform(0.7, 1.3)
    cast = rng.uniform(0.88, 1.12, 3) if rng.random() < 0.6 else np.ones(3)
    table = np.stack([(levels**gamma * gain * tint + rng.uniform(-0.06, 0.06)) for tint in cast], 1)
    image = np.asarray(cv2.LUT(image, (table.clip(0, 1) * 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.5:
        image = saturated(image, float(rng.uniform(0.0, 1.6)))
    return image


def saturated(image: Image, factor: float) -> Image:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(image, factor, grey, 1 - factor, 0), np.uint8)
