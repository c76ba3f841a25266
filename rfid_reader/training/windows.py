"""Fits the decisions of the `js` and `raw` detectors on generated stores, and prints them.

    python -m rfid_reader.training.windows --cache /tmp/flips

The logistic weights come from training stores, the marks (start, stop, quiet_s) are those with the best event
F1 on validation stores; both go into `rfid_reader/flips/methods/js.py` and `raw.py` by hand. Takes about a
minute of one core for each, beside the stores, which it shares with `rfid_reader.training.activity`.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.methods.js import JsDetector
from rfid_reader.flips.methods.raw import RawDetector
from rfid_reader.flips.methods.windows import WindowDetector
from rfid_reader.simulator.recordings import Score, StoreRecording, flip_mask, match, thinned
from rfid_reader.training.activity import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED
from rfid_reader.training.activity_features import MARGIN_S, WARM_UP_S, FeatureCache

RATE_HZ = 5.0
START_QUANTILES = (0.97, 0.985, 0.99, 0.994, 0.996, 0.998, 0.999)
Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Tick:
    """Every pair at one tick: the judged moment, tag rows, features, and whether it was read often enough."""

    judged_s: float
    tags: Rows
    features: Array
    often: NDArray[np.bool_]


def ticks(kind: type[WindowDetector], recording: StoreRecording) -> tuple[list[Tick], list[str]]:
    """All ticks of a detector over a store, and the EPCs by tag row."""
    rows: list[Tick] = []

    class Recorder(kind):  # type: ignore[misc, valid-type]
        def _tick(self, time_s: float) -> list:  # type: ignore[type-arg]
            rows.append(Tick(self.judged_s(time_s), *self.pair_features(time_s)))
            return []

    recorder = Recorder()
    recorder.feed(recording.reads)
    recorder.finish()
    return rows, recorder.tag_rows.epcs


def logistic(features: Array, labels: Array, rounds: int = 30) -> Array:
    """Weights (bias first) by Newton's method, with a little ridge."""
    design = np.column_stack([np.ones(len(features)), features])
    weights = np.zeros(design.shape[1])
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (labels - chance) - 1e-3 * weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def fit_weights(kind: type[WindowDetector], stores: list[StoreRecording]) -> Array:
    features, labels = [], []
    for store in stores:
        rows, epcs = ticks(kind, store)
        mask = flip_mask(store.flips, epcs, np.array([row.judged_s for row in rows]), MARGIN_S)
        for place, row in enumerate(rows):
            if row.judged_s >= WARM_UP_S and len(row.tags):
                label = mask[row.tags, place]
                known = row.often & (label >= 0)
                features.append(row.features[known])
                labels.append(label[known])
    return logistic(np.concatenate(features), np.concatenate(labels).astype(np.float64))


def tag_scores(rows: list[Tick], weights: Array) -> list[tuple[float, Rows, Array]]:
    """The best score of every tag at every tick."""
    result = []
    for row in rows:
        tags, place = np.unique(row.tags, return_inverse=True)
        best = np.zeros(len(tags))
        if len(tags):
            logit = weights[0] + row.features @ weights[1:]
            np.maximum.at(best, place, np.where(row.often, 1 / (1 + np.exp(-logit)), 0.0))
        result.append((row.judged_s, tags, best))
    return result


def choose_rules(
    kind: type[WindowDetector], weights: Array, stores: list[StoreRecording]
) -> tuple[EventRules, Score]:
    scored = []
    for store in stores:
        rows, epcs = ticks(kind, store)
        scored.append((store, epcs, tag_scores(rows, weights)))
    every = np.concatenate([best for _, _, scores in scored for _, _, best in scores])
    found = []
    for start, share, quiet_s, least in itertools.product(
        np.quantile(every, START_QUANTILES).tolist(), (0.7,), (0.75, 2.0), (1, 2)
    ):
        rules = replace(kind.rules, start=start, stop=share * start, quiet_s=quiet_s, least_ticks=least)
        total = Score()
        for store, epcs, scores in scored:
            maker = EventMaker(rules, epcs, kind.step_s / 2)
            flips = [flip for at_s, tags, best in scores for flip in maker.tick(at_s, tags, best, tags)]
            total += match(flips + maker.close(store.duration_s), store, WARM_UP_S)
        found.append((total.f1, rules, total))
    _, rules, total = max(found, key=lambda one: one[0])
    return rules, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cache", type=Path, default=Path("flip-training"), help="folder for stores")
    parser.add_argument("--methods", default="js,raw")
    parser.add_argument("--stores", type=int, default=8)
    parser.add_argument("--validation", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=180.0)
    options = parser.parse_args()
    cache = FeatureCache(options.cache, options.seconds)

    def stores(first: int, count: int) -> list[StoreRecording]:
        return [thinned(cache.recording(first + number), RATE_HZ) for number in range(count)]

    training = stores(FIRST_TRAINING_SEED, options.stores)
    validation = stores(FIRST_VALIDATION_SEED, options.validation)
    kinds: dict[str, type[WindowDetector]] = {"js": JsDetector, "raw": RawDetector}
    for name in options.methods.split(","):
        kind = kinds[name]
        weights = fit_weights(kind, training)
        rules, score = choose_rules(kind, weights, validation)
        print(kind.__name__, "weights", [round(value, 3) for value in weights.tolist()])
        print(f"  {rules}")
        print(f"  validation: F1 {score.f1:.3f}, precision {score.precision:.3f}, recall {score.recall:.3f}")


if __name__ == "__main__":
    main()
