"""MOT figures of `tagsight video`'s path on labelled clips, and how far people are from where they stood.

PETS09-S2L1 is tracked on its floor (the plaza of `tagsight demo`), TUD-Campus without one. Each is also
tracked at a third and at half of its frames a second and on frames dropped at random (60 % kept, seed 3): the
ids must hold. MOTA and IDF1 are motmetrics' at IoU 0.5 against the boxes marked to count. PETS also has boxes
marked not to count (people far down the road); a track on one of them is a false alarm in `MOTA`, and
neither right nor wrong in `MOTA, unmarked ignored`.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.inputs import shared_file
from engines.inference.detector import Detections, PersonDetector
from runtime.config import StoreConfig, image_to_floor, load_at_work
from runtime.errors import TagsightError
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from runtime.geometry import Floats
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from runtime.vision.track.view import box_iou
from runtime.vision.tracklog import Row, TrackLog

PLAZA = Path(__file__).parents[2] / "runtime" / "demo" / "plaza.yaml"
CLIPS = {
    "PETS09-S2L1": ("video-mot15-pets09-s2l1/PETS09-S2L1.mp4", PLAZA),
    "TUD-Campus": ("video-mot15-tud-campus/TUD-Campus.mp4", None),
}
NANO = "det-yolox-nano/yolox_nano.onnx"
MATCH_IOU = 0.5
KEPT_SHARE, SEED = 0.6, 3
LEFT, TOP, WIDTH, HEIGHT, COUNTS, FLOOR_X, FLOOR_Y = 2, 3, 4, 5, 6, 7, 8
"""Columns of MOT15 ground truth after frame (from 1) and id."""


@dataclass(frozen=True)
class Clip:
    """A labelled clip with what a detector found in it. `truth` is MOT15 text as an array."""

    name: str
    size: tuple[int, int]
    fps: float
    config: StoreConfig | None
    truth: Floats
    found: list[Detections]


@dataclass(frozen=True)
class Figures:
    """How one detector's boxes were tracked in one clip at one rate."""

    clip: str
    detector: str
    frames: str
    mota: float
    mota_unmarked_ignored: float
    idf1: float
    switches: int
    false_alarms: int
    misses: int
    ids: int
    true_ids: int
    floor_error_m: float | None
    update_ms: float


@click.command()
@click.option(
    "--detector", "detectors", multiple=True, help="Engine or .onnx; else YOLOX-nano and our own two."
)
@click.option("--clip", "clips", multiple=True, type=click.Choice(list(CLIPS)), help="Else both.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def tracking(detectors: tuple[str, ...], clips: tuple[str, ...], as_json: bool) -> None:
    """MOT figures and floor error on labelled clips.

    \b
    Example:
      tagsight bench tracking --clip PETS09-S2L1 --detector person-detector
    """
    weights = detectors or (str(shared_file(NANO, "--detector")), "person-detector", "person-detector-lite")
    figures = [
        judged
        for name in clips or CLIPS
        for detector in weights
        for judged in figures_of(labelled(name, detector), Path(detector).stem)
    ]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in figures], indent=1))
    else:
        _print(figures)


def labelled(name: str, detector: str) -> Clip:
    """A clip with its truth and the detector's boxes of every frame. Raises TagsightError, EngineError."""
    file, plan = CLIPS[name]
    path = shared_file(file, "--clip")
    config = load_at_work(plan, clips_needed=False) if plan is not None else None
    finder = PersonDetector.open(detector)
    source = open_source(f"file:{path}?pace=fast")
    found = []
    while (frame := read(source)) is not None:
        found.append(finder.detect(frame.image))
    source.close()
    truth = np.loadtxt(path.parent / "gt.txt", delimiter=",")
    return Clip(name, source.size, source.fps, config, truth, found)


def figures_of(clip: Clip, detector: str) -> list[Figures]:
    """The figures at full rate, at a half, at a third, and with frames missing at random."""
    count = len(clip.found)
    kept = np.random.default_rng(SEED).random(count) < KEPT_SHARE
    rates = {
        f"all, {clip.fps:.0f} fps": range(count),
        f"every 2nd, {clip.fps / 2:.1f} fps": range(0, count, 2),
        f"every 3rd, {clip.fps / 3:.1f} fps": range(0, count, 3),
        f"{KEPT_SHARE:.0%} at random": np.flatnonzero(kept).tolist(),
    }
    return [judge(clip, detector, name, frames) for name, frames in rates.items()]


