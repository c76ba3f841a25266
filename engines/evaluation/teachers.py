"""The teachers: bigger detectors that label what nobody has labelled.

Two look at the images, YOLOX-nano at several scales, person-detection-retail-0013 on surveillance views and
on streets, where people walk in groups. A box that they are sure of becomes a person with a soft target; a
doubtful one a place to look away from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrainingError
from engines.evaluation.pool import STORE, STREET, Boxes, Image, LabelledImage, Labels

SURE = 0.40
DOUBTFUL = 0.10
ALONE_SURE = 0.50
SURVEILLANCE = ("retail", "hall", "table", "aisle")


@dataclass(frozen=True)
class TeacherBoxes:
    """What a teacher sees: `boxes` (n, 4) left, top, right, bottom in pixels, `scores` (n,)."""

    boxes: Boxes
    scores: NDArray[np.float32]


def overlap(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Intersection over union of every pair, (n, m)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(-1)
    return np.asarray(
        shared / np.maximum(areas(first)[:, None] + areas(second)[None] - shared, 1e-6), np.float32
    )


def covered(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """The share of every first box that lies in every second one, (n, m)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(-1)
    return np.asarray(shared / np.maximum(areas(first)[:, None], 1e-6), np.float32)


def areas(boxes: Boxes) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1), np.float32)


