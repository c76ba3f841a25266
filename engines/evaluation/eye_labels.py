"""Persons labelled by eye, is this one handling goods: where they are, and their images.

A label says `handling` where at least one hand is seen at work on an article, a shelf, a counter or a basket,
or reaches for one, `not` where hands hang, swing, rest or merely carry a bag, `unclear` where hands are
hidden or two people share the box.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrainingError

HANDLING, UNCLEAR = "handling", "unclear"
KINDS = (HANDLING, "not", UNCLEAR)
HELD_OUT_EVERY = 3
SUPERMARKET, SUPERMARKET_HELD_OUT_FROM = "video-retail-nvidia/retail.mp4", 180


@dataclass(frozen=True)
class LabelledBox:
    """A person in a frame (from 0) of a clip, or in an image; box left, top, right, bottom px."""

    clip: str
    frame: int
    box: tuple[int, int, int, int]
    label: str

    @property
    def held_out(self) -> bool:
        """Whether training leaves it aside: a third of the images, and the later part of the clip."""
        if self.clip == SUPERMARKET:
            return self.frame >= SUPERMARKET_HELD_OUT_FROM
        return zlib.crc32(f"{self.clip}:{self.frame}".encode()) % HELD_OUT_EVERY == 0


def read_labels(path: Path) -> list[LabelledBox]:
    """All labelled boxes. Raises TrainingError for an unreadable file, or a line that is no label."""
    found = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{path}: cannot read these labels: {error.strerror}") from error
    for number, row in enumerate(_rows(path, text), start=2):
        try:
            left, top, right, bottom = (int(row[side]) for side in ("left", "top", "right", "bottom"))
            frame = int(row["frame"])
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"{path}:{number}: not clip,frame,left,top,right,bottom,label") from error
        if row["label"] not in KINDS:
            raise TrainingError(f"{path}:{number}: label {row['label']!r} is none of {', '.join(KINDS)}")
        found.append(LabelledBox(row["clip"], frame, (left, top, right, bottom), row["label"]))
    return found


def _rows(path: Path, text: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(text.splitlines()))
    except csv.Error as error:
        raise TrainingError(f"{path}: not a table of labels: {error}") from error


def labelled_images(
    data: Path, boxes: list[LabelledBox]
) -> Iterator[tuple[NDArray[np.uint8], list[LabelledBox]]]:
    """Every image that has labelled boxes, with them. Raises TrainingError for one that is missing."""
    for clip in sorted({box.clip for box in boxes}):
        mine = [box for box in boxes if box.clip == clip]
        wanted = {box.frame for box in mine}
        capture = cv2.VideoCapture(str(data / clip))
        frame = 0
        while wanted and capture.grab():
            if frame in wanted:
                wanted.discard(frame)
                image = np.asarray(capture.retrieve()[1], np.uint8)
                yield image, [box for box in mine if box.frame == frame]
            frame += 1
        capture.release()
        if wanted:
            raise TrainingError(f"{data / clip}: frame {min(wanted)} cannot be read")
