"""A small feed-forward network, evaluated with numpy, and the rules that make flips of its scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from rfid_reader.errors import ReaderError
from rfid_reader.flips.events import EventRules

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FeedForward:
    """Standardise, then layers of (inputs, outputs) weights with ReLU between them, then a sigmoid."""

    mean: Array
    scale: Array
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def __call__(self, features: Array) -> NDArray[np.float64]:
        """Probability (n,) for features (n, inputs)."""
        value = np.clip((features - self.mean) / self.scale, -8, 8)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            value = np.maximum(value @ weight + bias, 0)
        logit = (value @ self.weights[-1] + self.biases[-1])[:, 0].astype(np.float64)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -40, 40))))


def rules_of(data: bytes) -> EventRules:
    """The rules in the content of a file of weights."""
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        return EventRules(**json.loads(str(arrays["rules"])))


def load_network(name: str, inputs: int) -> tuple[FeedForward, EventRules]:
    """A network shipped with this package as NAME.npz, and its rules. Raises ReaderError if it does not
    fit.
    """
    data = files("rfid_reader.flips").joinpath(f"{name}.npz").read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        rules = EventRules(**json.loads(str(arrays["rules"])))
        layers = sum(key.startswith("weight") for key in arrays.files)
        network = FeedForward(
            arrays["mean"],
            arrays["scale"],
            tuple(arrays[f"weight{layer}"] for layer in range(layers)),
            tuple(arrays[f"bias{layer}"] for layer in range(layers)),
        )
    if network.weights[0].shape[0] != inputs:
        raise ReaderError(
            f"{name}.npz expects {network.weights[0].shape[0]} features, this version computes {inputs}; "
            "train it again with: python -m rfid_reader.training.activity"
        )
    return network, rules
