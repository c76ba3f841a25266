"""Whether a count can be relied on, from how its cameras saw the time it rests on.

One camera is `blind` if it saw nothing for half of the time or more. It is `degraded` if it saw nothing for
more than `DEGRADED_BLIND_SHARE` of it or was looked at, while it saw, less than `LEAST_RATE` times as often
as `analysis_fps` wants. Else it is `good`. A count that rests on several cameras is good if all of them are,
blind if all of them are, else degraded. With no camera at all nobody looked: blind.
"""

from __future__ import annotations

from collections.abc import Collection

from contract.facts import Coverage, Quality

BLIND_SHARE = 0.5
DEGRADED_BLIND_SHARE = 0.05
LEAST_RATE = 0.45
"""Counts are the same at 5 and at 10 frames a second, which is where overload stops at an entrance."""


def quality_of(coverage: Collection[Coverage], length_s: float) -> Quality:
    """The quality of what was counted in `length_s` seconds of this coverage."""
    found = {_of_camera(each, length_s) for each in coverage}
    if found == {"good"}:
        return "good"
    return "degraded" if found - {"blind"} else "blind"


def _of_camera(coverage: Coverage, length_s: float) -> Quality:
    """One frame more or less decides nothing: short times have few."""
    if length_s > 0 and coverage.blind_s >= BLIND_SHARE * length_s:
        return "blind"
    if coverage.blind_s > DEGRADED_BLIND_SHARE * length_s:
        return "degraded"
    frames = coverage.effective_fps * length_s
    wanted = (coverage.wanted_fps or 0.0) * (length_s - coverage.blind_s)
    return "degraded" if frames + 1.0 < LEAST_RATE * wanted else "good"
