"""Training of the production flip detector's network of moments, on generated stores only; that of courses
and the marks follow (`course`).

    python -m rfid_reader.training.activity --cache /tmp/flips             # the network, into production.npz
    python -m rfid_reader.training.activity --cache /tmp/flips --part 1/4  # prepare a share only

Every training store is taken at several read rates. A row is one tag at one tick that the detector would
judge; it is positive if the tag was being turned over at the judged moment, and left out within MARGIN_S of a
flip's edges. Everything follows from seeds: the same code gives the same file.
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

from rfid_reader.flips.network import FeedForward
from rfid_reader.training.activity_features import WARM_UP_S, FeatureCache

RATES_HZ, SELDOM_RATE_HZ = (4.5, 9.0), 2.0
VALIDATION_RATES_HZ = (4.0, 8.0)
PAUSED_RATE_HZ = 6.0
LONE_RATES_HZ = (4.0, 14.0, 80.0)
FACING_RATES_HZ = (4.0, 20.0)
SCENES, BUSY = 80, 18
HIDDEN, WEIGHT_DECAY = (64, 32), 0.1
CALM_SHARE = 0.25
FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, FIRST_SCENE_SEED, FIRST_BUSY_SEED = 1000, 5000, 20_000, 2000
Array = NDArray[np.float32]
Examples = tuple[NDArray[np.float16], NDArray[np.int8]]


def sources(stores: int) -> list[tuple[str, int, tuple[float, ...]]]:
    """What trains: kind, seed, and read rates (those beyond what is reached are left out)."""
    seeds = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + stores)
    found: list[tuple[str, int, tuple[float, ...]]] = [
        ("store", seed, RATES_HZ if seed % 3 else (SELDOM_RATE_HZ, *RATES_HZ)) for seed in seeds
    ]
    found += [("paused", seed, (PAUSED_RATE_HZ,)) for seed in seeds[:54:3]]
    scenes = range(FIRST_SCENE_SEED, FIRST_SCENE_SEED + SCENES)
    found += [("lone", seed, LONE_RATES_HZ) for seed in scenes]
    found += [("facing", seed, FACING_RATES_HZ) for seed in scenes]
    found += [("busy", seed, RATES_HZ) for seed in range(FIRST_BUSY_SEED, FIRST_BUSY_SEED + BUSY)]
    return found


def examples(cache: FeatureCache, kind: str, seed: int, rates_hz: tuple[float, ...]) -> Examples:
    """Features and labels (1 flip, 0 none) of one source at all rates that it reaches; of the calm rows a
    share of CALM_SHARE."""
    features, labels = [], []
    reached_hz = cache.recording(seed, kind).rate_hz
    for rate_hz in rates_hz:
        if rate_hz > rates_hz[0] and rate_hz >= 1.3 * reached_hz:
            continue
        rows = cache.judged(seed, rate_hz, kind)
        drawn = np.random.default_rng([seed, 31]).random(len(rows.label)) < CALM_SHARE
        keep = (rows.label == 1) | (drawn & (rows.label == 0))
        features.append(rows.features[keep])
        labels.append(rows.label[keep])
    return np.concatenate(features), np.concatenate(labels)


def train(features: Array, labels: NDArray[np.int8], epochs: int, seed: int = 3) -> FeedForward:
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
                decay = WEIGHT_DECAY * value * (value.ndim > 1)
                values[place][...] -= (rate * (move + decay)).astype(np.float32)
    return FeedForward(mean, scale, tuple(weights), tuple(biases))


def merged(networks: list[FeedForward]) -> FeedForward:
    """One network whose logit is the mean of the given networks' (they share inputs, mean and scale)."""
    first = np.concatenate([network.weights[0] for network in networks], axis=1)
    inner = [block_diag(*(network.weights[1] for network in networks)).astype(np.float32)]
    last = (np.concatenate([network.weights[2] for network in networks]) / len(networks)).astype(np.float32)
    biases = [np.concatenate([network.biases[layer] for network in networks]) for layer in (0, 1)]
    biases.append(np.asarray(np.mean([network.biases[2] for network in networks], axis=0), np.float32))
    return FeedForward(
        networks[0].mean, networks[0].scale, (first.astype(np.float32), *inner, last), tuple(biases)
    )


