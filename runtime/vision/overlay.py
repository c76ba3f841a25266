"""What `tagsight video --overlay` writes: the clip with people and the shop's floor drawn into it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.config import StoreConfig
from runtime.frames.errors import FrameError
from runtime.frames.video.writer import FilmWriter
from runtime.geometry import Homography
from runtime.vision.draw import FloorPoint, ScenePainter
from runtime.vision.track import Track
from tagsight.errors import TagsightError

TRAIL_S = 4.0
MAX_TRAIL = 100


@dataclass(frozen=True)
class FlipSign:
    """A tag that was turned over: where, what to say of it, how long ago.

    `right` is whether that is true, where it is known; `by` is where the person is who turned it.
    """

    at: FloorPoint
    text: str
    age_s: float
    right: bool | None = None
    by: FloorPoint | None = None


@dataclass(frozen=True)
class Note:
    """A line of the panel, and whether it is true, where that is known."""

    text: str
    right: bool | None = None


class Overlay:
    """An MP4 film of `size` frames that browsers play, drawn frame by frame."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        homography: Homography | None,
        config: StoreConfig | None,
        camera: str | None = None,
        legend: bool = False,
    ) -> None:
        """Only entrances of `camera` are drawn, if given. `legend` explains the signs of flips too.

        Raises TagsightError where it cannot write."""
        self.path = path
        self._config = config if homography is not None else None
        self._camera = camera
        self._legend = legend
        self._painter = ScenePainter(size, homography)
        self._trails: dict[int, deque[tuple[float, FloorPoint]]] = {}
        try:
            self._writer = FilmWriter(path, self._painter.size, fps)
        except FrameError as error:
            raise TagsightError(
                f"{path}: the overlay cannot be written; give a name.mp4 in your own folder"
            ) from error

    def add(
        self,
        frame: npt.NDArray[np.uint8],
        time_s: float,
        tracks: list[Track],
        through: Mapping[tuple[str, str], int],
        flips: Sequence[FlipSign] = (),
        notes: Sequence[Note] = (),
        labels: Mapping[int, str] | None = None,
    ) -> None:
        """Draw and write one frame.

        `through` counts crossings by entrance and direction, `flips` are shown where they happened, `notes`
        are further lines of the panel. People are labelled with track number and place, or with `labels`
        by track number where these are given.
        """
        painter, canvas = self._painter, self._painter.canvas(frame)
        self._draw_floor(canvas, through)
        people = [track for track in tracks if track.confirmed and track.unseen_s == 0]
        self._remember(time_s, people)
        for track in people:
            assert track.id is not None
            if track.id in self._trails:
                painter.trail(canvas, track.id, [place for _, place in self._trails[track.id]])
        for track in sorted(people, key=lambda track: track.box[1] + track.box[3]):
            assert track.id is not None
            label = None if labels is None else labels.get(track.id, "")
            painter.person(canvas, track.id, track.box, track.floor_xy_m, label)
        for flip in flips:
            if flip.by is not None:
                painter.link(canvas, flip.by, flip.at)
        for flip in flips:
            painter.flip(canvas, flip.at, flip.text, flip.age_s, flip.right)
        lines = [Note(f"{time_s:.1f} s, {len(people)} in view"), *notes]
        painter.panel(canvas, [line.text for line in lines], [line.right for line in lines])
        if self._legend:
            painter.legend(canvas)
        self._writer.add(canvas, time_s)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _draw_floor(self, canvas: npt.NDArray[np.uint8], through: Mapping[tuple[str, str], int]) -> None:
        if self._config is None:
            return
        for zone in self._config.zones:
            self._painter.zone(canvas, zone.name, zone.polygon)
        for fixture in self._config.fixtures:
            self._painter.rack(canvas, fixture.name, fixture.polygon or [fixture.centre()])
        for entrance in self._config.entrances:
            if self._camera is not None and entrance.cameras and self._camera not in entrance.cameras:
                continue
            counts = through.get((entrance.name, "in"), 0), through.get((entrance.name, "out"), 0)
            self._painter.gate(canvas, entrance.name, entrance.line, entrance.inside, counts)

    def _remember(self, time_s: float, people: list[Track]) -> None:
        for track in people:
            if track.id is not None and track.floor_xy_m is not None:
                trail = self._trails.setdefault(track.id, deque(maxlen=MAX_TRAIL))
                trail.append((time_s, track.floor_xy_m))
        for track_id, trail in list(self._trails.items()):
            while trail and trail[0][0] < time_s - TRAIL_S:
                trail.popleft()
            if not trail:
                del self._trails[track_id]
