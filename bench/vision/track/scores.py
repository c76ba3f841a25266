"""How well tracks agree with the truth: MOTA and IDF1 by motmetrics, HOTA by trackeval, and metres off."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.vision.track.clips import COUNTS, FLOOR_X, FLOOR_Y, HEIGHT, LEFT
from runtime.geometry import Floats
from runtime.vision.track.view import box_iou
from runtime.vision.tracklog import TrackRow
from tagsight.errors import TagsightError

MATCH_IOU = 0.5


@dataclass(frozen=True)
class Scores:
    """Of the rows of some frames; `hota` is None where trackeval is not installed."""

    mota: float
    idf1: float
    hota: float | None
    switches: int
    false_alarms: int
    misses: int
    true_ids: int
    errors_m: tuple[float, ...]
    """How far every matched person is from the truth on the floor, metres."""


def scores_of(truth: Floats, rows: list[TrackRow], frames: Sequence[int]) -> Scores:
    """Compare rows with the truth (MOT15 columns) of these frames.

    Raises TagsightError where motmetrics is not installed.
    """
    try:
        import motmetrics
    except ImportError as error:
        raise TagsightError("motmetrics is not installed: pip install 'tagsight[dev]'") from error
    by_frame = defaultdict(list)
    for row in rows:
        by_frame[row.frame].append(row)
    account = motmetrics.MOTAccumulator(auto_id=True)
    errors_m: list[float] = []
    pages: list[tuple[list[int], list[int], Floats]] = []
    for frame in frames:
        there, seen = truth[truth[:, 0] == frame + 1], by_frame[frame]
        iou = box_iou(_ltrb(there[:, LEFT : HEIGHT + 1]), _ltrb(np.array([row.box for row in seen])))
        pages.append((there[:, 1].astype(int).tolist(), [row.track for row in seen], iou))
        account.update(pages[-1][0], pages[-1][1], np.where(iou >= MATCH_IOU, 1 - iou, np.nan))
        if there.shape[1] > FLOOR_Y:
            for person, at in zip(*np.nonzero(iou >= MATCH_IOU), strict=True):
                floor = seen[at].floor_xy_m
                if floor is not None:
                    gap = np.array(floor) - there[person, FLOOR_X : FLOOR_Y + 1]
                    errors_m.append(float(np.hypot(*gap)))
    names = ["mota", "idf1", "num_switches", "num_false_positives", "num_misses", "num_unique_objects"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = motmetrics.metrics.create().compute(account, metrics=names, name="clip")
    found: dict[str, Any] = summary.loc["clip"].to_dict()
    return Scores(
        mota=float(found["mota"]),
        idf1=float(found["idf1"]),
        hota=hota(pages),
        switches=int(found["num_switches"]),
        false_alarms=int(found["num_false_positives"]),
        misses=int(found["num_misses"]),
        true_ids=int(found["num_unique_objects"]),
        errors_m=tuple(errors_m),
    )


def hota(pages: Sequence[tuple[list[int], list[int], Floats]]) -> float | None:
    """HOTA, the mean over IoU thresholds .05 to .95, of frames (true ids, track ids, IoU (n, m)).

    Source: Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2021. None
    where trackeval is not installed.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            from trackeval.metrics.hota import HOTA
    except ImportError:
        return None
    true_numbers: dict[int, int] = {}
    track_numbers: dict[int, int] = {}
    data: dict[str, Any] = {
        "gt_ids": [
            np.array([true_numbers.setdefault(i, len(true_numbers)) for i in a], int) for a, _, _ in pages
        ],
        "tracker_ids": [
            np.array([track_numbers.setdefault(i, len(track_numbers)) for i in b], int) for _, b, _ in pages
        ],
        "similarity_scores": [iou for _, _, iou in pages],
        "num_gt_dets": sum(len(a) for a, _, _ in pages),
        "num_tracker_dets": sum(len(b) for _, b, _ in pages),
    }
    data |= {"num_gt_ids": len(true_numbers), "num_tracker_ids": len(track_numbers)}
    return float(HOTA().eval_sequence(data)["HOTA"].mean())


def without_unmarked(rows: list[TrackRow], truth: Floats) -> list[TrackRow]:
    """The rows that lie on no person marked not to count."""
    unmarked = truth[truth[:, COUNTS] == 0]
    kept = []
    for row in rows:
        there = unmarked[unmarked[:, 0] == row.frame + 1]
        iou = box_iou(_ltrb(np.array([row.box])), _ltrb(there[:, LEFT : HEIGHT + 1]))
        if not (iou >= MATCH_IOU).any():
            kept.append(row)
    return kept


def _ltrb(boxes: Floats) -> Floats:
    table = boxes.reshape(-1, 4)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:]], axis=1)
