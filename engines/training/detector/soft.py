"""A teacher that looks at every training picture as the student sees it: a score and features for each cell.

YOLOX-nano stands on the same cells as the student (strides 8, 16, 32, row by row) and takes the same input
(BGR, 0..255), so what it says needs no matching. What it says of crops, mosaics and pasted scenes is what
labels drawn once on the whole picture cannot tell: what is half a person, and what only looks like one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from engines.evaluation.pool import Labels
from engines.training.detector.scenes import SceneBatches

if TYPE_CHECKING:
    from openvino import CompiledModel

STEMS = ("input.599", "input.671", "input.743")
"""Tensors of yolox_nano.onnx: the head's first layer after its activation, strides 8, 16, 32, 64 channels."""


@dataclass(frozen=True)
class Taught:
    """What the teacher says of a batch: `scores` (n, a) in 0..1, `features` (n, a, channels) or None."""

    scores: NDArray[np.float32]
    features: NDArray[np.float16] | None


Batch = tuple[np.ndarray, list[Labels], Taught | None]


class CellTeacher:
    """YOLOX-nano's person score for every cell, through OpenVINO; on request the features it stands on."""

    def __init__(self, path: Path, threads: int, *, features: bool = False) -> None:
        import openvino

        self._core = openvino.Core()
        self._path = path
        self._features = features
        self._options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
        self._compiled: dict[tuple[int, int], CompiledModel] = {}

    def look(self, images: NDArray[np.uint8]) -> Taught:
        """What the teacher says of images (n, 3, H, W)."""
        net = self._net((images.shape[2], images.shape[3]))
        scores, features = [], []
        for image in images:
            answers = net([image[None].astype(np.float32)])
            rows = answers[0][0]
            scores.append(rows[:, 4] * rows[:, 5])
            if self._features:
                maps = [answers[place + 1][0] for place in range(len(STEMS))]
                cells = [level.reshape(level.shape[0], -1).T for level in maps]
                features.append(np.concatenate(cells).astype(np.float16))
        return Taught(np.stack(scores).astype(np.float32), np.stack(features) if features else None)

    def _net(self, size: tuple[int, int]) -> CompiledModel:
        if size not in self._compiled:
            model = self._core.read_model(str(self._path))
            if self._features:
                model.add_outputs(list(STEMS))
            model.reshape([1, 3, *size])
            self._compiled[size] = self._core.compile_model(model, "CPU", self._options)
        return self._compiled[size]


class TaughtBatches(IterableDataset[Batch]):
    """Batches of scenes, each with what the teacher says of it; None where no teacher is asked."""

    def __init__(self, scenes: SceneBatches, teacher: Path | None, *, features: bool = False) -> None:
        self._scenes, self._teacher, self._features = scenes, teacher, features

    def __iter__(self) -> Iterator[Batch]:
        if self._teacher is None:
            for images, labels in self._scenes:
                yield images, labels, None
            return
        teacher = CellTeacher(self._teacher, 1, features=self._features)
        for images, labels in self._scenes:
            yield images, labels, teacher.look(images)
