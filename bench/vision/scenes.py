"""People walking on a floor before a simulated camera: what a detector would tell, with the truth known.

A pinhole camera looks at people 1.7 m tall; their boxes are cut by the picture's edge, hidden by people who
stand nearer, missed now and then, and jittered as a detector's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.geometry import Floats, Homography
from runtime.messages import PersonsSeen
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, SceneWatch

SMALL_PX = 240
"""Width of the pictures of `watched`."""

Waypoint = tuple[float, float, float]
"""time_s, x_m, y_m"""


@dataclass(frozen=True)
class SimulatedWalk:
    """One person's way: straight between waypoints, gone before the first and after the last.

    `hidden` are spans (start_s, end_s) in which something stands before them.
    """

    waypoints: tuple[Waypoint, ...]
    hidden: tuple[tuple[float, float], ...] = ()
    height_m: float = 1.7

    def at(self, time_s: float) -> tuple[float, float] | None:
        """The place at a moment, None if the person is not there."""
        times = [waypoint[0] for waypoint in self.waypoints]
        if not times[0] <= time_s <= times[-1]:
            return None
        xs, ys = [w[1] for w in self.waypoints], [w[2] for w in self.waypoints]
        return float(np.interp(time_s, times, xs)), float(np.interp(time_s, times, ys))

    def is_hidden(self, time_s: float) -> bool:
        """Whether something stands before them."""
        return any(start_s <= time_s < end_s for start_s, end_s in self.hidden)


class SimulatedCamera:
    """A camera at `at` (x, y, height in metres) aimed at the floor point `aim`."""

    def __init__(
        self,
        at: tuple[float, float, float],
        aim: tuple[float, float],
        size_px: tuple[int, int] = (768, 576),
        focal_px: float = 600.0,
    ) -> None:
        self.size_px = size_px
        centre = np.array(at)
        forward = np.array([*aim, 0.0]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        width, height = size_px
        intrinsic = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1.0]])
        self.projection: Floats = intrinsic @ np.column_stack([rotation, -rotation @ centre])
        self.homography = Homography(np.linalg.inv(self.projection[:, [0, 1, 3]]))
        self.view = CameraView(width, height, self.homography)

    def distance_m(self, xy: tuple[float, float]) -> float:
        """Depth of a floor point before the camera."""
        return float(self.projection[2] @ [*xy, 0.0, 1.0])

    def box(self, xy: tuple[float, float], height_m: float = 1.7) -> Floats | None:
        """The whole box of a person, left, top, right, bottom px; None behind the camera."""
        foot = self.projection @ [*xy, 0.0, 1.0]
        head = self.projection @ [*xy, height_m, 1.0]
        if foot[2] < 0.3 or head[2] < 0.3:
            return None
        foot, head = foot[:2] / foot[2], head[:2] / head[2]
        half = 0.2 * float(np.linalg.norm(foot - head))
        middle = (foot[0] + head[0]) / 2
        top, bottom = min(foot[1], head[1]), max(foot[1], head[1])
        return np.array([middle - half, top, middle + half, bottom])

    def cut(self, box: Floats) -> Floats | None:
        """The part of a box inside the picture; None if less than a third of it is."""
        width, height = self.size_px
        inside = np.clip(box, 0, [width, height, width, height])
        whole = (box[2] - box[0]) * (box[3] - box[1])
        part = (inside[2] - inside[0]) * (inside[3] - inside[1])
        return inside if part > whole / 3 else None


class SimulatedDetector:
    """Boxes and scores of the people before a camera, as a good detector tells them."""

    def __init__(self, camera: SimulatedCamera, seed: int, miss: float = 0.03, noise: float = 0.03) -> None:
        self._camera = camera
        self._rng = np.random.default_rng(seed)
        self._miss = miss
        self._noise = noise

    def detect(self, walks: Iterable[SimulatedWalk], time_s: float) -> tuple[Floats, Floats]:
        """Boxes (n, 4) left, top, right, bottom px and scores (n,) of one frame."""
        boxes: list[Floats] = []
        scores: list[float] = []
        nearer: list[Floats] = []
        there = [(walk, xy) for walk in walks if (xy := walk.at(time_s)) is not None]
        for walk, xy in sorted(there, key=lambda each: self._camera.distance_m(each[1])):
            whole = self._camera.box(xy, walk.height_m)
            box = self._camera.cut(whole) if whole is not None else None
            if box is None or walk.is_hidden(time_s):
                continue
            hidden = max((_share(box, other) for other in nearer), default=0.0)
            nearer.append(box)
            if self._rng.random() < self._miss or hidden > 0.7:
                continue
            jitter = self._rng.normal(0, self._noise, 4) * (box[3] - box[1]) * [0.6, 1, 0.6, 1]
            told = self._camera.cut(box + jitter)
            if told is not None:
                boxes.append(told)
                scores.append(float(np.clip(0.85 - 0.6 * hidden + self._rng.normal(0, 0.05), 0.05, 0.99)))
        return np.array(boxes).reshape(-1, 4), np.array(scores)


def _share(box: Floats, other: Floats) -> float:
    """How much of a box another covers."""
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return float(max(across, 0.0) * max(down, 0.0) / area)


def tracked(
    camera: str,
    tracker: FloorTracker,
    detector: SimulatedDetector,
    walks: Sequence[SimulatedWalk],
    times_s: Sequence[float],
) -> Iterable[PersonsSeen]:
    """The records of a camera at the given frame times, through the real tracker."""
    for sequence, time_s in enumerate(times_s):
        boxes, scores = detector.detect(walks, time_s)
        tracks = tracker.update(boxes, scores, time_s)
        yield from seen_before(camera, sequence, tracks)
        yield persons_seen(camera, sequence, time_s, tracks, tracker.ended)


def watched(
    camera: str,
    watch: SceneWatch,
    detector: SimulatedDetector,
    walks: Sequence[SimulatedWalk],
    times_s: Sequence[float],
) -> Iterable[PersonsSeen]:
    """The same, looking only where that is wanted; people are bright on small pictures of a noisy wall."""
    random, view = np.random.default_rng(1), watch.tracker.view
    wall = random.integers(60, 180, (round(SMALL_PX * view.height_px / view.width_px), SMALL_PX))
    for sequence, time_s in enumerate(times_s):
        boxes, scores = detector.detect(walks, time_s)
        shown = wall.astype(np.float64)
        for left, top, right, bottom in np.rint(boxes * SMALL_PX / view.width_px).astype(int).tolist():
            shown[top:bottom, left:right] = 235.0
        picture = np.clip(shown + random.normal(0, 1.5, shown.shape), 0, 255).astype(np.uint8)
        if watch.wants(picture, time_s):
            tracks = watch.see(picture, boxes, scores, time_s)
        else:
            tracks = watch.follow(time_s)
        yield from seen_before(camera, sequence, tracks)
        yield persons_seen(camera, sequence, time_s, tracks, watch.ended)
