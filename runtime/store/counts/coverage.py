"""How well each camera saw an interval: a count without it would pass blindness off as emptiness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.facts import Coverage

SILENCE_FRAMES, LEAST_SILENCE_S = 1.5, 1.5
"""No frame for longer than so many of the camera's intervals is blindness, from the last frame to the next.

At least the seconds: a quiet camera may be looked at only once a second.
"""
STALLED_S = 30.0
"""A camera silent for longer is not waited for."""
MAX_SPANS = 1000
"""Blind spans kept a camera; at the limit the two oldest become one: never hiding blindness."""


@dataclass
class _CameraView:
    """What is remembered of one camera."""

    last_frame_s: float
    wanted_fps: float | None = None
    frames: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    blind: list[tuple[float, float]] = field(default_factory=list)

    @property
    def silence_s(self) -> float:
        if self.wanted_fps is None:
            return LEAST_SILENCE_S
        return max(LEAST_SILENCE_S, SILENCE_FRAMES / self.wanted_fps)


class CoverageMeter:
    """Frames and blind spans per camera, by whole seconds, back to `keep_s` ago.

    `analysis_fps` says how often a frame of each camera is to be expected.
    """

    def __init__(
        self,
        cameras: tuple[str, ...],
        start_s: float,
        keep_s: float,
        analysis_fps: Mapping[str, float] | None = None,
    ) -> None:
        self._keep_s = keep_s
        self._start_s = start_s
        rates = analysis_fps or {}
        self._cameras = {camera: _CameraView(start_s, rates.get(camera)) for camera in cameras}

    def apply_plan(
        self, cameras: tuple[str, ...], now_s: float, keep_s: float, analysis_fps: Mapping[str, float]
    ) -> None:
        """Go on with these cameras; one that is new is known to have been blind until `now_s`."""
        known = self._cameras
        self._keep_s = keep_s
        self._cameras = {}
        for camera in cameras:
            view = known.get(camera)
            if view is None:
                view = _CameraView(now_s, blind=[(self._start_s, now_s)])
            view.wanted_fps = analysis_fps.get(camera)
            self._cameras[camera] = view

    def frame(self, camera: str, time_s: float) -> None:
        """A frame of `camera` was analysed; reported twice, or late, it counts once."""
        view = self._cameras.setdefault(camera, _CameraView(self._start_s))
        if time_s <= view.last_frame_s and view.frames:
            return
        if time_s - view.last_frame_s > view.silence_s:
            self._blind(view, view.last_frame_s, time_s)
        view.last_frame_s = time_s
        view.frames[int(time_s)] += 1
        while len(view.frames) > self._keep_s + 2:
            del view.frames[min(view.frames)]

    def missed(self, camera: str, start_s: float, end_s: float) -> None:
        """`camera` says that it could not see from `start_s` to `end_s`."""
        if end_s > start_s:
            self._blind(self._cameras.setdefault(camera, _CameraView(self._start_s)), start_s, end_s)

    def _blind(self, view: _CameraView, start_s: float, end_s: float) -> None:
        if view.blind and view.blind[-1][0] <= start_s <= view.blind[-1][1]:
            start_s, last_end_s = view.blind.pop()
            end_s = max(end_s, last_end_s)
        view.blind.append((start_s, end_s))
        oldest_s = end_s - self._keep_s
        view.blind = [span for span in view.blind if span[1] >= oldest_s]
        if len(view.blind) > MAX_SPANS:
            first, second = view.blind[:2]
            view.blind[:2] = [(min(first[0], second[0]), max(first[1], second[1]))]

    def seen_since(self, camera: str) -> float:
        """Since when the camera has been seeing without a blind span."""
        view = self._cameras.get(camera)
        if view is None:
            return self._start_s
        return max((end for _, end in view.blind), default=self._start_s)

    def watched_until(self, camera: str, now_s: float) -> float:
        """Up to when the camera has reported what it saw; `now_s` once it has been silent for `STALLED_S`.

        Someone not seen after that is not gone: nobody looked.
        """
        view = self._cameras.get(camera)
        if view is None or now_s - view.last_frame_s > STALLED_S:
            return now_s
        return view.last_frame_s

    def of(self, start_s: float, end_s: float, cameras: tuple[str, ...] = ()) -> tuple[Coverage, ...]:
        """Coverage from `start_s` to `end_s` of the cameras named, or of all."""
        return tuple(
            self._coverage(name, view, start_s, end_s)
            for name, view in sorted(self._cameras.items())
            if not cameras or name in cameras
        )

    def remembered_since(self, now_s: float) -> float:
        """From when on coverage is known: what came before is forgotten."""
        return max(self._start_s, now_s - self._keep_s)

    def _coverage(self, name: str, view: _CameraView, start_s: float, end_s: float) -> Coverage:
        spans = list(view.blind)
        if end_s - view.last_frame_s > view.silence_s:
            spans.append((view.last_frame_s, end_s))
        frames = sum(
            count * _share(second, start_s, end_s)
            for second, count in view.frames.items()
            if start_s - 1 < second < end_s
        )
        length_s = max(end_s - start_s, 1e-9)
        blind_s = round(_union_s(spans, start_s, end_s), 3)
        return Coverage(name, round(frames / length_s, 2), blind_s, view.wanted_fps)


def _share(second: int, start_s: float, end_s: float) -> float:
    """How much of the whole second lies in the interval."""
    return max(0.0, min(second + 1.0, end_s) - max(float(second), start_s))


def _union_s(spans: list[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Seconds of the interval that some span covers."""
    total_s, reached_s = 0.0, start_s
    for span_start_s, span_end_s in sorted(spans):
        begin_s, finish_s = max(span_start_s, reached_s), min(span_end_s, end_s)
        if finish_s > begin_s:
            total_s += finish_s - begin_s
            reached_s = finish_s
    return total_s
