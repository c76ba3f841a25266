"""Whether this machine keeps up with its cameras, in words for the log and for health.

Pure: what every camera got and could have had comes in, a sentence goes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_S = 5.0
"""Over so long a time is judged: single seconds sway."""
BEHIND, ABREAST = 0.8, 0.9
"""A camera is behind below this share of what it could have had, until it is abreast of it again."""
MIN_LOG_INTERVAL_S, REPEAT_LOG_S = 60.0, 600.0
"""The log hears of a change at most this often, and of what lasts this often."""
MAX_NAMED = 8
"""Cameras named in a sentence; of the others there is the number."""


@dataclass(frozen=True)
class AnalysisRate:
    """Frames a second that a camera got, and could have had: as wanted, but no more than it delivered."""

    got_fps: float
    wanted_fps: float


@dataclass
class _Camera:
    seconds: deque[tuple[float, AnalysisRate]] = field(default_factory=deque)
    is_behind: bool = False

    def mean(self) -> AnalysisRate:
        """Over the window, by length."""
        total_s = sum(seconds for seconds, _ in self.seconds)
        return AnalysisRate(
            sum(seconds * share.got_fps for seconds, share in self.seconds) / total_s,
            sum(seconds * share.wanted_fps for seconds, share in self.seconds) / total_s,
        )


class OverloadMonitor:
    """Judges all cameras after every stretch of time."""

    def __init__(self) -> None:
        self.summary = ""
        """What is the matter now; empty while this machine keeps up."""
        self._cameras: dict[str, _Camera] = {}
        self._logged: frozenset[str] = frozenset()
        self._logged_s = float("-inf")

    def observe(self, now_s: float, elapsed_s: float, shares: Mapping[str, AnalysisRate]) -> str | None:
        """What the cameras got in the last `elapsed_s`; what is to be logged, if anything."""
        self._cameras = {name: self._cameras.get(name, _Camera()) for name in shares}
        behind: dict[str, AnalysisRate] = {}
        for name, share in shares.items():
            camera = self._cameras[name]
            camera.seconds.append((elapsed_s, share))
            while sum(seconds for seconds, _ in camera.seconds) - camera.seconds[0][0] >= WINDOW_S:
                camera.seconds.popleft()
            if self._judge(camera):
                behind[name] = camera.mean()
        self.summary = overload_summary(behind) if behind else ""
        return self._log_line(now_s, frozenset(behind))

    @staticmethod
    def _judge(camera: _Camera) -> bool:
        mean = camera.mean()
        if sum(seconds for seconds, _ in camera.seconds) >= WINDOW_S:
            camera.is_behind = mean.got_fps < (ABREAST if camera.is_behind else BEHIND) * mean.wanted_fps
        return camera.is_behind

    def _log_line(self, now_s: float, behind: frozenset[str]) -> str | None:
        since_s = now_s - self._logged_s
        if behind == self._logged and (not behind or since_s < REPEAT_LOG_S):
            return None
        if since_s < MIN_LOG_INTERVAL_S:
            return None
        self._logged, self._logged_s = behind, now_s
        return self.summary or "this box keeps up with its cameras again"


def overload_summary(behind: Mapping[str, AnalysisRate]) -> str:
    """What this machine manages of what is wanted, camera by camera, and what would help."""
    named = list(behind.items())[:MAX_NAMED]
    parts = [f"{_rate(share.got_fps)} of {_rate(share.wanted_fps)} at '{name}'" for name, share in named]
    parts[0] = parts[0].replace(" at ", " frames a second at ", 1)
    if len(behind) > len(named):
        parts.append(f"too few at {len(behind) - len(named)} more")
    return f"this box manages {', '.join(parts)}: lower analysis_fps or the detector's size"


def _rate(fps: float) -> str:
    """One decimal below 3 a second, none above."""
    return f"{fps:.0f}" if fps >= 3 else f"{fps:.1f}".removesuffix(".0")
