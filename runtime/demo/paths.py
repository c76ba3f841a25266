"""The paths of the people in the clip, measured by our own detector and tracker.

`python -m runtime.demo.paths CLIP` writes `plaza-paths.csv`, which the simulated reader's people follow: CSV
with columns time_s, person, x_m, y_m, five places a second, smoothed over half a second each way.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from engines.inference.detector import PersonDetector
from runtime.demo.plaza import PATHS, STORE
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from runtime.geometry import Homography
from runtime.vision.pipeline import VideoFrame, analyse, network_share
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from tagsight.errors import TagsightError

STEP_S = 0.2
SMOOTHING_S = 0.5
LEAST_S = 2.0
"""A person seen for less is left out: too short a walk to turn a garment in."""


def measure_paths(clip: Path, weights: str) -> dict[int, NDArray[np.float64]]:
    """Person -> (n, 3) array of seconds, x and y in floor metres, n at every `STEP_S`."""
    plaza = yaml.safe_load(STORE.read_text())
    homography = Homography(np.array(plaza["cameras"][0]["homography"]))
    detector = PersonDetector.open(weights, **network_share())
    frames = _frames(clip)
    first = next(frames, None)
    if first is None:
        raise TagsightError(f"{clip}: not a video that can be read")
    height, width = first.image.shape[:2]
    tracker = FloorTracker(TrackerSettings(), CameraView(width, height, homography))
    places: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for analysed in analyse(_frames(clip), detector, tracker):
        for track in analysed.tracks:
            if track.id is None or track.floor_xy_m is None:
                continue
            backfill = [(one.time_s, *one.floor_xy_m) for one in track.backfill if one.floor_xy_m is not None]
            places[track.id] += [*backfill, (track.time_s, *track.floor_xy_m)]
    return {
        person: _smooth(np.array(sorted(walk)))
        for person, walk in sorted(places.items())
        if walk[-1][0] - walk[0][0] >= LEAST_S
    }


def write_paths(paths: dict[int, NDArray[np.float64]], out: Path) -> None:
    """The paths as CSV."""
    lines = ["time_s,person,x_m,y_m"]
    for person, walk in paths.items():
        lines += [f"{time_s:.1f},p{person:02d},{x_m:.2f},{y_m:.2f}" for time_s, x_m, y_m in walk]
    out.write_text("\n".join(lines) + "\n")


def _frames(clip: Path) -> Iterator[VideoFrame]:
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        while (frame := read(source)) is not None:
            yield VideoFrame(frame.grab.number, frame.grab.time_s, frame.image)


def _smooth(walk: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean place within `SMOOTHING_S` of each moment, at every `STEP_S`."""
    times = np.arange(np.ceil(walk[0, 0] / STEP_S), np.floor(walk[-1, 0] / STEP_S) + 1) * STEP_S
    near = np.abs(walk[:, 0][None] - times[:, None]) <= SMOOTHING_S + 1e-9
    near[np.arange(len(times)), np.abs(walk[:, 0][None] - times[:, None]).argmin(1)] = True
    mean = (near @ walk[:, 1:]) / near.sum(1, keepdims=True)
    return np.column_stack([times, mean])


if __name__ == "__main__":
    write_paths(
        measure_paths(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "person-detector"), PATHS
    )
