"""Clips, the way the published system reports: is this stretch of one tag's reads a handled garment or not?

Clips of handled garments are compared with as many calm ones (any tag, any time without a flip of its own,
walkers and all), and with those of garments that were only pushed by their neighbours. A clip's score is the
detector's highest in it. The mark between the classes is set on every other store and used on the rest, both
ways round, so no clip is judged by a mark that it helped to set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.flip_judging import WARM_UP_S, Run
from bench.flip_stores import StoreRecording

CLIP_S = 4.0
APART_S = 5.0
LEAST_READS = 4
PUBLISHED = {"js": 0.94, "raw": 0.919}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Clips:
    """Scores of clips, and the number of the store that each is of."""

    scores: Array
    store: NDArray[np.int64]


@dataclass(frozen=True)
class ClipRow:
    """Two-class accuracy and area under the ROC curve of one method. `handled` and `others` are numbers of
    clips, `unjudged` those with fewer than LEAST_READS reads, which are left out."""

    method: str
    rate_hz: float
    against: str
    accuracy: float
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
    runs: list[tuple[StoreRecording, Run]], moments: list[list[tuple[str, float, float]]]
) -> tuple[Clips, int]:
    scores, stores, unjudged = [], [], 0
    for number, ((recording, run), wanted) in enumerate(zip(runs, moments, strict=True)):
        for epc, start_s, end_s in wanted:
            reads = recording.reads
            inside = (reads.epc == epc) & (reads.time_s >= start_s) & (reads.time_s <= end_s)
            if inside.sum() < LEAST_READS:
                unjudged += 1
                continue
            scores.append(run.scores.highest(epc, start_s, end_s))
            stores.append(number)
    return Clips(np.array(scores), np.array(stores, np.int64)), unjudged


def area_under_roc(positive: Array, negative: Array) -> float:
    """Chance that a positive scores above a negative; ties count half (Mann and Whitney 1947)."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / (2 * len(order))) if len(order) and len(positive) else float("nan")


def _balanced(positive: Array, negative: Array, mark: float) -> float:
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
        best = max(marks.tolist(), key=lambda mark: _balanced(fit[0], fit[1], mark))
        found.append(_balanced(test[0], test[1], best))
    return float(np.mean(found)) if found else float("nan")


def clip_rows(method: str, rate_hz: float, runs: list[tuple[StoreRecording, Run]]) -> list[ClipRow]:
    """Handled against calm, and handled against pushed clips, of one method at one rate."""
    flips = [
        [(flip.epc, flip.start_s, flip.end_s) for flip in recording.flips if flip.start_s >= WARM_UP_S]
        for recording, _ in runs
    ]
    handled, few = _score(runs, flips)
    calm = [_calm_moments(recording, len(flips[row]), row) for row, (recording, _) in enumerate(runs)]
    pushed = [_pushed_moments(recording) for recording, _ in runs]
    rows = []
    for against, moments in (("calm", calm), ("pushed", pushed)):
        others, unjudged = _score(runs, moments)
        rows.append(
            ClipRow(
                method,
                rate_hz,
                against,
                round(cross_fitted_accuracy(handled, others), 3),
                round(area_under_roc(handled.scores, others.scores), 3),
                len(handled.scores),
                len(others.scores),
                few + unjudged,
            )
        )
    return rows
