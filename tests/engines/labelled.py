"""Labelled frames and average precision, for tests of detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.inference.detector import Detections, PersonDetector
from engines.inference.nms import iou_matrix


@dataclass(frozen=True)
class LabelledFrame:
    """A picture and its persons' boxes (n, 4), left, top, right, bottom."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]


def clip_frames(folder: Path, every: int, limit: int | None = None) -> Iterator[LabelledFrame]:
    """Every nth frame of a MOT clip with its ground truth."""
    truth = np.loadtxt(folder / "gt.txt", delimiter=",", ndmin=2)
    video = cv2.VideoCapture(str(next(folder.glob("*.mp4"))))
    given = 0
    index = 0
    while limit is None or given < limit:
        if not video.grab():
            break
        index += 1
        if (index - 1) % every:
            continue
        rows = truth[(truth[:, 0] == index) & (truth[:, 6] == 1)][:, 2:6]
        boxes = np.concatenate((rows[:, :2], rows[:, :2] + rows[:, 2:]), 1).astype(np.float32)
        yield LabelledFrame(video.retrieve()[1], boxes)
        given += 1
    video.release()


def average_precision(detector: PersonDetector, frames: Sequence[LabelledFrame], iou: float = 0.5) -> float:
    """Area under the precision-recall curve, all points, one class (as PASCAL VOC 2010 and later)."""
    found = detector.detect_batch([frame.image for frame in frames])
    return precision_of(found, frames, iou)


def precision_of(found: Sequence[Detections], frames: Sequence[LabelledFrame], iou: float) -> float:
    """Average precision of given detections."""
    scores: list[float] = []
    right: list[bool] = []
    for detections, frame in zip(found, frames, strict=True):
        overlap = iou_matrix(detections.boxes, frame.boxes)
        taken = np.zeros(len(frame.boxes), bool)
        for row, score in zip(overlap, detections.scores, strict=True):
            free = np.where(taken, 0.0, row)
            best = int(free.argmax()) if len(free) else -1
            hit = best >= 0 and free[best] >= iou
            if hit:
                taken[best] = True
            scores.append(float(score))
            right.append(bool(hit))
    order = np.argsort(-np.array(scores), kind="stable")
    hits = np.cumsum(np.array(right)[order])
    recall = hits / sum(len(frame.boxes) for frame in frames)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate(([0.0], recall))) * precision))
