"""Average precision of a person detector on held-out images and on the MOT clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import PAD, Boxes, Image, Labels, read_image, read_index, with_heads, yolo_boxes
from engines.evaluation.teachers import TeacherBoxes, covered, overlap, suppress

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]

NMS_IOU = 0.6
MIN_SCORE = 0.02
MATCH_IOU = 0.5


@dataclass(frozen=True)
class DetectorAccuracy:
    """`ap50`, and at the score `threshold` with the best F1: `precision`, `recall`, and the `mean_iou` of the
    true positives.
    """

    ap50: float
    threshold: float
    precision: float
    recall: float
    mean_iou: float


def letterboxed(image: Image, size: tuple[int, int]) -> tuple[NDArray[np.float32], float]:
    """The net's input [1, 3, H, W] with the image top-left, and its scale."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (round(width * scale), round(height * scale))
    canvas = np.full((size[1], size[0], 3), PAD, np.uint8)
    canvas[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32), scale


def decode(rows: NDArray[np.float32], size: tuple[int, int], scale: float) -> TeacherBoxes:
    """Persons from the net's predictions [a, 5], in the pixels of the image."""
    grids = []
    for stride in (8, 16, 32):
        columns, lines = size[0] // stride, size[1] // stride
        xs, ys = np.tile(np.arange(columns), lines), np.repeat(np.arange(lines), columns)
        grids.append((np.stack((xs, ys), 1) + 0.5) * stride)
    centres = np.concatenate(grids).astype(np.float32)
    keep = rows[:, 4] > MIN_SCORE
    rows, centres = rows[keep], centres[keep]
    boxes = np.concatenate((centres - rows[:, :2], centres + rows[:, 2:4]), 1).astype(
        np.float32
    ) / np.float32(scale)
    kept = suppress(boxes, rows[:, 4], NMS_IOU)[:300]
    return TeacherBoxes(boxes[kept], rows[kept, 4])


def matches(seen: TeacherBoxes, labels: Labels) -> list[tuple[float, float]]:
    """(score, overlap) per detection, overlap 0 for a false one; those in look-away places are left out."""
    wanted = labels.boxes[labels.trust > 0]
    ignored = labels.boxes[labels.trust == 0]
    pairs = overlap(seen.boxes, wanted)
    free = np.ones(len(wanted), bool)
    rows: list[tuple[float, float]] = []
    for row in np.argsort(-seen.scores, kind="stable"):
        column = int(np.where(free, pairs[row], -1).argmax()) if len(wanted) else -1
        if column >= 0 and free[column] and pairs[row, column] >= MATCH_IOU:
            free[column] = False
            rows.append((float(seen.scores[row]), float(pairs[row, column])))
        elif not len(ignored) or covered(seen.boxes[row : row + 1], ignored).max() < 0.5:
            rows.append((float(seen.scores[row]), 0.0))
    return rows


