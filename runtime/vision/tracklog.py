"""A written record of tracks with a fixed delay, the same for a file and for a live camera.

The tracker learns two things late: that a new track is a person (its first sightings are then reported with
it) and that a person who was out of sight is back (the way between is then filled in on a straight line, if
the gap is short). A row is settled once neither can change it any more, `LAG_S` after its frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.vision.track import Sighting, Track
from runtime.vision.track.people import BACKFILL_S

GAP_S = 2.0
"""The longest gap that is filled in."""

LAG_S = max(GAP_S, BACKFILL_S) + 0.5

Box = tuple[float, float, float, float]
FloorPoint = tuple[float, float]


@dataclass(frozen=True)
class TrackRow:
    """One person in one frame: frame index from 0, track id, box left, top, width, height px, floor metres.

    `score` is that of the box, 0 where the place is filled in because the person was out of sight.
    """

    frame: int
    time_s: float
    track: int
    box: Box
    score: float
    floor_xy_m: FloorPoint | None

    def on_plan(self, extent_m: tuple[float, float, float, float] | None) -> bool:
        """Whether the person is on the plan (left, top, right, bottom edge); yes if either is unknown."""
        if extent_m is None or self.floor_xy_m is None:
            return True
        x0, y0, x1, y1 = extent_m
        return x0 <= self.floor_xy_m[0] <= x1 and y0 <= self.floor_xy_m[1] <= y1


@dataclass
class _Page:
    frame: int
    time_s: float
    rows: list[TrackRow]
    skipped: bool = False


class TrackLog:
    """Collects what frames showed and gives it out in order, once it is settled."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque()
        self._last: dict[int, TrackRow] = {}

    def add(self, frame: int, time_s: float, tracks: Iterable[Track], ended: Iterable[int]) -> list[TrackRow]:
        """Take in one frame; returns rows that are now settled, by frame and track."""
        self._pages.append(_Page(frame, time_s, []))
        for track in tracks:
            if track.id is None or track.unseen_s > 0:
                continue
            for sighting in track.backfill:
                self._note(track.id, sighting)
            now = Sighting(time_s, track.box, track.score, track.floor_xy_m, track.truncated)
            self._note(track.id, now)
        for track_id in ended:
            self._last.pop(track_id, None)
        return self._settled(time_s - LAG_S)

    def skip(self, frame: int, time_s: float) -> list[TrackRow]:
        """A frame that was not looked at: who is seen before and after it counts as seen, between the two."""
        self._pages.append(_Page(frame, time_s, [], skipped=True))
        return self._settled(time_s - LAG_S)

    def finish(self) -> list[TrackRow]:
        """All rows that are left."""
        return self._settled(float("inf"))

    def _note(self, track: int, seen: Sighting) -> None:
        """Write a sighting down, unless the frame's edge cuts the person: where they are is unclear."""
        if seen.truncated:
            return
        page = next((page for page in reversed(self._pages) if page.time_s <= seen.time_s), None)
        if page is None or page.time_s != seen.time_s:
            return
        row = TrackRow(page.frame, page.time_s, track, seen.box, seen.score, seen.floor_xy_m)
        before = self._last.get(track)
        if before is not None and row.time_s - before.time_s <= GAP_S:
            for between in self._pages:
                if before.time_s < between.time_s < row.time_s:
                    between.rows.append(_between(before, row, between))
        page.rows.append(row)
        self._last[track] = row

    def _settled(self, until_s: float) -> list[TrackRow]:
        rows: list[TrackRow] = []
        while self._pages and self._pages[0].time_s <= until_s:
            rows += sorted(self._pages.popleft().rows, key=lambda row: row.track)
        return rows


def _between(before: TrackRow, after: TrackRow, page: _Page) -> TrackRow:
    share = (page.time_s - before.time_s) / (after.time_s - before.time_s)
    left, top, width, height = (
        (1 - share) * a + share * b for a, b in zip(before.box, after.box, strict=True)
    )
    floor = None
    if before.floor_xy_m is not None and after.floor_xy_m is not None:
        (x0, y0), (x1, y1) = before.floor_xy_m, after.floor_xy_m
        floor = ((1 - share) * x0 + share * x1, (1 - share) * y0 + share * y1)
    score = (1 - share) * before.score + share * after.score if page.skipped else 0.0
    return TrackRow(page.frame, page.time_s, before.track, (left, top, width, height), score, floor)


def mot_line(row: TrackRow) -> str:
    """The row as MOT Challenge text: frame from 1, id, left, top, width, height, conf, -1, -1, -1."""
    left, top, width, height = row.box
    return (
        f"{row.frame + 1},{row.track},{left:.2f},{top:.2f},{width:.2f},{height:.2f},{row.score:.4f},-1,-1,-1"
    )
