"""`tagsight video`: the daemon's own path over a file, offline and deterministic."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from engines.inference.detector import DEFAULT_WEIGHTS, PersonDetector
from runtime.commands.video_counts import Clip, ClipCounter, Counts
from runtime.config import Camera, StoreConfig, image_to_floor, load_at_work
from runtime.frames.files.playback import FileSource
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from runtime.vision.crop_inference import NO_HEADS, Heads
from runtime.vision.heads import networks_of, open_heads
from runtime.vision.overlay import Overlay
from runtime.vision.pipeline import AnalysedFrame, VideoFrame, analyse, network_share
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from runtime.vision.tracklog import TrackLog, TrackRow, mot_line
from tagsight.errors import TagsightError
from tagsight.redaction import is_address, redact_uri

BLACK_LEVEL = 4
"""A picture whose brightest value is not above this shows nothing."""


@dataclass(frozen=True)
class Job:
    """What to do with one clip."""

    file: Path
    config: StoreConfig | None
    camera: Camera | None
    tracks: Path | None
    overlay: Path | None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="store.yaml: floor, entrances, zones.")
@click.option("--camera", "camera_name", help="Which camera of --config took the clip, if it has several.")
@click.option("--detector", help="Engine name or .onnx file; else that of --config, else our own.")
@click.option("--backend", default=None, help="openvino, onnxruntime, …; else the best there is.")
@click.option("--threads", default=0, show_default=True, type=click.IntRange(0, 256), help="0: all cores.")
@click.option("--tracks", type=click.Path(path_type=Path), help="Write tracks as MOT Challenge text.")
@click.option("--counts", type=click.Path(path_type=Path), help="Write counts as JSON.")
@click.option("--overlay", type=click.Path(path_type=Path), help="Write the clip with people drawn (.mp4).")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def video(
    file: Path,
    config: Path | None,
    camera_name: str | None,
    detector: str | None,
    backend: str | None,
    threads: int,
    tracks: Path | None,
    counts: Path | None,
    overlay: Path | None,
    as_json: bool,
) -> None:
    """Track and count persons in a video file, as the daemon would: same input, same bytes out.

    With --config, people are placed on its floor, and those outside the floor plan are left out of TRACKS;
    COUNTS then holds what the store concludes (entrances, zones, flow, heat), else persons in view.

    TRACKS is causal with a fixed delay of 3.5 s, as a live camera would give it: the first sightings of a
    track are written once it is confirmed, gaps of up to 2 s are filled in on a straight line (conf 0) once
    the person is seen again, and people half out of the picture are left out.

    Times are the file's own. A file that breaks off is counted as far as it goes: COUNTS then says
    `complete: false` and `cut_s`, where; what is unusual about a file stands in its `remarks`.

    \b
    Example:
      tagsight video clip.mp4 --config store.yaml --tracks out.txt --counts out.json --overlay out.mp4
    """
    store = load_at_work(config, clips_needed=False) if config is not None else None
    camera = pick_camera(store, camera_name) if store is not None else None
    engines = store.engines if store is not None else None
    weights = detector or (engines.detector if engines else DEFAULT_WEIGHTS)
    if is_address(str(file)) and not file.exists():
        raise TagsightError(
            f"{redact_uri(str(file))}: tagsight video reads a file; a camera belongs into store.yaml, and "
            "tagsight calibrate camera watches one"
        )
    source = open_source(f"file:{file}?pace=fast")
    assert isinstance(source, FileSource)
    with closing(source):
        finder = PersonDetector.open(
            weights,
            input_size=engines.input_size if engines else None,
            backend=backend or (engines.backend if engines else "auto"),
            score=engines.score if engines else None,
            **network_share(threads or (engines.threads if engines else 0)),
        )
        heads = NO_HEADS
        if engines is not None:
            named, used = networks_of(engines), threads or engines.threads
            heads = Heads(open_heads(named, backend=engines.backend, threads=used))
        result = run(Job(file, store, camera, tracks, overlay), source, finder, weights, heads)
    if counts is not None:
        result.write(counts)
    _print(result, as_json)


def pick_camera(store: StoreConfig, name: str | None) -> Camera:
    """The camera of that name, or the only one. Raises TagsightError."""
    names = ", ".join(camera.name for camera in store.cameras) or "none"
    if name is None:
        if len(store.cameras) != 1:
            raise TagsightError(
                f"the config has {len(store.cameras)} cameras ({names}): name one with --camera"
            )
        return store.cameras[0]
    for camera in store.cameras:
        if camera.name == name:
            return camera
    raise TagsightError(f"the config has no camera {name!r}; it has: {names}")


def run(
    job: Job, source: FileSource, detector: PersonDetector, weights: str, heads: Heads = NO_HEADS
) -> Counts:
    """Analyse the clip and write what was asked for. Raises TagsightError and EngineError.

    Where the file breaks off, everything holds what was found up to there.
    """
    with ExitStack() as stack:
        homography = image_to_floor(job.camera, source.size) if job.camera is not None else None
        if job.camera is not None and homography is None:
            raise TagsightError(
                f"camera {job.camera.name} has neither homography nor points: "
                "measure them with tagsight calibrate floor, or leave out --config"
            )
        tracker = FloorTracker(TrackerSettings(), CameraView(*source.size, homography), heads.appearance_size)
        sheet = stack.enter_context(_TrackSheet(job))
        overlay = None
        if job.overlay is not None:
            seen_by = job.camera.name if job.camera is not None else None
            overlay = Overlay(job.overlay, source.size, source.fps, homography, job.config, seen_by)
            stack.callback(overlay.close)
        counter = ClipCounter(job.config)
        name = job.camera.name if job.camera is not None else job.file.name
        frames = 0
        blackness = _Blackness()
        for seen in analyse(_frames(source, stack), detector, tracker, heads):
            frame = seen.frame
            frames += 1
            blackness.look(frame.image)
            for earlier in seen_before(name, frame.index, seen.tracks):
                counter.add(earlier)
            counter.add(
                persons_seen(name, frame.index, frame.time_s, seen.tracks, seen.ended, values=seen.values)
            )
            sheet.add(seen)
            if overlay is not None:
                overlay.add(frame.image, frame.time_s, seen.tracks, counter.through)
        clip = Clip(
            job.file.name,
            Path(weights).name,
            frames,
            round(source.read_s, 3),
            source.fps,
            source.coding,
            not source.truncated,
            None if source.cut_s is None else round(source.cut_s, 3),
            [*source.notes, *blackness.notes(frames)],
        )
        return counter.finish(clip)


def _frames(source: FileSource, stack: ExitStack) -> Iterator[VideoFrame]:
    """The clip's pictures, with a progress bar on a terminal."""
    progress = stack.enter_context(Progress(transient=True, disable=not sys.stderr.isatty()))
    task = progress.add_task("video", total=source.length_s or None)
    while (frame := read(source)) is not None:
        yield VideoFrame(frame.grab.number, frame.grab.time_s, frame.image)
        progress.update(task, completed=frame.grab.time_s)


