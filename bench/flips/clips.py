"""Clips, the way the published system reports: is this stretch of one tag's reads a handled garment or not?

Clips of handled garments, as long as the handling, are compared with as many calm ones of CLIP_S (any tag, at
any time without a flip of its own, walkers and all), and with those of garments that were only pushed by
their neighbours. A clip's score is made of what the detector says about the moments in it: their mean
log-odds, or the highest score, whichever separates the clips of the training stores better. The marks between
the classes come from these stores too (`clip_marks`); beside the accuracy at them stands what marks set
on every other test store give on the rest, both ways round. A moment is judged the detector's look-ahead
after it, so nothing later than that is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.flips.judging import WARM_UP_S, DetectorRun
from rfid_reader.simulator.recordings import StoreRecording

CLIP_S = 4.0
APART_S = 5.0
MIN_READS = 4
PUBLISHED = {"js": 0.94, "raw": 0.919}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class ClipRule:
    """What makes a clip's score, and the least score of a handled garment: beside calm ones, and beside
    pushed ones."""

    score: Literal["mean", "highest"]
    calm: float
    pushed: float


RULES = {
    "production": ClipRule("mean", -4.975, -3.505),
    "raw": ClipRule("highest", 0.025, 0.036),
    "js": ClipRule("highest", 0.014, 0.027),
}
"""As `python -m bench.flips.clip_marks` prints them."""


@dataclass(frozen=True)
class Clips:
    """Scores of clips, and the number of the store that each is of."""

    scores: Array
    store: NDArray[np.int64]


@dataclass(frozen=True)
class ClipRow:
    """Two-class accuracy (balanced: at the marks of training stores, and cross-fitted) and area under the ROC
    curve of one method. `handled` and `others` are numbers of clips, `unjudged` those with fewer than
    MIN_READS reads, which are left out."""

    method: str
    rate_hz: float
    against: str
    accuracy: float
    cross_fitted: float
    auc: float
    handled: int
    others: int
    unjudged: int


def _calm_moments(recording: StoreRecording, count: int, seed: int) -> list[tuple[str, float, float]]:
    rng = np.random.default_rng([seed, 99])
    epcs = np.unique(recording.reads.epc).tolist()
    found: list[tuple[str, float, float]] = []
    while len(found) < count:
        epc = epcs[int(rng.integers(len(epcs)))]
        start_s = float(rng.uniform(WARM_UP_S, recording.duration_s - CLIP_S - APART_S))
        if not _handled_near(recording, epc, start_s, start_s + CLIP_S):
            found.append((epc, start_s, start_s + CLIP_S))
    return found


def _handled_near(recording: StoreRecording, epc: str, start_s: float, end_s: float) -> bool:
    return any(
        flip.epc == epc and flip.start_s - APART_S < end_s and start_s < flip.end_s + APART_S
        for flip in recording.flips
    )


def _pushed_moments(recording: StoreRecording) -> list[tuple[str, float, float]]:
    """A clip a push, and one for pushes of a tag that overlap in time."""
    found: list[tuple[str, float, float]] = []
    last_end_s: dict[str, float] = {}
    for push in recording.pushes:
        start_s = push.start_s - 0.5
        if start_s < max(WARM_UP_S, last_end_s.get(push.epc, 0.0)):
            continue
        if not _handled_near(recording, push.epc, start_s, start_s + CLIP_S):
            found.append((push.epc, start_s, start_s + CLIP_S))
            last_end_s[push.epc] = start_s + CLIP_S
    return found


def _score(
    runs: list[tuple[StoreRecording, DetectorRun]],
    moments: list[list[tuple[str, float, float]]],
    score: Literal["mean", "highest"],
) -> tuple[Clips, int]:
    scores, stores, unjudged = [], [], 0
    for number, ((recording, run), wanted) in enumerate(zip(runs, moments, strict=True)):
        score_of = run.scores.mean_log_odds if score == "mean" else run.scores.highest
        for epc, start_s, end_s in wanted:
            reads = recording.reads
            inside = (reads.epc == epc) & (reads.time_s >= start_s) & (reads.time_s <= end_s)
            if inside.sum() < MIN_READS:
                unjudged += 1
                continue
            scores.append(score_of(epc, start_s, end_s))
            stores.append(number)
    return Clips(np.array(scores), np.array(stores, np.int64)), unjudged


def area_under_roc(positive: Array, negative: Array) -> float:
    """Chance that a positive scores above a negative; ties count half (Mann and Whitney 1947)."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / (2 * len(order))) if len(order) and len(positive) else float("nan")