def suppress(boxes: Boxes, scores: NDArray[np.float32], limit: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression; gives the kept rows, best first."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[overlap(boxes[best : best + 1], boxes[rest])[0] <= limit]
    return np.asarray(kept, np.intp)


class YoloxTeacher:
    """YOLOX-nano through OpenVINO, at several image scales, its answers merged."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        self._core = openvino.Core()
        self._path = path
        self._options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled: dict[tuple[int, int], openvino.CompiledModel] = {}

    def look(self, image: Image, longest_sides: tuple[int, ...]) -> TeacherBoxes:
        found = [self._look_at(image, longest) for longest in longest_sides]
        boxes = np.concatenate([seen.boxes for seen in found])
        scores = np.concatenate([seen.scores for seen in found])
        kept = suppress(boxes, scores, 0.55)
        return TeacherBoxes(boxes[kept], scores[kept])

    def _look_at(self, image: Image, longest: int) -> TeacherBoxes:
        height, width = image.shape[:2]
        scale = longest / max(height, width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        outer = (-(-inner[0] // 32) * 32, -(-inner[1] // 32) * 32)
        canvas = np.full((outer[1], outer[0], 3), 114, np.uint8)
        canvas[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
        rows = self._infer(canvas.transpose(2, 0, 1)[None].astype(np.float32))
        cells = [
            np.stack(
                [
                    np.tile(np.arange(outer[0] // s), outer[1] // s),
                    np.repeat(np.arange(outer[1] // s), outer[0] // s),
                    np.full((outer[0] // s) * (outer[1] // s), s),
                ],
                1,
            )
            for s in (8, 16, 32)
        ]
        grid = np.concatenate(cells).astype(np.float32)
        scores = rows[:, 4] * rows[:, 5]
        person = (rows[:, 5:].argmax(1) == 0) & (scores > DOUBTFUL)
        rows, grid, scores = rows[person], grid[person], scores[person]
        centre = (rows[:, :2] + grid[:, :2]) * grid[:, 2:]
        half = np.exp(rows[:, 2:4]) * grid[:, 2:] / 2
        boxes = np.concatenate((centre - half, centre + half), 1) / scale
        boxes = boxes.clip(0, [width, height, width, height]).astype(np.float32)
        kept = suppress(boxes, scores, 0.6)
        return TeacherBoxes(boxes[kept], scores[kept])

    def _infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        size = (batch.shape[2], batch.shape[3])
        if size not in self._compiled:
            model = self._core.read_model(str(self._path))
            model.reshape([1, 3, *size])
            self._compiled[size] = self._core.compile_model(model, "CPU", self._options)
        return np.asarray(self._compiled[size]([batch])[0][0], np.float32)


class RetailTeacher:
    """person-detection-retail-0013 (Open Model Zoo) through OpenVINO."""

    def __init__(self, path: Path, threads: int, size: tuple[int, int] = (544, 320)) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape([1, 3, size[1], size[0]])
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = core.compile_model(model, "CPU", options)
        self._size = size

    def look(self, image: Image) -> TeacherBoxes:
        height, width = image.shape[:2]
        batch = cv2.resize(image, self._size).transpose(2, 0, 1)[None].astype(np.float32)
        rows = np.asarray(self._compiled([batch])[0]).reshape(-1, 7)
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 2] > DOUBTFUL)]
        boxes = (rows[:, 3:7].clip(0, 1) * [width, height, width, height]).astype(np.float32)
        kept = suppress(boxes, rows[:, 2].astype(np.float32), 0.5)
        return TeacherBoxes(boxes[kept], rows[kept, 2].astype(np.float32))


def agree(first: TeacherBoxes, second: TeacherBoxes) -> TeacherBoxes:
    """Two teachers' views as one: a shared person takes the mean box and gains trust, a lone one loses."""
    pairs = overlap(first.boxes, second.boxes)
    boxes, scores, used = [], [], set()
    for row in range(len(first.boxes)):
        column = int(pairs[row].argmax()) if len(second.boxes) else -1
        if column >= 0 and pairs[row, column] > 0.5 and column not in used:
            used.add(column)
            one, two = float(first.scores[row]), float(second.scores[column])
            boxes.append((first.boxes[row] * one + second.boxes[column] * two) / (one + two))
            scores.append(min(1.0, 1 - (1 - one) * (1 - two)))
        else:
            boxes.append(first.boxes[row])
            scores.append(float(first.scores[row]) * SURE / ALONE_SURE)
    for column in range(len(second.boxes)):
        if column not in used:
            boxes.append(second.boxes[column])
            scores.append(float(second.scores[column]) * SURE / ALONE_SURE)
    merged = np.asarray(boxes, np.float32).reshape(-1, 4)
    trust = np.asarray(scores, np.float32)
    kept = suppress(merged, trust, 0.55)
    return TeacherBoxes(merged[kept], trust[kept])


def tightened(labels: Labels, seen: TeacherBoxes) -> Labels:
    """Roughly drawn boxes, each replaced by the box of a teacher who is sure of the same person."""
    boxes = labels.boxes.copy()
    sure = seen.boxes[seen.scores >= ALONE_SURE]
    if len(sure) and len(boxes):
        pairs = overlap(boxes, sure)
        same = pairs.max(1) >= 0.5
        boxes[same] = sure[pairs.argmax(1)[same]]
    return Labels(boxes, labels.trust, labels.teacher_iou)


def complete(labels: Labels, seen: TeacherBoxes, *, trusted: bool) -> Labels:
    """Ground truth plus what the teachers add beside it.

    `trusted` says that the ground truth lists every person: then a teacher's surplus box is never a
    person, only a place to look away from (crowds, reflections).
    """
    pairs = overlap(labels.boxes, seen.boxes)
    teacher_iou = pairs.max(1) if pairs.size else np.zeros(len(labels.boxes), np.float32)
    labels = Labels(labels.boxes, labels.trust, teacher_iou.astype(np.float32))
    if not len(seen.boxes):
        return labels
    shadowed = (
        covered(seen.boxes, labels.boxes).max(1) > 0.6
        if len(labels.boxes)
        else np.zeros(len(seen.boxes), bool)
    )
    known = (pairs.max(0) > 0.35) | shadowed if pairs.size else shadowed
    extra, scores = seen.boxes[~known], seen.scores[~known]
    trust = np.where((scores >= SURE) & (not trusted), np.clip(0.5 + 0.6 * scores, 0, 1), 0).astype(
        np.float32
    )
    if trusted:
        keep = scores >= SURE
        extra, trust = extra[keep], trust[keep]
    added = Labels(extra, trust, np.full(len(extra), 0.75, np.float32))
    return Labels.joined([labels, added])


class Teachers:
    """Both teachers with the scales each kind of image deserves."""

    def __init__(self, data: Path, threads: int) -> None:
        nano = data / "det-yolox-nano" / "yolox_nano.onnx"
        retail = data / "det-omz-person-retail-0013" / "person-detection-retail-0013.xml"
        for path in (nano, retail):
            if not path.is_file():
                raise TrainingError(
                    f"{path}: this teacher is not there; YOLOX-nano and retail-0013 are needed"
                )
        self.yolox = YoloxTeacher(nano, threads)
        self._retail = RetailTeacher(retail, threads)
        self._retail_wide = RetailTeacher(retail, threads, (960, 544))

    def label(self, picture: LabelledImage) -> Labels:
        height, width = picture.image.shape[:2]
        if picture.source == "retail":
            seen = self.yolox.look(picture.image, (640, 960, 1280))
            seen = agree(seen, self._retail_wide.look(picture.image))
        elif picture.source == STORE:
            sides = (416, 640, min(1280, 2 * max(height, width)))
            seen = agree(self.yolox.look(picture.image, sides), self._retail_wide.look(picture.image))
        elif picture.source in SURVEILLANCE:
            seen = agree(self.yolox.look(picture.image, (416, 640)), self._retail.look(picture.image))
        else:
            seen = self.yolox.look(picture.image, (416, min(768, 2 * max(height, width))))
            if picture.source == STREET:
                seen = agree(seen, self._retail.look(picture.image))
        labels = tightened(picture.labels, seen) if picture.loose else picture.labels
        return complete(labels, seen, trusted=picture.complete)
