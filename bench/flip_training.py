"""Training of the production flip detector's network, on generated stores only.

    python -m bench.flip_training --stores 61 --out rfid_reader/flips/production.npz

Every store is taken at several read rates. A row is one tag at one tick that the detector would judge; it is
positive if the tag was being turned over at the judged moment, and left out within MARGIN_S of a flip's
edges.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from bench.flip_stores import StoreRecording, flip_mask, record_store, thinned
from rfid_reader.flips.activity import FEATURES
from rfid_reader.flips.network import Network
from rfid_reader.flips.production import ProductionDetector, judged_s

MARGIN_S = 0.3
WARM_UP_S = 15.0
RATES_HZ = (2.0, 4.0, 9.0)
HIDDEN = (48, 24)
CALM_SHARE = 0.4
FIRST_TRAINING_SEED = 1000
Array = NDArray[np.float32]


class _Recorder(ProductionDetector):
    """Keeps the features it would judge instead of judging them."""

    def __init__(self) -> None:
        super().__init__(network=_silent_network())
        self.rows: list[tuple[float, NDArray[np.int64], Array]] = []

    def _tick(self, time_s: float) -> list:  # type: ignore[type-arg]
        rows, _ = self.step()
        self.rows.append((judged_s(time_s), rows, self.activity.features(rows).astype(np.float16)))
        return []


def _silent_network() -> Network:
    empty = np.zeros((FEATURES, 1), np.float32)
    ones = np.ones(FEATURES, np.float32)
    return Network(np.zeros(FEATURES, np.float32), ones, (empty,), (np.full(1, -40, np.float32),))


def examples(recording: StoreRecording) -> tuple[Array, NDArray[np.int8]]:
    """Features and labels (1 flip, 0 none) of one store."""
    recorder = _Recorder()
    recorder.feed(recording.reads)
    recorder.finish()
    times = np.array([row[0] for row in recorder.rows])
    mask = flip_mask(recording.flips, recorder.tag_rows.epcs, times, MARGIN_S)
    features, labels = [], []
    for place, (time_s, rows, values) in enumerate(recorder.rows):
        if time_s >= WARM_UP_S:
            known = mask[rows, place] >= 0
            features.append(values[known])
            labels.append(mask[rows[known], place])
    return np.concatenate(features), np.concatenate(labels)


def train(features: Array, labels: NDArray[np.int8], epochs: int, seed: int = 3) -> Network:
    """Adam on cross-entropy with decoupled weight decay; the learning rate falls as a cosine."""
    rng = np.random.default_rng(seed)
    sample = features[:: max(1, len(features) // 100_000)].astype(np.float32)
    mean, scale = sample.mean(0), sample.std(0) + 1e-3
    sizes = (features.shape[1], *HIDDEN, 1)
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in itertools.pairwise(sizes)]
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    biases[-1][:] = np.log(labels.mean() / (1 - labels.mean()))
    values = [*weights, *biases]
    first = [np.zeros_like(value) for value in values]
    second = [np.zeros_like(value) for value in values]
    batch, step = 1024, 0
    steps = epochs * (len(features) // batch)
    for _ in range(epochs):
        order = rng.permutation(len(features))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            layers = [np.clip((features[chosen].astype(np.float32) - mean) / scale, -8, 8)]
            keep = rng.random(layers[0].shape) > 0.1
            layers[0] = layers[0] * keep
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                layers.append(np.maximum(layers[-1] @ weight + bias, 0))
            logit = (layers[-1] @ weights[-1] + biases[-1])[:, 0]
            slope = ((1 / (1 + np.exp(-np.clip(logit, -40, 40))) - labels[chosen]) / batch)[:, None]
            gradients: list[Array] = [np.empty(0, np.float32)] * len(values)
            for layer in range(len(weights) - 1, -1, -1):
                gradients[layer] = layers[layer].T @ slope
                gradients[len(weights) + layer] = slope.sum(0)
                slope = (slope @ weights[layer].T) * (layers[layer] > 0)
            step += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for place, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
                first[place] = 0.9 * first[place] + 0.1 * gradient
                second[place] = 0.999 * second[place] + 0.001 * gradient**2
                move = first[place] / (1 - 0.9**step) / (np.sqrt(second[place] / (1 - 0.999**step)) + 1e-8)
                decay = 1e-2 * value * (value.ndim > 1)
                values[place][...] -= (rate * (move + decay)).astype(np.float32)
    return Network(mean, scale, tuple(weights), tuple(biases))


def merged(networks: list[Network]) -> Network:
    """One network whose logit is the mean of the given networks' (they share inputs, mean and scale)."""
    first = np.concatenate([network.weights[0] for network in networks], axis=1)
    inner = [block_diag(*(network.weights[1] for network in networks)).astype(np.float32)]
    last = (np.concatenate([network.weights[2] for network in networks]) / len(networks)).astype(np.float32)
    biases = [np.concatenate([network.biases[layer] for network in networks]) for layer in (0, 1)]
    biases.append(np.asarray(np.mean([network.biases[2] for network in networks], axis=0), np.float32))
    return Network(
        networks[0].mean, networks[0].scale, (first.astype(np.float32), *inner, last), tuple(biases)
    )


def without_most_calm(features: Array, labels: NDArray[np.int8], seed: int) -> tuple[Array, NDArray[np.int8]]:
    """All flips and a random share CALM_SHARE of the rest: another share for every member of the ensemble."""
    keep = (labels == 1) | (np.random.default_rng(seed).random(len(labels)) < CALM_SHARE)
    return features[keep], labels[keep]


def train_ensemble(features: Array, labels: NDArray[np.int8], epochs: int, members: int = 3) -> Network:
    """The mean of `members` networks, with the prior of the full data."""
    networks = []
    for seed in range(11, 11 + members):
        network = train(*without_most_calm(features, labels, seed), epochs, seed)
        biases = (*network.biases[:-1], network.biases[-1] + np.float32(np.log(CALM_SHARE)))
        networks.append(replace(network, biases=biases))
    return merged(networks)


def save(network: Network, path: Path, note: dict[str, object]) -> None:
    arrays: dict[str, NDArray[Any]] = {f"weight{layer}": value for layer, value in enumerate(network.weights)}
    arrays |= {f"bias{layer}": value for layer, value in enumerate(network.biases)}
    arrays |= {"mean": network.mean, "scale": network.scale, "note": np.array(json.dumps(note))}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stores", type=int, default=61)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("rfid_reader/flips/production.npz"))
    options = parser.parse_args()
    features, labels = [], []
    for number in range(options.stores):
        recording = record_store(FIRST_TRAINING_SEED + number, options.seconds)
        for rate_hz in RATES_HZ:
            if rate_hz <= RATES_HZ[0] or rate_hz < 1.3 * recording.rate_hz:
                x, y = examples(thinned(recording, rate_hz, number))
                features.append(x)
                labels.append(y)
        print(f"store {number + 1} of {options.stores}: {sum(map(len, labels))} rows", file=sys.stderr)
    started_s = time.monotonic()
    network = train_ensemble(np.concatenate(features), np.concatenate(labels), options.epochs)
    note = {"stores": options.stores, "first_seed": FIRST_TRAINING_SEED, "seconds": options.seconds}
    save(network, options.out, note)
    print(f"{options.out}: trained in {time.monotonic() - started_s:.0f} s")


if __name__ == "__main__":
    main()
