"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY_S = 0.05
LIMIT_S = 90.0


def until(condition: Callable[[], object], timeout_s: float) -> bool:
    """Whether the condition came true within `timeout_s`; it is looked at every 50 ms."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def wait_for(condition: Callable[[], object], otherwise: str, timeout_s: float = LIMIT_S) -> None:
    """Raises RuntimeError with `otherwise` where the condition does not come true in time."""
    if not until(condition, timeout_s):
        raise RuntimeError(otherwise)
