"""The pool of training images: photos with boxes, and frames of unlabelled clips.

Everything is kept in one folder: JPEG files and `pool.json`, one record an image. MOT sequences (PETS, TUD)
are for measuring only and never enter it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrainingError

Image = NDArray[np.uint8]
Boxes = NDArray[np.float32]

MAX_SIDE = 960
PAD = 114
"""Grey of what an image does not cover of a network's input."""

EMPTY = "empty"
"""Source of the images without people: medians of a clip, to paste people into."""

STORE = "store"
"""Source of a store's own recorded frames (`engines.training.detector.adapt`)."""

STREET = "street"
"""Source of the street photos, where only the main pedestrians are boxed."""

STREET_HEAD_SHARE = 0.205
"""The street photos' boxes end at the neck: beside YOLOX-nano's, 98 % lack more than 6 % of the height at the
top, 17 % at the median (every 12th photo, 232 persons), which is this share of the box itself."""


@dataclass
class Labels:
    """Persons in one image: `boxes` (n, 4) left, top, right, bottom in pixels; `trust` (n,) in 0..1, the
    target for the score, 0 = look away; `teacher_iou` (n,) overlap of the teacher's box with it, 0 = none.
    """

    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    trust: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    teacher_iou: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def pick(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Labels:
        return Labels(self.boxes[which], self.trust[which], self.teacher_iou[which])

    @staticmethod
    def joined(parts: list[Labels]) -> Labels:
        if not parts:
            return Labels()
        return Labels(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.trust for part in parts]),
            np.concatenate([part.teacher_iou for part in parts]),
        )

    @staticmethod
    def certain(boxes: Boxes) -> Labels:
        return Labels(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.float32))


@dataclass
class LabelledImage:
    """One image of the pool before or after the teachers have looked at it.

    `complete`: its labels list every person. `loose`: its boxes are roughly drawn, a teacher's are closer.
    """

    name: str
    source: str
    held_out: bool
    image: Image
    labels: Labels
    complete: bool
    loose: bool = False


@dataclass(frozen=True)
class PoolEntry:
    """What `pool.json` says about one image."""

    file: str
    source: str
    held_out: bool
    boxes: list[list[float]]
    trust: list[float]
    teacher_iou: list[float]

    def labels(self) -> Labels:
        return Labels(
            np.asarray(self.boxes, np.float32).reshape(-1, 4),
            np.asarray(self.trust, np.float32),
            np.asarray(self.teacher_iou, np.float32),
        )


def yolo_boxes(path: Path, width: int, height: int) -> Boxes:
    """Person boxes (class 0) of a YOLO label file, in pixels."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    persons = [[float(v) for v in row[1:5]] for row in rows if row[0] == "0"]
    centred = np.asarray(persons, np.float32).reshape(-1, 4)
    centre, size = centred[:, :2], centred[:, 2:]
    scale = np.array([width, height, width, height], np.float32)
    return np.asarray(np.concatenate((centre - size / 2, centre + size / 2), 1) * scale, np.float32)


def read_image(path: Path) -> Image:
    """A BGR image. Raises TrainingError if it does not decode."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise TrainingError(f"{path}: not a picture that OpenCV can read")
    return np.asarray(image, np.uint8)


def with_heads(boxes: Boxes) -> Boxes:
    """Boxes of the street photos, grown upwards to take in the head."""
    grown = np.array(boxes, np.float32)
    grown[:, 1] = np.maximum(0, boxes[:, 1] - STREET_HEAD_SHARE * (boxes[:, 3] - boxes[:, 1]))
    return grown


def street_people(data: Path) -> Iterator[LabelledImage]:
    """Street photos; only the main pedestrians are boxed, without their heads. Every tenth is held out."""
    files = sorted((data / "img-street-people" / "images").glob("*.jpg"))
    for index, path in enumerate(files):
        image = read_image(path)
        label = data / "img-street-people" / "labels" / f"{path.stem}.txt"
        boxes = yolo_boxes(label, image.shape[1], image.shape[0])
        labels = Labels.certain(with_heads(boxes))
        yield LabelledImage(path.stem, STREET, index % 10 == 0, image, labels, complete=False, loose=True)


