"""Who looks like whom: embeddings of person crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engines.inference.crops import CropNetwork, Rows, open_crops
from engines.inference.detector import Image

REID_WEIGHTS = "person-reid"
GLOBAL_FEATURES = 192
"""The first so many numbers of our embedding describe the whole person, the rest halves and thirds."""


class PersonEmbedder:
    """Embeds persons. Not for use by several threads at once.

    The dot product of two embeddings is the cosine of their likeness, 1 for the same look. They are images of
    a person in effect: they never leave the box and are forgotten with the track.
    """

    def __init__(self, network: CropNetwork) -> None:
        self.network = network
        self.size = network.answers

    @classmethod
    def open(
        cls, weights: str | Path = REID_WEIGHTS, *, backend: str = "auto", threads: int = 0, streams: int = 1
    ) -> PersonEmbedder:
        """The network of that name in the catalogue, or of an .onnx or .xml file. Raises EngineError."""
        return cls(open_crops(weights, "reid", backend=backend, threads=threads, streams=streams))

    def embed(self, image_bgr: Image, boxes: npt.ArrayLike) -> Rows:
        """Unit vectors (n, size) float32 for boxes (n, 4) left, top, right, bottom px of a BGR image.

        A box that shows nothing gets zeros: like nobody, unlike nobody. Raises EngineError.
        """
        return np.nan_to_num(unit_rows(self.network.rows(image_bgr, boxes)))


def unit_rows(rows: Rows) -> Rows:
    """The rows (n, k) brought to length 1; a row of zeros, or of nan, stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=rows.copy(), where=lengths > 0), np.float32)