class _Blackness:
    """Pictures without anything in them: a lens cap, or a decoder that says "ok" and gives nothing."""

    def __init__(self) -> None:
        self._black = 0

    def look(self, image: NDArray[np.uint8]) -> None:
        """Count it if every pixel looked at is black."""
        self._black += int(image[::8, ::8].max(initial=0)) <= BLACK_LEVEL

    def notes(self, frames: int) -> list[str]:
        """What is to be said of it."""
        return [f"{self._black} of {frames} frames are black, nothing can be seen in them"] * (
            self._black > 0
        )


class _TrackSheet:
    """The file of tracks, written as rows settle; people off the floor plan are left out."""

    def __init__(self, job: Job) -> None:
        self._path = job.tracks
        self._extent = job.config.floor.extent() if job.config is not None else None
        self._log = TrackLog()
        self._stream: TextIO | None = None

    def __enter__(self) -> _TrackSheet:
        if self._path is not None:
            try:
                self._stream = self._path.open("w", encoding="ascii", newline="\n")
            except OSError as error:
                raise TagsightError(f"{self._path}: tracks cannot be written ({error.strerror})") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._write(self._log.finish())
        if self._stream is not None:
            self._stream.close()

    def add(self, seen: AnalysedFrame) -> None:
        frame = seen.frame
        if seen.looked:
            self._write(self._log.add(frame.index, frame.time_s, seen.tracks, seen.ended))
        else:
            self._write(self._log.skip(frame.index, frame.time_s))

    def _write(self, rows: list[TrackRow]) -> None:
        if self._stream is not None:
            self._stream.writelines(mot_line(row) + "\n" for row in rows if row.on_plan(self._extent))


def _print(result: Counts, as_json: bool) -> None:
    gates = {gate.entrance: {"in": gate.entered, "out": gate.left} for gate in result.entrances}
    clip = result.clip
    if as_json:
        click.echo(
            json.dumps(
                {
                    "file": clip.file,
                    "frames": clip.frames,
                    "seconds": clip.seconds,
                    "persons": result.persons,
                    "entrances": gates,
                    "complete": clip.complete,
                    "cut_s": clip.cut_s,
                    "remarks": clip.remarks,
                }
            )
        )
        return
    click.echo(f"{clip.file}: {clip.frames} frames, {clip.seconds:.1f} s, {result.persons} persons")
    for name, through in gates.items():
        click.echo(f"  {name}: {through['in']} in, {through['out']} out")
    for remark in clip.remarks:
        click.echo(f"  note: {remark}")