def judge(clip: Clip, detector: str, name: str, frames: Sequence[int]) -> Figures:
    """Track the clip's boxes in `frames` and compare with the truth of those frames."""
    rows, update_ms = track(clip, frames)
    counted = clip.truth[clip.truth[:, COUNTS] == 1]
    strict, errors_m = mot_summary(counted, rows, frames)
    lenient, _ = mot_summary(counted, without(rows, clip.truth), frames)
    return Figures(
        clip=clip.name,
        detector=detector,
        frames=name,
        mota=float(strict["mota"]),
        mota_unmarked_ignored=float(lenient["mota"]),
        idf1=float(strict["idf1"]),
        switches=int(strict["num_switches"]),
        false_alarms=int(strict["num_false_positives"]),
        misses=int(strict["num_misses"]),
        ids=len({row.track for row in rows}),
        true_ids=int(strict["num_unique_objects"]),
        floor_error_m=statistics.median(errors_m) if errors_m else None,
        update_ms=update_ms,
    )


def track(clip: Clip, frames: Sequence[int]) -> tuple[list[Row], float]:
    """Rows as `tagsight video --tracks` writes them, and the median CPU time of a tracker update in ms."""
    camera = clip.config.cameras[0] if clip.config is not None else None
    floor = image_to_floor(camera, clip.size) if camera is not None else None
    extent = clip.config.floor.extent() if clip.config is not None else None
    tracker, log = FloorTracker(TrackerSettings(), CameraView(*clip.size, floor)), TrackLog()
    rows: list[Row] = []
    took_ms = []
    for frame in frames:
        boxes, time_s = clip.found[frame], frame / clip.fps
        start_s = time.thread_time()
        tracks = tracker.update(boxes.boxes, boxes.scores, time_s)
        took_ms.append((time.thread_time() - start_s) * 1e3)
        rows += log.add(frame, time_s, tracks, tracker.ended)
    rows += log.finish()
    return [row for row in rows if row.on_plan(extent)], statistics.median(took_ms)


def mot_summary(truth: Floats, rows: list[Row], frames: Sequence[int]) -> tuple[dict[str, Any], list[float]]:
    """motmetrics' summary, and how far every matched person is from the truth on the floor, in metres.

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
    for frame in frames:
        there, seen = truth[truth[:, 0] == frame + 1], by_frame[frame]
        overlap = box_iou(_ltrb(there[:, LEFT : HEIGHT + 1]), _ltrb(np.array([row.box for row in seen])))
        distance = np.where(overlap >= MATCH_IOU, 1 - overlap, np.nan)
        account.update(there[:, 1].astype(int), [row.track for row in seen], distance)
        if there.shape[1] > FLOOR_Y:
            for person, at in zip(*np.nonzero(overlap >= MATCH_IOU), strict=True):
                floor = seen[at].floor_xy_m
                if floor is not None:
                    errors_m.append(
                        float(np.hypot(*(np.array(floor) - there[person, FLOOR_X : FLOOR_Y + 1])))
                    )
    names = ["mota", "idf1", "num_switches", "num_false_positives", "num_misses", "num_unique_objects"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = motmetrics.metrics.create().compute(account, metrics=names, name="clip")
    return summary.loc["clip"].to_dict(), errors_m


def without(rows: list[Row], truth: Floats) -> list[Row]:
    """The rows that lie on no person marked not to count."""
    unmarked = truth[truth[:, COUNTS] == 0]
    kept = []
    for row in rows:
        there = unmarked[unmarked[:, 0] == row.frame + 1]
        overlap = box_iou(_ltrb(np.array([row.box])), _ltrb(there[:, LEFT : HEIGHT + 1]))
        if not (overlap >= MATCH_IOU).any():
            kept.append(row)
    return kept


def _ltrb(boxes: Floats) -> Floats:
    table = boxes.reshape(-1, 4)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:]], axis=1)


def _print(figures: list[Figures]) -> None:
    table = Table(
        "clip", "detector", "frames", "MOTA", "unmarked ignored", "IDF1", "switches", "false", "missed"
    )
    for name in ("ids (true)", "floor error", "update"):
        table.add_column(name)
    for each in figures:
        table.add_row(
            each.clip,
            each.detector,
            each.frames,
            f"{each.mota:.3f}",
            f"{each.mota_unmarked_ignored:.3f}",
            f"{each.idf1:.3f}",
            str(each.switches),
            str(each.false_alarms),
            str(each.misses),
            f"{each.ids} ({each.true_ids})",
            "" if each.floor_error_m is None else f"{each.floor_error_m:.2f} m",
            f"{each.update_ms:.2f} ms",
        )
    Console(width=170).print(table)
