"""The action net on crops labelled by eye (`bench/vision/labels/action.csv`; the pictures are not shipped).

What a label means: `engines.evaluation.eye_labels`; unclear ones are not counted. The crops are from the
last two fifths of the supermarket clip, the whole aisle clip, and every tenth crop of INRIA's. Training saw
none of them, nor the aisle at all, but it saw the supermarket and its people earlier in the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.evaluation.eye_labels import HANDLING, UNCLEAR, labelled_images, read_labels
from engines.inference.action import ACTION_WEIGHTS, ActionClassifier

LABELS = Path(__file__).parent / "labels" / "action.csv"
PLACES = {
    "video-retail-nvidia": "supermarket",
    "video-intel-people": "aisle",
    "img-inria-person-crops": "streets",
}
EVERYWHERE = "all"
OWED_RECALL, OWED_PRECISION = 0.85, 0.80
THRESHOLD = 0.5


@dataclass(frozen=True)
class ActionRating:
    """What the net reached at its threshold, average precision, and best recall at the precision owed."""

    place: str
    crops: int
    handling: int
    precision: float
    recall: float
    average_precision: float
    recall_at_owed: float


def rate_all(data: Path, threads: int) -> list[ActionRating]:
    """The shipped net on every place and on all together."""
    judge = ActionClassifier.open(ACTION_WEIGHTS, threads=threads)
    scores: dict[str, list[float]] = {}
    truth: dict[str, list[bool]] = {}
    for image, boxes in labelled_images(data, [box for box in read_labels(LABELS) if box.label != UNCLEAR]):
        values = judge.handling_probability(image, [box.box for box in boxes]).tolist()
        for box, value in zip(boxes, values, strict=True):
            for place in (PLACES[box.clip.split("/")[0]], EVERYWHERE):
                scores.setdefault(place, []).append(value)
                truth.setdefault(place, []).append(box.label == HANDLING)
    return [
        rate(place, np.asarray(values), np.asarray(truth[place])) for place, values in sorted(scores.items())
    ]


def rate(place: str, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> ActionRating:
    """Figures of scores (n,) in 0..1 against the truth (n,)."""
    called = scores >= THRESHOLD
    hits = int((called & truth).sum())
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(truth[order])
    precisions = found / np.arange(1, len(order) + 1)
    keeping = np.flatnonzero(precisions >= OWED_PRECISION)
    persons = max(1, int(truth.sum()))
    return ActionRating(
        place,
        len(truth),
        int(truth.sum()),
        hits / max(1, int(called.sum())),
        hits / persons,
        float(precisions[truth[order]].mean()) if truth.any() else 0.0,
        float(found[keeping[-1]] / persons) if len(keeping) else 0.0,
    )


def verdicts(ratings: list[ActionRating]) -> list[str]:
    """A line for what is owed."""
    everywhere = next(rating for rating in ratings if rating.place == EVERYWHERE)
    met = everywhere.recall >= OWED_RECALL and everywhere.precision >= OWED_PRECISION
    return [
        f"owed: recall >= {OWED_RECALL:g} at precision >= {OWED_PRECISION:g}; handling goods: recall "
        f"{everywhere.recall:.3f} at precision {everywhere.precision:.3f}, {'met' if met else 'missed'}"
    ]