def summarise(rows: list[tuple[float, float]], persons: int) -> DetectorAccuracy:
    """AP over all points (area under the precision envelope) from the rows of `matches`."""
    if not rows or not persons:
        return DetectorAccuracy(0.0, 0.0, 0.0, 0.0, 0.0)
    table = np.asarray(sorted(rows, key=lambda row: -row[0]))
    hits = table[:, 1] > 0
    true = hits.cumsum()
    recall = true / persons
    precision = true / np.arange(1, len(true) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap50 = float((np.diff(recall, prepend=0) * envelope).sum())
    best = int((2 * precision * recall / np.maximum(precision + recall, 1e-9)).argmax())
    overlaps = table[: best + 1, 1][hits[: best + 1]]
    mean_iou = float(overlaps.mean()) if len(overlaps) else 0.0
    return DetectorAccuracy(
        ap50, float(table[best, 0]), float(precision[best]), float(recall[best]), mean_iou
    )


def measure(
    predict: Predict, examples: Iterator[tuple[Image, Labels]], size: tuple[int, int]
) -> DetectorAccuracy:
    rows: list[tuple[float, float]] = []
    persons = 0
    for image, labels in examples:
        batch, scale = letterboxed(image, size)
        rows += matches(decode(predict(batch)[0], size, scale), labels)
        persons += int((labels.trust > 0).sum())
    return summarise(rows, persons)


def held_out(folder: Path, sources: tuple[str, ...]) -> Iterator[tuple[Image, Labels]]:
    """Held-out images of a pool with the labels they would be trained on (teachers' boxes included)."""
    for entry in read_index(folder):
        if entry.held_out and entry.source in sources:
            yield read_image(folder / entry.file), entry.labels()


def held_out_truth(
    folder: Path, data: Path, source: str, *, heads: bool = False
) -> Iterator[tuple[Image, Labels]]:
    """Held-out photos with their published boxes only; what the teachers added is a place to look away from.

    `heads` grows the street photos' boxes to take in the heads.
    """
    for entry in read_index(folder):
        if not entry.held_out or entry.source != source:
            continue
        image = read_image(folder / entry.file)
        stem = entry.file.removeprefix(f"{source}-").removesuffix(".jpg")
        boxes = published_boxes(data, source, stem, image)
        yield image, published_truth(boxes, entry.labels(), heads=heads)


def published_boxes(data: Path, source: str, stem: str, image: Image) -> Boxes:
    """A street or COCO photo's boxes (n, 4) as they were published, in pixels of `image`."""
    root = data / ("img-street-people" if source == "street" else "img-coco256") / "labels"
    label = next(root.glob(f"{stem}.txt"), None) or next(root.glob(f"*/{stem}.txt"))
    return yolo_boxes(label, image.shape[1], image.shape[0])


def published_truth(boxes: Boxes, known: Labels, *, heads: bool) -> Labels:
    """Published boxes as truth, grown by the heads if wanted; who else is known is a place to look away."""
    if len(boxes):
        known = known.pick(overlap(known.boxes, boxes).max(1) <= 0.4)
    away = Labels(known.boxes, np.zeros(len(known.boxes), np.float32), known.teacher_iou)
    return Labels.joined([Labels.certain(with_heads(boxes) if heads else boxes), away])


def mot_clip(
    video: Path, truth: Path, every: int, *, unmarked_ignored: bool = False
) -> Iterator[tuple[Image, Labels]]:
    """Every n-th frame of a MOT clip and its persons. For measuring only.

    Boxes marked not to count are left out, or with `unmarked_ignored` places to look away from.
    """
    table = np.loadtxt(truth, delimiter=",")
    capture = cv2.VideoCapture(str(video))
    number = 0
    while True:
        there, frame = capture.read()
        if not there:
            break
        number += 1
        if (number - 1) % every == 0:
            rows = table[(table[:, 0] == number) & ((table[:, 6] > 0) | unmarked_ignored)]
            boxes: Boxes = np.concatenate((rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]), 1).astype(np.float32)
            labels = Labels.certain(boxes)
            labels.trust = (rows[:, 6] > 0).astype(np.float32)
            yield np.asarray(frame, np.uint8), labels
    capture.release()


def pets(data: Path, every: int = 5, *, unmarked_ignored: bool = False) -> Iterator[tuple[Image, Labels]]:
    folder = data / "video-mot15-pets09-s2l1"
    clip, truth = folder / "PETS09-S2L1.mp4", folder / "gt.txt"
    return mot_clip(clip, truth, every, unmarked_ignored=unmarked_ignored)


def tud_campus(data: Path, every: int = 1) -> Iterator[tuple[Image, Labels]]:
    folder = data / "video-mot15-tud-campus"
    return mot_clip(folder / "TUD-Campus.mp4", folder / "gt.txt", every)


def onnx_predictor(path: Path, threads: int = 2) -> Predict:
    """Runs an exported net with OpenVINO, for measuring."""
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(str(path)), "CPU", options)
    return lambda batch: np.asarray(compiled([batch])[0], np.float32)


def measured_sets(data: Path, pool: Path | None) -> dict[str, Iterator[tuple[Image, Labels]]]:
    """What a net is measured on, by name; the held-out part of the pool only where a pool is given."""
    sets = {"pets09-s2l1": pets(data), "tud-campus": tud_campus(data)}
    if pool is not None:
        sets["street-held-out"] = held_out_truth(pool, data, "street")
        sets["street-held-out-with-heads"] = held_out_truth(pool, data, "street", heads=True)
        sets["coco-held-out"] = held_out_truth(pool, data, "coco")
        sets["clips-held-out"] = held_out(pool, ("retail", "hall", "table"))
    return sets
