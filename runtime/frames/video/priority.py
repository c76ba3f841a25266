"""SVT-AV1, run by root, takes the highest real-time priority for itself and for who opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def usual_priority() -> Iterator[None]:
    """Open an encoder in here, and the process has the scheduling it had, with all its threads.

    In real time it would keep everything else from its CPUs.
    """
    before = os.sched_getscheduler(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != before and before == os.SCHED_OTHER:
            for thread in Path("/proc/self/task").iterdir():
                with suppress(OSError):
                    os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
