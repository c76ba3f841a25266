"""The usual people counter: cv2.VideoCapture, YOLOX-nano in onnxruntime, supervision's ByteTrack, LineZone.

Written as their own examples are, with the same thread budget as ours and nothing slow that the examples do
not have: pixels are laid out once, boxes are decoded for persons only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import supervision as sv
from numpy.typing import NDArray

INPUT = 416
STRIDES = (8, 16, 32)
PERSON = 0
MIN_SCORE = 0.1
OVERLAP_LIMIT = 0.65


class PeerLoop:
    """Detects, tracks and counts every frame of a clip, one after the other."""

    def __init__(self, clip: Path, weights: Path, threads: int, fps: float) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._video = cv2.VideoCapture(str(clip))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self._tracker = sv.ByteTrack(frame_rate=round(fps))
        width, height = (
            int(self._video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self._line = sv.LineZone(
            sv.Point(0, height // 2),
            sv.Point(width, height // 2),
            triggering_anchors=[sv.Position.BOTTOM_CENTER],
        )
        self._grid = _grid()
        self._session.run(None, {self._input: np.zeros((1, 3, INPUT, INPUT), np.float32)})

    def frames(self) -> Iterator[int]:
        """The number of tracked people in each frame of the clip."""
        while True:
            got, image = self._video.read()
            if not got:
                return
            people = self._tracker.update_with_detections(self._detect(np.asarray(image, np.uint8)))
            self._line.trigger(people)
            yield len(people)

    @property
    def crossings(self) -> int:
        """People who crossed the line so far, either way."""
        return int(self._line.in_count + self._line.out_count)

    def _detect(self, image: NDArray[np.uint8]) -> Any:
        scale = min(INPUT / image.shape[0], INPUT / image.shape[1])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        padded = np.full((INPUT, INPUT, 3), 114, np.uint8)
        padded[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        rows = self._session.run(None, {self._input: tensor})[0][0]
        scores = rows[:, 4] * rows[:, 5 + PERSON]
        likely = scores > MIN_SCORE
        rows, grid = rows[likely], self._grid[likely]
        centre = (rows[:, :2] + grid[:, :2]) * grid[:, 2:]
        half = np.exp(rows[:, 2:4]) * grid[:, 2:] / 2
        found = sv.Detections(
            xyxy=np.concatenate((centre - half, centre + half), 1) / scale,
            confidence=scores[likely],
            class_id=np.zeros(len(rows), int),
        )
        return found.with_nms(OVERLAP_LIMIT)


def _grid() -> NDArray[np.float32]:
    levels = []
    for stride in STRIDES:
        columns, rows = np.meshgrid(np.arange(INPUT // stride), np.arange(INPUT // stride))
        levels.append(np.stack((columns.ravel(), rows.ravel(), np.full(columns.size, stride)), 1))
    return np.concatenate(levels).astype(np.float32)