def balanced_accuracy(positive: Array, negative: Array, mark: float) -> float:
    """Mean of the shares of positives from the mark on and of negatives below it; nan without either."""
    if not len(positive) or not len(negative):
        return float("nan")
    return 0.5 * float((positive >= mark).mean()) + 0.5 * float((negative < mark).mean())


def cross_fitted_accuracy(positive: Clips, negative: Clips) -> float:
    """Balanced accuracy over both halves of the stores, each with the other half's best mark."""
    found = []
    for half in (0, 1):
        fit = [clips.scores[clips.store % 2 == half] for clips in (positive, negative)]
        test = [clips.scores[clips.store % 2 != half] for clips in (positive, negative)]
        if min(map(len, [*fit, *test])) == 0:
            continue
        values = np.unique(np.concatenate(fit))
        marks = np.concatenate([0.5 * (values[1:] + values[:-1]), [values[-1] + 1e-9]])
        best = max(marks.tolist(), key=lambda mark: balanced_accuracy(fit[0], fit[1], mark))
        found.append(balanced_accuracy(test[0], test[1], best))
    return float(np.mean(found)) if found else float("nan")


@dataclass(frozen=True)
class ClipSet:
    """Scored clips of handled garments and of the others, and how many of either had too few reads."""

    handled: Clips
    others: dict[str, Clips]
    handled_unjudged: int
    others_unjudged: dict[str, int]


def clip_set(
    runs: list[tuple[StoreRecording, DetectorRun]], score: Literal["mean", "highest"], calm_for_each: int = 1
) -> ClipSet:
    """The clips of all stores; `calm_for_each` calm ones for every handled one."""
    flips = [
        [(flip.epc, flip.start_s, flip.end_s) for flip in recording.flips if flip.start_s >= WARM_UP_S]
        for recording, _ in runs
    ]
    calm = [
        _calm_moments(recording, calm_for_each * len(flips[row]), row)
        for row, (recording, _) in enumerate(runs)
    ]
    handled, few = _score(runs, flips, score)
    pushed = [_pushed_moments(recording) for recording, _ in runs]
    others = {"calm": _score(runs, calm, score), "pushed": _score(runs, pushed, score)}
    return ClipSet(
        handled,
        {against: clips for against, (clips, _) in others.items()},
        few,
        {against: unjudged for against, (_, unjudged) in others.items()},
    )


def clip_rows(method: str, rate_hz: float, runs: list[tuple[StoreRecording, DetectorRun]]) -> list[ClipRow]:
    """Handled against calm, and handled against pushed clips, of one method at one rate."""
    rule = RULES[method]
    found = clip_set(runs, rule.score)
    rows = []
    for against, mark in (("calm", rule.calm), ("pushed", rule.pushed)):
        others = found.others[against]
        rows.append(
            ClipRow(
                method,
                rate_hz,
                against,
                round(balanced_accuracy(found.handled.scores, others.scores, mark), 3),
                round(cross_fitted_accuracy(found.handled, others), 3),
                round(area_under_roc(found.handled.scores, others.scores), 3),
                len(found.handled.scores),
                len(others.scores),
                found.handled_unjudged + found.others_unjudged[against],
            )
        )
    return rows
