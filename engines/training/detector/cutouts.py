"""Persons cut out of photos, with soft masks, to be pasted into other pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Boxes, Image, LabelledImage, read_image
from engines.evaluation.teachers import YoloxTeacher

CROP_SCALE = 3
MIN_HEIGHT_PX = 110
MARGIN = 0.06


@dataclass(frozen=True)
class Cutout:
    """A person: `image` (h, w, 3) BGR, `mask` (h, w) in 0..1, cut tight around the mask."""

    image: Image
    mask: NDArray[np.float32]


def cut_out(image: Image, box: NDArray[np.float32]) -> Cutout | None:
    """Separates the person in `box` from its background (GrabCut); None where no plausible person is left."""
    height, width = image.shape[:2]
    left, top, right, bottom = (float(v) for v in box)
    pad_x, pad_y = (right - left) * 0.25, (bottom - top) * 0.08
    x0, y0 = int(max(0, left - pad_x)), int(max(0, top - pad_y))
    x1, y1 = int(min(width, right + pad_x)), int(min(height, bottom + pad_y))
    patch = np.ascontiguousarray(image[y0:y1, x0:x1])
    if min(patch.shape[:2]) < 24:
        return None
    rectangle = (
        max(1, round(left - x0)),
        max(1, round(top - y0)),
        min(patch.shape[1] - 2, round(right - left)),
        min(patch.shape[0] - 2, round(bottom - top)),
    )
    labels = np.zeros(patch.shape[:2], np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(patch, labels, rectangle, background, foreground, 3, cv2.GC_INIT_WITH_RECT)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    parts, marks, stats, _ = cv2.connectedComponentsWithStats(mask)
    if parts < 2:
        return None
    biggest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    mask = (marks == biggest).astype(np.uint8)
    x, y, w, h = (int(v) for v in stats[biggest, :4])
    filled = mask.sum() / max(1, w * h)
    plausible = h > 0.85 * (bottom - top) and w > 0.6 * (right - left) and 0.35 < filled < 0.9 and h > 1.3 * w
    if not plausible:
        return None
    soft = cv2.GaussianBlur(mask[y : y + h, x : x + w].astype(np.float32), (3, 3), 0)
    return Cutout(np.ascontiguousarray(patch[y : y + h, x : x + w]), np.asarray(soft, np.float32))


def isolated(boxes: Boxes, height: int) -> NDArray[np.intp]:
    """Rows of tall boxes that touch no other box and not the picture's lower edge."""
    rows = []
    for row, box in enumerate(boxes):
        others = np.delete(boxes, row, 0)
        touches = (
            (others[:, 0] < box[2])
            & (others[:, 2] > box[0])
            & (others[:, 1] < box[3])
            & (others[:, 3] > box[1])
        ).any()
        if not touches and box[3] - box[1] >= MIN_HEIGHT_PX and box[3] < height - 3:
            rows.append(row)
    return np.asarray(rows, np.intp)


def from_picture(picture: LabelledImage) -> list[Cutout]:
    """Cut-outs of the well visible persons of a labelled photo."""
    sure = picture.labels.boxes[picture.labels.trust >= 0.9]
    found = [cut_out(picture.image, sure[row]) for row in isolated(sure, picture.image.shape[0])]
    return [cutout for cutout in found if cutout is not None]


def from_crops(folder: Path, teacher: YoloxTeacher) -> list[Cutout]:
    """Cut-outs from single-person crops; the teacher says where in the crop the person is."""
    found = []
    for path in sorted(folder.glob("*.jpg")):
        small = read_image(path)
        size = (small.shape[1] * CROP_SCALE, small.shape[0] * CROP_SCALE)
        seen = teacher.look(
            np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8), (416,)
        )
        if not len(seen.boxes) or seen.scores[0] < 0.5:
            continue
        cutout = cut_out(small, seen.boxes[0] / CROP_SCALE)
        if cutout is not None:
            found.append(cutout)
    return found


def save_cutouts(folder: Path, cutouts: list[Cutout]) -> None:
    """Writes PNG files with an alpha channel."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, cutout in enumerate(cutouts):
        alpha = (cutout.mask * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.dstack((cutout.image, alpha)))


def read_cutouts(folder: Path) -> list[Cutout]:
    found = []
    for path in sorted(folder.glob("*.png")):
        layers = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if layers is not None and layers.ndim == 3 and layers.shape[2] == 4:
            found.append(
                Cutout(
                    np.ascontiguousarray(layers[..., :3]),
                    (layers[..., 3] / np.float32(255)).astype(np.float32),
                )
            )
    return found
