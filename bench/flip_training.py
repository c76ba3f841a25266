"""Training of the production flip detector, on generated stores only: its network, then its marks.

    python -m bench.flip_training --cache /tmp/flips            # everything; about 30 minutes of one core
    python -m bench.flip_training --cache /tmp/flips --part 1/4 # only prepare a share, beside others

Every training store is taken at several read rates. A row is one tag at one tick that the detector would
judge; it is positive if the tag was being turned over at the judged moment, and left out within MARGIN_S of a
flip's edges. The rules that make flips of scores are chosen on validation stores: the best event F1 among
those with few false alarms. Everything follows from seeds: the same code gives the same file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from bench.flip_features import WARM_UP_S, FeatureCache, Judged
from bench.flip_stores import Score, StoreRecording, match
from rfid_reader.flips.activity import BIN_S
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.network import Network
from rfid_reader.flips.smoothing import DELAY_TICKS, ScoreSmoother

RATES_HZ, SELDOM_RATE_HZ = (4.5, 9.0), 2.0
VALIDATION_RATES_HZ = (4.0, 8.0)
START_MARKS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8)
PAUSED_RATE_HZ = 6.0
LONE_RATES_HZ = (4.0, 14.0, 80.0)
FACING_RATES_HZ = (4.0, 20.0)
SCENES, BUSY = 80, 18
HIDDEN, WEIGHT_DECAY = (64, 32), 0.1
CALM_SHARE = 0.25
FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, FIRST_SCENE_SEED, FIRST_BUSY_SEED = 1000, 5000, 20_000, 2000
FALSE_PER_TAG_HOUR = 0.5
"""Rules are chosen among those with fewer false alarms than this on the validation stores."""
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
                decay = WEIGHT_DECAY * value * (value.ndim > 1)
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


def train_ensemble(features: Array, labels: NDArray[np.int8], epochs: int, members: int = 2) -> Network:
    """The mean of `members` networks, with the prior of the full data."""
    networks = []
    for seed in range(11, 11 + members):
        network = train(features, labels, epochs, seed)
        biases = (*network.biases[:-1], network.biases[-1] + np.float32(np.log(CALM_SHARE)))
        networks.append(replace(network, biases=biases))
    return merged(networks)


def prepare(cache: FeatureCache, stores: int, validation: range, share: int, shares: int) -> None:
    """Record what one share of the sources holds and compute its rows."""
    for source in sources(stores)[share::shares]:
        examples(cache, *source)
        print(f"{source[0]} {source[1]}", file=sys.stderr)


def event_score(
    recording: StoreRecording, rows: Judged, scores: NDArray[np.float64], rules: EventRules
) -> Score:
    """Scores of one store's rows made into flips, against the true ones."""
    maker = EventMaker(rules, rows.epcs, BIN_S / 2)
    ticks = np.round(rows.time_s / BIN_S - 0.1).astype(np.int64)
    offset_s = float(rows.time_s[0]) - float(ticks[0]) * BIN_S
    smoother = ScoreSmoother()
    groups = np.zeros(len(rows.epcs), np.int64)
    flips = []
    for tick in range(int(ticks[0]), int(ticks[-1]) + 40):
        here = slice(*np.searchsorted(ticks, [tick, tick + 1]).tolist())
        groups[rows.tag[here]] = rows.group[here]
        tags, smooth = smoother.tick(rows.tag[here], scores[here])
        flips += maker.tick((tick - DELAY_TICKS) * BIN_S + offset_s, tags, smooth, groups[tags])
    return match(flips + maker.close(recording.duration_s + 100), recording, WARM_UP_S)


def choose_rules(network: Network, cache: FeatureCache, seeds: range) -> tuple[EventRules, Score]:
    """The rules with the best F1 on validation stores among those with few false alarms."""
    stores = []
    for seed in seeds:
        for rate_hz in VALIDATION_RATES_HZ:
            rows = cache.judged(seed, rate_hz)
            stores.append((cache.recording(seed), rows, network(rows.features.astype(np.float32))))
    found = []
    for start in START_MARKS:
        rules = EventRules(start=start, stop=0.5 * start, least_ticks=2, rival_share=0.8)
        total = Score()
        for store in stores:
            total += event_score(*store, rules)
        found.append((total.f1 - max(0.0, total.false_per_tag_hour - FALSE_PER_TAG_HOUR), rules, total))
    _, rules, total = max(found, key=lambda one: one[0])
    return rules, total


def save(network: Network, rules: EventRules, path: Path, note: dict[str, object]) -> None:
    arrays: dict[str, NDArray[Any]] = {f"weight{layer}": value for layer, value in enumerate(network.weights)}
    arrays |= {f"bias{layer}": value for layer, value in enumerate(network.biases)}
    arrays |= {"mean": network.mean, "scale": network.scale, "note": np.array(json.dumps(note))}
    arrays["rules"] = np.array(json.dumps(asdict(rules)))
    np.savez_compressed(path, allow_pickle=False, **arrays)


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
        prepare(cache, options.stores, validation, share, shares)
        return
    found = []
    for source in sources(options.stores):
        found.append(examples(cache, *source))
        print(f"{source[0]} {source[1]}: {len(found[-1][1])} rows", file=sys.stderr)
    started_s = time.process_time()
    features, labels = (np.concatenate(column) for column in zip(*found, strict=True))
    network = train_ensemble(features, labels, options.epochs)
    rules, score = choose_rules(network, cache, validation)
    note = {"stores": options.stores, "first_seed": FIRST_TRAINING_SEED, "seconds": options.seconds}
    save(network, rules, options.out, note)
    print(f"{options.out}: trained in {time.process_time() - started_s:.0f} s; {rules}")
    print(
        f"validation: F1 {score.f1:.3f}, precision {score.precision:.3f}, recall {score.recall:.3f}, "
        f"{score.false_per_tag_hour:.2f} false alarms a tag-hour"
    )


if __name__ == "__main__":
    main()
