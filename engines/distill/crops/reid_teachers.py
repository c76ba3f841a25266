"""The two teachers of re-identification, and what they say of every crop, computed once."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.backends import cpu
from engines.distill.crops.gather import Crops, inner
from engines.distill.pool import Image
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
            picture = cv2.resize(crop, SIZE_WH, interpolation=cv2.INTER_LINEAR).astype(np.float32)
            if self._imagenet_rgb:
                picture = ((picture - IMAGENET_MEAN_BGR) / IMAGENET_STD_BGR)[..., ::-1]
            planes[place] = picture.transpose(2, 0, 1)
        return np.array(self._compiled([planes])[0]).reshape(BATCH, -1)[: len(crops)]


def teachers(data: Path, threads: int, precision: str = "f32") -> dict[str, ReidTeacher]:
    """OSNet x0.25 (trained on MSMT17) and Open Model Zoo's person-reidentification-retail-0286."""
    return {
        "osnet_x0_25": ReidTeacher(data / OSNET, threads, precision, imagenet_rgb=True),
        "retail_0286": ReidTeacher(data / RETAIL, threads, precision, imagenet_rgb=False),
    }


def taught(crops: Crops, data: Path, folder: Path, threads: int) -> list[Embeddings]:
    """Both teachers' embeddings of all crops, from `teachers.npz` in `folder` where they are there already.

    Computed in bfloat16 where the processor has it, which halves the time and moves a cosine by 0.02 at most.
    """
    stored = folder / "teachers.npz"
    if not stored.exists():
        start_s = time.monotonic()
        found: dict[str, list[Embeddings]] = {}
        precision = "bf16" if cpu.has_bf16() else "f32"
        for name, teacher in teachers(data, threads, precision).items():
            parts = found.setdefault(name, [])
            for first in range(0, len(crops), 512):
                parts.append(teacher.embed([inner(crop) for crop in crops[first : first + 512]]))
            print(f"{name}: {len(crops)} crops, {time.monotonic() - start_s:.0f} s", flush=True)
        arrays = {name: np.concatenate(parts) for name, parts in found.items()}
        partial = folder / "teachers.part.npz"
        np.savez(partial, osnet_x0_25=arrays["osnet_x0_25"], retail_0286=arrays["retail_0286"])
        partial.replace(stored)
    with np.load(stored) as arrays:
        return [np.asarray(arrays[name], np.float32) for name in ("osnet_x0_25", "retail_0286")]
