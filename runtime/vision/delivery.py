"""How many frames a second a camera brings, and whether it brings any at all.

Pure: time is an argument, in seconds of any steady clock. The rate forgets exponentially, so it follows a
camera within seconds however unevenly its frames come.
"""

from __future__ import annotations

import math

MEMORY_S = 2.0
"""Time constant with which older frames are forgotten."""
WARM_UP_S = 1.0
"""A camera's rate is known once it has delivered for so long."""
SILENT_S, SILENT_FRAMES = 2.0, 3.0
"""A camera is silent after the longer of so many seconds and so many of its own intervals."""


class FrameDelivery:
    """What one camera brings from `since_s` on; `wanted_fps` says how often a frame of it is expected."""

    def __init__(self, wanted_fps: float, since_s: float) -> None:
        self._silent_after_s = max(SILENT_S, SILENT_FRAMES / wanted_fps)
        self._first_s: float | None = None
        self._last_s = since_s
        self._weight = 0.0

    def arrived(self, now_s: float, frames: int = 1) -> None:
        """So many frames came; after a silence the rate is measured anew."""
        if self._first_s is None or self.is_silent(now_s):
            self._first_s, self._last_s, self._weight = now_s, now_s, 0.0
        self._weight = self._weight * math.exp(min(0.0, self._last_s - now_s) / MEMORY_S) + frames
        self._last_s = max(self._last_s, now_s)

    def is_silent(self, now_s: float) -> bool:
        """Whether nothing has come for long, or ever since."""
        return now_s - self._last_s > self._silent_after_s

    def is_delivering(self, now_s: float) -> bool:
        """Whether frames have come, and not long ago."""
        return self._first_s is not None and not self.is_silent(now_s)

    def rate_fps(self, now_s: float) -> float | None:
        """Frames a second it brings now; None while that is not known yet."""
        watched_s = 0.0 if self._first_s is None else now_s - self._first_s
        if watched_s < WARM_UP_S or self.is_silent(now_s):
            return None
        weight = self._weight * math.exp(min(0.0, self._last_s - now_s) / MEMORY_S)
        return weight / (MEMORY_S * (1.0 - math.exp(-watched_s / MEMORY_S)))
