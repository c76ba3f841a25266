"""MOT figures of `tagsight video`'s path on labelled clips, and how far people are from where they stood.

PETS09-S2L1 is tracked on its floor (the plaza of `tagsight demo`) and without, TUD-Campus without one, and
so is any video file that has its `gt.txt` (or `NAME.gt.txt`) beside it. Each is also tracked at a half and a
third of its frames a second and on frames dropped at random (60 % kept, seed 3): the ids must hold. MOTA
and IDF1 are motmetrics' at IoU 0.5 against the boxes marked to count, HOTA is trackeval's. PETS also has
boxes not to count (people far down the road); a track on one of them is a false alarm in `MOTA`, and neither
right nor wrong in `MOTA, unmarked ignored`. Where they are installed, other trackers are given the same
boxes. Of rendered clips of customers who stand beside mannequins (`python -m engines.training.synthetic
clips`) it is also told who was followed, and which mannequins were counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.inputs import shared_file
from bench.vision.track import peers as track_peers
from bench.vision.track.clips import CLIPS, LabelledClip, labelled
from bench.vision.track.scores import scores_of, without_unmarked
from bench.vision.track.standing import StandingFigures, has_mannequins, standing_of
from runtime.config import image_to_floor
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, TrackerSettings
from runtime.vision.tracklog import TrackLog, TrackRow

NANO = "det-yolox-nano/yolox_nano.onnx"
KEPT_SHARE, SEED = 0.6, 3
OURS = "tagsight"


@dataclass(frozen=True)
class TrackingFigures:
    """How one detector's boxes were tracked in one clip at one rate by one tracker."""

    clip: str
    detector: str
    frames: str
    tracker: str
    floor: bool
    mota: float
    mota_unmarked_ignored: float
    idf1: float
    hota: float | None
    switches: int
    false_alarms: int
    misses: int
    ids: int
    true_ids: int
    floor_error_m: float | None
    update_ms: float | None
    standing: StandingFigures | None = None


@click.command()
@click.option(
    "--detector", "detectors", multiple=True, help="Engine or .onnx; else YOLOX-nano and our own two."
)
@click.option(
    "--clip", "clips", multiple=True, help=f"{', '.join(CLIPS)}, or a video beside its gt.txt; else both."
)
@click.option("--peers/--no-peers", default=True, help="Other trackers on the same boxes, where installed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def tracking(detectors: tuple[str, ...], clips: tuple[str, ...], peers: bool, as_json: bool) -> None:
    """MOT figures and floor error on labelled clips, beside other trackers on the same boxes.

    \b
    Example:
      tagsight bench tracking --clip PETS09-S2L1 --detector person-detector
    """
    weights = detectors or (str(shared_file(NANO, "--detector")), "person-detector", "person-detector-lite")
    others = track_peers.peers() if peers else ()
    if peers and not others:
        click.echo("no other trackers here: pip install --no-deps trackers trackeval", err=True)
    figures = [
        judged
        for name in clips or CLIPS
        for detector in weights
        for judged in figures_of(labelled(name, detector), Path(detector).stem, others)
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(figures), indent=1).decode())
    else:
        _print(figures)


def figures_of(clip: LabelledClip, detector: str, others: Sequence[str] = ()) -> list[TrackingFigures]:
    """The figures at full rate, at a half, at a third, and with frames missing at random."""
    count = len(clip.found)
    kept = np.random.default_rng(SEED).random(count) < KEPT_SHARE
    rates: dict[str, Sequence[int]] = {
        f"all, {clip.fps:.0f} fps": range(count),
        f"every 2nd, {clip.fps / 2:.1f} fps": range(0, count, 2),
        f"every 3rd, {clip.fps / 3:.1f} fps": range(0, count, 3),
        f"{KEPT_SHARE:.0%} at random": np.flatnonzero(kept).tolist(),
    }
    floors = (True, False) if clip.config is not None else (False,)
    figures = []
    for name, frames in rates.items():
        for floor in floors:
            rows, update_ms = track(clip, frames, floor)
            figures.append(_judged(clip, detector, name, frames, OURS, floor, rows, update_ms))
        for other in others:
            rows = track_peers.track(other, clip, frames)
            figures.append(_judged(clip, detector, name, frames, other, False, rows, None))
    return figures


