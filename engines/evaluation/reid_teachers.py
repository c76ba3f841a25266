"""The two teachers of re-identification."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Image
from engines.models.pixels import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR

OSNET = Path("reid-osnet-x0-25") / "osnet_x0_25_msmt17.onnx"
RETAIL = Path("reid-omz-retail") / "person-reidentification-retail-0286.xml"
SIZE_WH = (128, 256)
BATCH = 16

Embeddings = NDArray[np.float32]


class ReidTeacher:
    """A published re-identification net through OpenVINO; crops of any size in, unit vectors out."""

    def __init__(self, path: Path, threads: int, precision: str, *, imagenet_rgb: bool) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape([BATCH, 3, SIZE_WH[1], SIZE_WH[0]])
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        self._compiled = core.compile_model(model, "CPU", options)
        self._imagenet_rgb = imagenet_rgb

    def embed(self, crops: list[Image]) -> Embeddings:
        """(n, k) float32, each row of length 1."""
        found = [self._batch(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
        vectors = np.concatenate(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _batch(self, crops: list[Image]) -> Embeddings:
        planes = np.zeros((BATCH, 3, SIZE_WH[1], SIZE_WH[0]), np.float32)
        for place, crop in enumerate(crops):
            image = cv2.resize(crop, SIZE_WH, interpolation=cv2.INTER_LINEAR).astype(np.float32)
            if self._imagenet_rgb:
                image = ((image - IMAGENET_MEAN_BGR) / IMAGENET_STD_BGR)[..., ::-1]
            planes[place] = image.transpose(2, 0, 1)
        return np.array(self._compiled([planes])[0]).reshape(BATCH, -1)[: len(crops)]


def teachers(data: Path, threads: int, precision: str = "f32") -> dict[str, ReidTeacher]:
    """OSNet x0.25 (trained on MSMT17) and Open Model Zoo's person-reidentification-retail-0286."""
    return {
        "osnet_x0_25": ReidTeacher(data / OSNET, threads, precision, imagenet_rgb=True),
        "retail_0286": ReidTeacher(data / RETAIL, threads, precision, imagenet_rgb=False),
    }
