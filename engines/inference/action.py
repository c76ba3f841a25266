"""Does this person handle goods? A probability for each person crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engines.errors import WeightsError
from engines.inference.crops import CropNetwork, Rows, open_crops
from engines.inference.detector import Image

ACTION_WEIGHTS = "person-action"


class ActionClassifier:
    """Judges persons one image at a time. Not for use by several threads at once."""

    def __init__(self, network: CropNetwork) -> None:
        if network.answers != 1:
            raise WeightsError(
                f"{network.source.path}: an action network answers with one number a crop, "
                f"this one with {network.answers}"
            )
        self.network = network

    @classmethod
    def open(
        cls,
        weights: str | Path = ACTION_WEIGHTS,
        *,
        backend: str = "auto",
        threads: int = 0,
        streams: int = 1,
    ) -> ActionClassifier:
        """The network of that name in the catalogue, or of an .onnx or .xml file. Raises EngineError."""
        return cls(open_crops(weights, "action", backend=backend, threads=threads, streams=streams))

    def handling_probability(self, image_bgr: Image, boxes: npt.ArrayLike) -> Rows:
        """Probability (n,) in 0..1 that each person handles goods; 0.5 is the network's decision threshold.

        `boxes` (n, 4) are left, top, right, bottom px of a BGR image; nan where a box shows nothing: not
        judged. Raises EngineError.
        """
        return probabilities(self.network.rows(image_bgr, boxes)[:, 0])


def probabilities(logits: Rows) -> Rows:
    """What an action network's answers (n,) say, in 0..1; nan stays nan."""
    wide = np.clip(logits.astype(np.float64), -30.0, 30.0)
    return np.asarray(1.0 / (1.0 + np.exp(-wide)), np.float32)
