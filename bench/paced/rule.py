"""When a number of cameras is carried. Pure: what was measured in, what was broken out."""

from __future__ import annotations

import msgspec

from bench.gpu.figures import Percentiles

LEAST_SHARE = 0.99
MOST_P99_MS = 500.0
MOST_GROWTH = 0.03
"""Of all processes' memory, from the second quarter of the window to the last."""
MOST_LOSS = 0.01
"""Of MOTA and of visits, against one camera alone."""


class PacedFigures(msgspec.Struct, frozen=True):
    """One number of cameras over one window."""

    cameras: int
    seconds: float
    holds: bool
    broken: list[str]
    """What of the rule it broke, in words."""
    least_share: float
    """Of the pictures, those that were analysed, of the camera that got the fewest."""
    capture_to_event_ms: Percentiles
    """From a picture's sending by the camera to its record at the store process."""
    capture_to_broker_ms: Percentiles | None
    """From a person's step across a line to the visit as a consumer of the broker gets it; None: no visit."""
    visits: int
    """In and out through all entrances, those taken back aside."""
    visits_alone: float
    """What one camera alone counts in the same pictures, for all cameras together."""
    mota: float | None
    """The worst camera's; None where the clip has no truth beside it."""
    mota_alone: float | None
    """One camera's, on the same pictures."""
    processor_ms: float
    """Of all the daemon's processes, a frame.

    Camera processes decode every picture that is sent, the others see those that are analysed: where some are
    not, each kind's time is shared by its own number.
    """
    processor_ms_by_kind: dict[str, float]
    processor_ms_by_part: dict[str, dict[str, float]]
    """The same by part of a frame's way."""
    cores_used: float
    cores_for_cameras: float
    """What the cameras themselves took beside that: a shop's cameras take nothing of the box."""
    memory_mb: float
    memory_growth: float
    load: float
    """Of the machine (1 minute), other work included, at the end."""


def broken_rules(
    least_share: float, p99_ms: float, growth: float, mota: float | None, mota_alone: float | None
) -> list[str]:
    """What is not as it has to be, in words; empty where the cameras are carried."""
    broken = []
    if least_share < LEAST_SHARE:
        broken.append(f"a camera got {least_share:.1%} of its pictures analysed, not {LEAST_SHARE:.0%}")
    if p99_ms > MOST_P99_MS:
        broken.append(f"1 % of the pictures took over {p99_ms:.0f} ms, not {MOST_P99_MS:.0f}")
    if growth > MOST_GROWTH:
        broken.append(f"memory grew by {growth:.1%}, more than {MOST_GROWTH:.0%}")
    if mota is not None and mota_alone is not None and mota < mota_alone - MOST_LOSS:
        broken.append(f"MOTA is {mota:.3f} and {mota_alone:.3f} for one camera alone")
    return broken


def broken_counts(cameras: int, visits: int, visits_alone: float) -> list[str]:
    """As `broken_rules`, of visits: a window may cut one a camera, and of many 1 % may differ."""
    if abs(visits - visits_alone) <= max(cameras, MOST_LOSS * visits_alone):
        return []
    return [f"{visits} visits were counted, and {visits_alone:.1f} by one camera alone in these pictures"]