def _judged(
    clip: LabelledClip,
    detector: str,
    name: str,
    frames: Sequence[int],
    tracker: str,
    floor: bool,
    rows: list[TrackRow],
    update_ms: float | None,
) -> TrackingFigures:
    strict = scores_of(clip.counted, rows, frames)
    standing = None
    if has_mannequins(clip.truth):
        fps = clip.fps * len(frames) / max(1, len(clip.found))
        boxes = [
            TrackRow(frame, 0.0, 0, (left, top, right - left, bottom - top), score, None)
            for frame in frames
            for (left, top, right, bottom), score in zip(
                clip.found[frame].boxes.tolist(), clip.found[frame].scores.tolist(), strict=True
            )
        ]
        standing = standing_of(clip.truth, rows, boxes, frames, fps)
    lenient = scores_of(clip.counted, without_unmarked(rows, clip.truth), frames)
    return TrackingFigures(
        clip=clip.name,
        detector=detector,
        frames=name,
        tracker=tracker,
        floor=floor,
        mota=strict.mota,
        mota_unmarked_ignored=lenient.mota,
        idf1=strict.idf1,
        hota=strict.hota,
        switches=strict.switches,
        false_alarms=strict.false_alarms,
        misses=strict.misses,
        ids=len({row.track for row in rows}),
        true_ids=strict.true_ids,
        floor_error_m=statistics.median(strict.errors_m) if strict.errors_m else None,
        update_ms=update_ms,
        standing=standing,
    )


def track(clip: LabelledClip, frames: Sequence[int], with_floor: bool = True) -> tuple[list[TrackRow], float]:
    """Rows as `tagsight video --tracks` writes them, and the mean CPU time of a frame in ms."""
    camera = clip.config.cameras[0] if clip.config is not None and with_floor else None
    floor = image_to_floor(camera, clip.size) if camera is not None else None
    extent = clip.config.floor.extent() if clip.config is not None and with_floor else None
    tracker, log = FloorTracker(TrackerSettings(), CameraView(*clip.size, floor)), TrackLog()
    rows: list[TrackRow] = []
    took_ms = []
    watch = SceneWatch(tracker)
    for frame in frames:
        boxes, time_s, image = clip.found[frame], frame / clip.fps, clip.small[frame]
        start_s = time.thread_time()
        if watch.wants(image, time_s):
            tracks = watch.see(image, boxes.boxes, boxes.scores, time_s)
            rows += log.add(frame, time_s, tracks, watch.ended)
        else:
            watch.follow(time_s)
            rows += log.skip(frame, time_s)
        took_ms.append((time.thread_time() - start_s) * 1e3)
    rows += log.finish()
    return [row for row in rows if row.on_plan(extent)], statistics.fmean(took_ms)


def _print(figures: list[TrackingFigures]) -> None:
    table = Table(
        "clip",
        "detector",
        "frames",
        "tracker",
        "MOTA",
        "unmarked ignored",
        "IDF1",
        "HOTA",
        "switches",
        "false",
    )
    for name in ("missed", "ids (true)", "floor error", "update"):
        table.add_column(name)
    for each in figures:
        table.add_row(
            each.clip,
            each.detector,
            each.frames,
            f"{each.tracker} (floor)" if each.floor else each.tracker,
            f"{each.mota:.3f}",
            f"{each.mota_unmarked_ignored:.3f}",
            f"{each.idf1:.3f}",
            "" if each.hota is None else f"{each.hota:.3f}",
            str(each.switches),
            str(each.false_alarms),
            str(each.misses),
            f"{each.ids} ({each.true_ids})",
            "" if each.floor_error_m is None else f"{each.floor_error_m:.2f} m",
            "" if each.update_ms is None else f"{each.update_ms:.2f} ms",
        )
    Console(width=190).print(table)
    for each in figures:
        if (found := each.standing) is not None:
            click.echo(
                f"{each.clip}, {each.detector}, {each.frames}, {each.tracker}: {found.customers} customers "
                f"followed {found.followed:.0%} of their time ({found.detected:.0%} detected), the least "
                f"{found.followed_least:.0%}; "
                f"{found.counted} of {found.mannequins} mannequins counted; lost: "
                + ", ".join(f"{share:.0%} {loss}" for loss, share in found.losses.items())
            )
