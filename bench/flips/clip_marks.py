"""Sets the rules by which the bench tells handled clips from others (`bench.flips.clips`), and prints them.

    python -m bench.flips.clip_marks --cache /tmp/flips

On stores from FIRST_SEED on, which have trained no network, each at both read rates of training. Takes four
seconds of one core a store. The rules go into `bench/flips/clips.py` by hand.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal

import numpy as np

from bench.flips.clips import Array, ClipRule, balanced_accuracy, clip_set
from bench.flips.judging import DetectorRun, run
from rfid_reader.simulator.recordings import StoreRecording, thinned
from rfid_reader.training.activity import RATES_HZ
from rfid_reader.training.activity_features import FeatureCache

FIRST_SEED = 1400
CALM_FOR_EACH = 4
AS_GOOD = 0.002
"""The mark is the median of those that are at most this much worse than the best."""


def best_mark(handled: Array, others: Array) -> tuple[float, float]:
    """The mark that separates best, and its balanced accuracy."""
    values = np.unique(np.concatenate([handled, others]))
    marks = 0.5 * (values[1:] + values[:-1])
    accuracy = np.array([balanced_accuracy(handled, others, mark) for mark in marks.tolist()])
    good = marks[accuracy >= accuracy.max() - AS_GOOD]
    mark = float(good[len(good) // 2])
    return mark, balanced_accuracy(handled, others, mark)


def best_rule(runs: list[tuple[StoreRecording, DetectorRun]]) -> tuple[ClipRule, float, float]:
    """The rule with the best accuracy over both kinds of clips, and its accuracy against either."""
    found = []
    scores: tuple[Literal["mean"], Literal["highest"]] = ("mean", "highest")
    for score in scores:
        clips = clip_set(runs, score, CALM_FOR_EACH)
        calm, calm_accuracy = best_mark(clips.handled.scores, clips.others["calm"].scores)
        pushed, pushed_accuracy = best_mark(clips.handled.scores, clips.others["pushed"].scores)
        rule = ClipRule(score, round(calm, 3), round(pushed, 3))
        print(f"{rule}: {calm_accuracy:.3f}, {pushed_accuracy:.3f}", file=sys.stderr)
        found.append((rule, calm_accuracy, pushed_accuracy))
    return max(found, key=lambda one: one[1] + one[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cache", type=Path, default=Path("flip-training"), help="folder for stores")
    parser.add_argument("--methods", default="production,raw,js")
    parser.add_argument("--stores", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=180.0)
    options = parser.parse_args()
    cache = FeatureCache(options.cache, options.seconds)
    runs: dict[str, list[tuple[StoreRecording, DetectorRun]]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + options.stores):
        for rate_hz in RATES_HZ:
            thin = thinned(cache.recording(seed), rate_hz, seed)
            for method in options.methods.split(","):
                runs.setdefault(method, []).append((thin, run(method, thin.reads)))
        print(f"store {seed}", file=sys.stderr)
    for method, of_method in runs.items():
        rule, calm, pushed = best_rule(of_method)
        print(f'"{method}": {rule}, right {calm:.3f} of calm and handled, {pushed:.3f} of pushed and handled')


if __name__ == "__main__":
    main()