def coco(data: Path) -> Iterator[LabelledImage]:
    """COCO photos, completely labelled. Every eighth is held out."""
    root = data / "img-coco256"
    for index, path in enumerate(sorted((root / "images").glob("*/*.jpg"))):
        image = read_image(path)
        label = root / "labels" / path.parent.name / f"{path.stem}.txt"
        boxes = yolo_boxes(label, image.shape[1], image.shape[0])
        yield LabelledImage(path.stem, "coco", index % 8 == 0, image, Labels.certain(boxes), True)


def cafe(data: Path) -> Iterator[LabelledImage]:
    """Photos of a hall from above, completely labelled. Every split has copies of a photo: none held out."""
    root = data / "img-cafe-people"
    for annotation in sorted((root / "annotations").glob("*.json")):
        listing = json.loads(annotation.read_text())
        boxes_of: dict[int, list[list[float]]] = {}
        for box in listing["annotations"]:
            left, top, width, height = box["bbox"]
            boxes_of.setdefault(box["image_id"], []).append([left, top, left + width, top + height])
        for record in listing["images"]:
            path = root / "images" / annotation.stem / record["file_name"]
            boxes = np.asarray(boxes_of.get(record["id"], []), np.float32).reshape(-1, 4)
            yield LabelledImage(path.stem, "cafe", False, read_image(path), Labels.certain(boxes), True)


def clip_frames(path: Path, source: str, every: int, held_out_share: float) -> Iterator[LabelledImage]:
    """Every n-th frame of an unlabelled clip; its last part in time is held out."""
    capture = cv2.VideoCapture(str(path))
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    index = 0
    while True:
        there, frame = capture.read()
        if not there:
            break
        if index % every == 0:
            held_out = total > 0 and index >= total * (1 - held_out_share)
            yield LabelledImage(
                f"{index:05d}", source, held_out, np.asarray(frame, np.uint8), Labels(), False
            )
        index += 1
    capture.release()
    if index == 0:
        raise TrainingError(f"{path}: no frame could be decoded")


def all_images(data: Path) -> Iterator[LabelledImage]:
    """The whole pool, in a fixed order."""
    yield from street_people(data)
    yield from coco(data)
    yield from cafe(data)
    yield from clip_frames(data / "video-retail-nvidia" / "retail.mp4", "retail", 4, 0.2)
    yield from clip_frames(data / "video-intel-people" / "people-detection.264", "hall", 3, 0.2)
    yield from clip_frames(data / "video-intel-people" / "one-by-one-person-detection.mp4", "table", 7, 0.2)
    yield from clip_frames(data / "video-intel-people" / "store-aisle-detection-preview.gif", "aisle", 2, 0.0)


def shrink(picture: LabelledImage, longest: int = MAX_SIDE) -> LabelledImage:
    """The image with its longer side reduced to at most `longest` pixels, labels with it."""
    height, width = picture.image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = (round(width * scale), round(height * scale))
    image = np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = Labels(picture.labels.boxes * scale, picture.labels.trust, picture.labels.teacher_iou)
    return LabelledImage(picture.name, picture.source, picture.held_out, image, labels, picture.complete)


def save_image(folder: Path, picture: LabelledImage) -> PoolEntry:
    """Writes the JPEG file and gives the record for `pool.json`."""
    file = f"{picture.source}-{picture.name}.jpg"
    cv2.imwrite(str(folder / file), picture.image, [cv2.IMWRITE_JPEG_QUALITY, 94])
    labels = picture.labels
    return PoolEntry(
        file,
        picture.source,
        picture.held_out,
        labels.boxes.round(2).tolist(),
        labels.trust.round(3).tolist(),
        labels.teacher_iou.round(3).tolist(),
    )


def write_index(folder: Path, entries: list[PoolEntry]) -> None:
    (folder / "pool.json").write_text(json.dumps([asdict(entry) for entry in entries]))


def read_index(folder: Path) -> list[PoolEntry]:
    """The records of a pool. Raises TrainingError if there is none."""
    index = folder / "pool.json"
    if not index.exists():
        raise TrainingError(f"{index}: no pool here; run `python -m engines.training pool` first")
    return [PoolEntry(**entry) for entry in json.loads(index.read_text())]
