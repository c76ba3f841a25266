"""What the tap noted, frame by frame: which frames came, how late, and who was seen in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runtime.messages import PersonsSeen
from runtime.vision.tracklog import TrackRow


@dataclass(frozen=True)
class CameraWindow:
    """The time that is measured, UTC seconds; when a camera showed its first picture, at what rate; its plan.

    `plan_m` is left, top, right, bottom of its part of the floor: who is seen beyond is left out.
    """

    begin_s: float
    end_s: float
    camera_start_s: float
    fps: float
    plan_m: tuple[float, float, float, float]

    def frames(self) -> range:
        """The camera's pictures taken in the window, counted from its first."""
        first = int((self.begin_s - self.camera_start_s) * self.fps) + 1
        return range(first, int((self.end_s - self.camera_start_s) * self.fps) + 1)

    def frame_of(self, time_s: float) -> int:
        """The picture that the product says was taken at `time_s`."""
        return round((time_s - self.camera_start_s) * self.fps)

    def taken_s(self, frame: int) -> float:
        """When the camera sent it."""
        return self.camera_start_s + frame / self.fps


@dataclass(frozen=True)
class CameraNotes:
    """One camera in a window: its pictures, the delay of each that was analysed, and who was seen.

    `delays_s` is from the moment the camera sent a picture to its record at the store process.
    """

    frames: range
    delays_s: dict[int, float]
    rows: list[TrackRow]

    @property
    def share(self) -> float:
        """Of the pictures, those that were analysed."""
        return len(self.delays_s) / len(self.frames) if len(self.frames) else 0.0


def read(path: Path) -> Iterator[tuple[float, PersonsSeen]]:
    """When each record came, and the record."""
    decoder = msgspec.json.Decoder(tuple[float, PersonsSeen])
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def notes_of(path: Path, windows: dict[str, CameraWindow]) -> dict[str, CameraNotes]:
    """What was noted of each camera in its window."""
    latest: dict[tuple[str, int], tuple[float, float]] = {}
    rows: dict[str, list[TrackRow]] = {name: [] for name in windows}
    for came_s, record in read(path):
        window = windows.get(record.camera)
        if window is None:
            continue
        seen_at = latest.get((record.camera, record.sequence))
        # A record with an older time tells of people before they were known: the frame's own comes last.
        if seen_at is None or record.time_s >= seen_at[0]:
            latest[record.camera, record.sequence] = record.time_s, came_s
        frame = window.frame_of(record.time_s)
        if frame in window.frames():
            seen = [
                TrackRow(frame, record.time_s, person.track, person.box, person.score, person.floor_xy_m)
                for person in record.persons
            ]
            rows[record.camera] += [row for row in seen if row.on_plan(window.plan_m)]
    delays: dict[str, dict[int, float]] = {name: {} for name in windows}
    for (name, _), (time_s, came_s) in latest.items():
        frame = windows[name].frame_of(time_s)
        if frame in windows[name].frames():
            delays[name][frame] = came_s - windows[name].taken_s(frame)
    return {name: CameraNotes(window.frames(), delays[name], rows[name]) for name, window in windows.items()}