def train_ensemble(features: Array, labels: NDArray[np.int8], epochs: int, members: int = 2) -> FeedForward:
    """The mean of `members` networks, with the prior of the full data."""
    networks = []
    for seed in range(11, 11 + members):
        network = train(features, labels, epochs, seed)
        biases = (*network.biases[:-1], network.biases[-1] + np.float32(np.log(CALM_SHARE)))
        networks.append(replace(network, biases=biases))
    return merged(networks)


def prepare(cache: FeatureCache, stores: int, share: int, shares: int) -> None:
    """Record what one share of the sources holds and compute its rows."""
    for source in sources(stores)[share::shares]:
        examples(cache, *source)
        print(f"{source[0]} {source[1]}", file=sys.stderr)


def average_precision(network: FeedForward, cache: FeatureCache, seeds: range, rate_hz: float) -> float:
    """Of the rows of validation stores, from the most to the least likely one."""
    scores, labels = [], []
    for seed in seeds:
        rows = cache.judged(seed, rate_hz)
        known = (rows.label >= 0) & (rows.time_s > WARM_UP_S)
        scores.append(network(rows.features[known].astype(np.float32)))
        labels.append(rows.label[known] == 1)
    right = np.concatenate(labels)[np.argsort(-np.concatenate(scores), kind="stable")]
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())


def put_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays beside the others that the file holds."""
    with np.load(path, allow_pickle=False) as there:
        kept = {name: there[name] for name in there.files}
    np.savez_compressed(path, allow_pickle=False, **{**kept, **arrays})


def save(network: FeedForward, path: Path, note: dict[str, object]) -> None:
    arrays: dict[str, NDArray[Any]] = {f"weight{layer}": value for layer, value in enumerate(network.weights)}
    arrays |= {f"bias{layer}": value for layer, value in enumerate(network.biases)}
    put_arrays(
        path, arrays | {"mean": network.mean, "scale": network.scale, "note": np.array(json.dumps(note))}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--cache", type=Path, default=Path("flip-training"), help="folder for stores and rows"
    )
    parser.add_argument("--stores", type=int, default=146)
    parser.add_argument("--validation", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--part", help="K/N: only prepare the K-th of N shares of the rows (K from 0)")
    parser.add_argument("--out", type=Path, default=Path("rfid_reader/flips/production.npz"))
    options = parser.parse_args()
    cache = FeatureCache(options.cache, options.seconds)
    validation = range(FIRST_VALIDATION_SEED, FIRST_VALIDATION_SEED + options.validation)
    if options.part:
        share, shares = map(int, options.part.split("/"))
        prepare(cache, options.stores, share, shares)
        return
    found = []
    for source in sources(options.stores):
        found.append(examples(cache, *source))
        print(f"{source[0]} {source[1]}: {len(found[-1][1])} rows", file=sys.stderr)
    started_s = time.process_time()
    features, labels = (np.concatenate(column) for column in zip(*found, strict=True))
    network = train_ensemble(features, labels, options.epochs)
    note = {"stores": options.stores, "first_seed": FIRST_TRAINING_SEED, "seconds": options.seconds}
    save(network, options.out, note)
    print(f"{options.out}: trained in {time.process_time() - started_s:.0f} s")
    print("next: python -m rfid_reader.training.course")
    for rate_hz in VALIDATION_RATES_HZ:
        precision = average_precision(network, cache, validation, rate_hz)
        print(f"validation at {rate_hz:g} reads/s: average precision {precision:.3f}")


if __name__ == "__main__":
    main()
