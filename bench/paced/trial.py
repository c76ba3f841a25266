"""One number of cameras for a time: the daemon, its cameras and a broker, and what came of it."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from bench.gpu.figures import Percentiles, percentiles
from bench.paced import box, parts, store, visits
from bench.paced.cameras import Street, street
from bench.paced.notes import CameraNotes, CameraWindow, notes_of
from bench.paced.rule import PacedFigures, broken_counts, broken_rules
from bench.vision.track.clips import COUNTS
from bench.vision.track.scores import scores_of
from broker.mosquitto import LocalBroker
from runtime.geometry import Floats
from runtime.vision.tracklog import TrackRow
from tagsight.errors import TagsightError

UP_WITHIN_S = 180.0
WARM_UP_S = 15.0
SAMPLE_EVERY_S = 2.0
MB = 1e6


@dataclass(frozen=True)
class Film:
    """What the cameras show: H.264, so many pictures until it begins again, and its truth (MOT15), if any."""

    path: Path
    size: tuple[int, int]
    fps: float
    pictures: int
    truth: Floats | None


@dataclass(frozen=True)
class Run:
    """What was recorded of one run."""

    windows: dict[str, CameraWindow]
    notes: dict[str, CameraNotes]
    usages: list[box.ProcessUsage]
    visits: list[visits.VisitTold]
    served_s: float
    """CPU time of the cameras themselves, which are no part of the box."""


def run(
    film: Film, cameras: int, seconds: float, detector: str, folder: Path, tell: Callable[[str], None]
) -> Run:
    """Let the daemon watch so many cameras for so long. Raises TagsightError."""
    from testing.delivery.wire_level import MqttRecorder

    folder.mkdir(parents=True)
    told: list[visits.VisitTold] = []
    with LocalBroker() as broker, street(film.path, cameras, film.fps) as cams:
        config = folder / "store.yaml"
        described = store.describe(cams.uris, film.size, film.fps, detector, broker.port, folder)
        config.write_text(yaml.safe_dump(described, sort_keys=False))
        with MqttRecorder(broker.port, ["#"]) as received, box.running(config, folder) as daemon:

            def note() -> None:
                topic, payload = received.messages[-1]
                if topic.endswith("/visit"):
                    told.extend(visits.told(time.time(), payload))

            received.on_message = note
            tell(f"{cameras} cameras: starting")
            starts_s = _all_up(cams, daemon)
            before_s = box.taken_s(cams.pid)
            usages = _watch(daemon, seconds, lambda left: tell(f"{cameras} cameras: {left:.0f} s to go"))
            daemon.check()
            served_s = box.taken_s(cams.pid) - before_s
        windows = {
            store.name_of(place): CameraWindow(
                usages[0].time_s, usages[-1].time_s, start_s, film.fps, store.plan_of(place)
            )
            for place, start_s in enumerate(starts_s)
        }
    return Run(windows, notes_of(folder / "records.jsonl", windows), usages, told, served_s)


def _all_up(cams: Street, daemon: box.TappedDaemon) -> list[float]:
    """When each camera showed its first picture. Raises TagsightError where one is not watched in time."""
    until_s = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until_s:
        daemon.check()
        starts_s = [start_s for start_s in cams.starts_s() if start_s is not None]
        if len(starts_s) == len(cams.uris):
            time.sleep(WARM_UP_S)
            # A camera that was opened anew meanwhile began anew.
            return [start_s for start_s in cams.starts_s() if start_s is not None]
        time.sleep(0.5)
    raise TagsightError(f"the daemon does not watch all cameras after {UP_WITHIN_S:.0f} s; see {daemon.log}")


def _watch(daemon: box.TappedDaemon, seconds: float, tell: Callable[[float], None]) -> list[box.ProcessUsage]:
    usages = [daemon.usage(time.time())]
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        tell(left_s)
        time.sleep(min(SAMPLE_EVERY_S, left_s))
        daemon.check()
        usages.append(daemon.usage(time.time()))
    return usages


def judged(film: Film, cameras: int, seen: Run, alone: Run) -> PacedFigures:
    """The figures of a run, against those of one camera alone."""
    first, last = seen.usages[0], seen.usages[-1]
    seconds = last.time_s - first.time_s
    frames = sum(len(notes.delays_s) for notes in seen.notes.values())
    if not frames:
        raise TagsightError(f"{cameras} cameras: no picture was analysed")
    delays_ms = [1e3 * delay_s for notes in seen.notes.values() for delay_s in notes.delays_s.values()]
    taken = parts.since(first.processor_s, last.processor_s)
    of_parts = {
        kind: parts.since(first.parts_s.get(kind, {}), taken_s) for kind, taken_s in last.parts_s.items()
    }
    pictures = sum(len(notes.frames) for notes in seen.notes.values())

    def frames_of(kind: str) -> int:
        return pictures if kind == "camera" else frames

    by_kind = {kind: s / frames_of(kind) * 1e3 for kind, s in sorted(taken.items())}
    share = min(notes.share for notes in seen.notes.values())
    to_event = percentiles(delays_ms)
    growth, memory = _growth(seen.usages)
    mota, mota_alone = _accuracy(film, seen, alone)
    to_broker_s = visits.delays_s(seen.visits, first.time_s, last.time_s)
    counted, counted_alone = visits.counts(
        seen.visits, seen.windows, alone.visits, alone.windows, film.pictures
    )
    broken = broken_rules(share, to_event.p99, growth, mota, mota_alone)
    broken += broken_counts(cameras, counted, counted_alone)
    return PacedFigures(
        cameras=cameras,
        seconds=round(seconds, 1),
        holds=not broken,
        broken=broken,
        least_share=share,
        capture_to_event_ms=to_event,
        capture_to_broker_ms=_percentiles_ms(to_broker_s),
        visits=counted,
        visits_alone=counted_alone,
        mota=mota,
        mota_alone=mota_alone,
        processor_ms=sum(by_kind.values()),
        processor_ms_by_kind=by_kind,
        processor_ms_by_part={
            kind: {part: s / frames_of(kind) * 1e3 for part, s in taken_s.items()}
            for kind, taken_s in parts.rest_added(taken, of_parts).items()
        },
        cores_used=sum(taken.values()) / seconds,
        cores_for_cameras=seen.served_s / seconds,
        memory_mb=memory / MB,
        memory_growth=growth,
        load=os.getloadavg()[0],
    )


def _percentiles_ms(seconds: Sequence[float]) -> Percentiles | None:
    return percentiles([1e3 * each for each in seconds]) if seconds else None


def _growth(usages: Sequence[box.ProcessUsage]) -> tuple[float, float]:
    """By how much of itself memory grew from the second quarter to the last, and what it is then, bytes."""
    totals = [sum(usage.memory.values()) for usage in usages]
    quarter = max(1, len(totals) // 4)
    early, late = (
        statistics.median(totals[quarter : 2 * quarter] or totals),
        statistics.median(totals[-quarter:]),
    )
    return late / early - 1, late


def _accuracy(film: Film, seen: Run, alone: Run) -> tuple[float | None, float | None]:
    """MOTA of the worst camera, and of one alone on the pictures that camera was shown."""
    if film.truth is None:
        return None, None
    (reference,) = alone.notes.values()
    known = {frame % film.pictures: frame for frame in reference.frames}
    by_frame: defaultdict[int, list[TrackRow]] = defaultdict(list)
    for row in reference.rows:
        by_frame[row.frame].append(row)
    worst: tuple[float, float] | None = None
    for notes in seen.notes.values():
        shown = [frame for frame in notes.frames if frame % film.pictures in known]
        mota = _mota(film, notes.rows, shown)
        same = [known[frame % film.pictures] for frame in shown]
        mota_alone = _mota(film, [row for frame in set(same) for row in by_frame[frame]], sorted(set(same)))
        if worst is None or mota - mota_alone < worst[0] - worst[1]:
            worst = mota, mota_alone
    return worst or (None, None)


def _mota(film: Film, rows: Sequence[TrackRow], frames: Sequence[int]) -> float:
    """MOTA of rows in frames that run on over the film's turns; what is off the plaza is left out."""
    assert film.truth is not None
    counted = film.truth[film.truth[:, COUNTS] == 1]
    place = {frame: index for index, frame in enumerate(frames)}
    truth = []
    for frame, index in place.items():
        there = counted[counted[:, 0] == frame % film.pictures + 1].copy()
        there[:, 0] = index + 1
        truth.append(there)
    moved = [
        TrackRow(place[row.frame], row.time_s, row.track, row.box, row.score, None)
        for row in rows
        if row.frame in place
    ]
    return scores_of(np.concatenate(truth)[:, :7], moved, range(len(frames))).mota
