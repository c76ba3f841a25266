"""Customers who stand and mannequins beside them, in a rendered clip: who was followed, what was counted.

The truth is that of `engines.training.synthetic` (MOT16): class 1 are people, class 7 mannequins, the last
column is the share of the body that shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from enum import Enum

import msgspec
import numpy as np

from bench.vision.track.clips import HEIGHT, LEFT
from runtime.geometry import Floats
from runtime.vision.track import TrackerSettings
from runtime.vision.track.view import box_iou
from runtime.vision.tracklog import TrackRow

KIND, VISIBLE = 7, 8
PERSON, MANNEQUIN = 1, 7
LEAST_VISIBLE = 0.5
"""Of whom less shows, nothing is asked."""
MATCH_IOU, NEAR_IOU = 0.5, 0.2
LEAST_S = 5.0
"""Whoever is in sight for less is no customer who stands."""


class StandingFigures(msgspec.Struct, frozen=True):
    """Of one clip."""

    customers: int
    followed: float
    """Share of their time in sight in which they are followed, the mean over customers."""
    followed_least: float
    detected: float
    """The same of the detector's boxes: who has none cannot be followed."""
    mannequins: int
    counted: int
    """Mannequins that a track lay on for more than a second."""
    losses: dict[str, float] = {}
    """Why the others' time was lost, each a share of all customers' time in sight (`Loss`)."""


class Loss(Enum):
    """Why a customer whom a frame shows is not followed there."""

    NO_BOX = "no box near them"
    OTHER_BOX = "a box near them is of less than half of them, or of more"
    WEAK_BOX = "the box scores too little"
    NOT_TOLD = "a good box, and no track"


def has_mannequins(truth: Floats) -> bool:
    """Whether that is such a truth."""
    return truth.shape[1] > VISIBLE and bool((truth[:, KIND] == MANNEQUIN).any())


def standing_of(
    truth: Floats, rows: Sequence[TrackRow], boxes: Sequence[TrackRow], frames: Sequence[int], fps: float
) -> StandingFigures:
    """What of the customers and mannequins was followed in these frames, which come `fps` a second.

    `boxes` are the detector's, as rows with their scores.
    """
    shares, counted = _shares(truth, rows, frames, fps)
    detected, _ = _shares(truth, boxes, frames, fps)
    return StandingFigures(
        customers=len(shares),
        followed=float(np.mean(shares)) if shares else 0.0,
        followed_least=min(shares, default=0.0),
        detected=float(np.mean(detected)) if detected else 0.0,
        mannequins=len({int(row[1]) for row in truth if row[KIND] == MANNEQUIN}),
        counted=counted,
        losses=_losses(truth, rows, boxes, frames),
    )


def _losses(
    truth: Floats, rows: Sequence[TrackRow], boxes: Sequence[TrackRow], frames: Sequence[int]
) -> dict[str, float]:
    """The share of all customers' time in sight that each cause takes."""
    told, found = _by_frame(rows), _by_frame(boxes)
    counts: Counter[Loss] = Counter()
    asked = 0
    for frame in frames:
        there = truth[(truth[:, 0] == frame + 1) & (truth[:, VISIBLE] >= LEAST_VISIBLE)]
        people = _ltrb(there[there[:, KIND] == PERSON, LEFT : HEIGHT + 1])
        asked += len(people)
        followed = _overlaps(people, told[frame]).max(axis=1, initial=0.0) >= MATCH_IOU
        scores = np.array([row.score for row in found[frame]])
        for iou in _overlaps(people, found[frame])[~followed]:
            good = iou >= MATCH_IOU
            if not good.any():
                counts[Loss.OTHER_BOX if iou.max(initial=0.0) >= NEAR_IOU else Loss.NO_BOX] += 1
            elif scores[good].max() < TrackerSettings.birth_score:
                counts[Loss.WEAK_BOX] += 1
            else:
                counts[Loss.NOT_TOLD] += 1
    return {loss.value: counts[loss] / max(1, asked) for loss in Loss}


def _by_frame(rows: Sequence[TrackRow]) -> defaultdict[int, list[TrackRow]]:
    by_frame: defaultdict[int, list[TrackRow]] = defaultdict(list)
    for row in rows:
        by_frame[row.frame].append(row)
    return by_frame


def _overlaps(people: Floats, rows: Sequence[TrackRow]) -> Floats:
    return box_iou(people, _ltrb(np.array([row.box for row in rows]).reshape(-1, 4)))


def _ltrb(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _shares(
    truth: Floats, rows: Sequence[TrackRow], frames: Sequence[int], fps: float
) -> tuple[list[float], int]:
    """Each customer's share of their time, and how many mannequins had a track for more than a second."""
    by_frame: defaultdict[int, list[TrackRow]] = defaultdict(list)
    for row in rows:
        by_frame[row.frame].append(row)
    seen: defaultdict[int, list[bool]] = defaultdict(list)
    thing_frames: defaultdict[int, int] = defaultdict(int)
    for frame in frames:
        there = truth[(truth[:, 0] == frame + 1) & (truth[:, VISIBLE] >= LEAST_VISIBLE)]
        boxes = there[:, LEFT : HEIGHT + 1].copy()
        boxes[:, 2:] += boxes[:, :2]
        told = np.array([row.box for row in by_frame[frame]]).reshape(-1, 4)
        told[:, 2:] += told[:, :2]
        iou = box_iou(boxes, told)
        best = iou.max(axis=1, initial=0.0)
        # A track that lies on a person is that person's, whoever stands beside them.
        people = iou[there[:, KIND] == PERSON].max(axis=0, initial=0.0)
        for row, overlap, whose in zip(there, best, iou, strict=True):
            number = int(row[1])
            if row[KIND] == PERSON:
                seen[number].append(bool(overlap >= MATCH_IOU))
            elif row[KIND] == MANNEQUIN:
                thing_frames[number] += bool(((whose >= MATCH_IOU) & (whose > people)).any())
    shares = [float(np.mean(each)) for each in seen.values() if len(each) >= LEAST_S * fps]
    return shares, sum(count > fps for count in thing_frames.values())
