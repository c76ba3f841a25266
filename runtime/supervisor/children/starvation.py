"""How long a process has waited for a CPU: silence for which it is not to blame.

Looked at again and again: in the time since the last look, a process one of whose threads is ready to run has
waited for whatever it did not get of a CPU. One that sleeps has not waited, nor one that loops for ever
on a CPU of its own. Source: proc_pid_stat(5), fields state, utime and stime.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MAX_TIMEOUT_FACTOR = 4.0
"""However busy the machine, a process is thought to hang after this many times its usual timeout."""

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Activity(NamedTuple):
    """Whether a thread of a process is ready to run, and seconds of CPU time that all of them had."""

    ready: bool
    used_s: float


def activity_of(pid: int) -> Activity:
    """What the kernel says of the threads of a process; of one that is gone, that it does nothing."""
    ready, ticks = False, 0
    tasks = Path(f"/proc/{pid}/task")
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return Activity(False, 0.0)
    for thread in threads:
        try:
            fields = (thread / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ready |= fields[0] == "R"
        ticks += int(fields[11]) + int(fields[12])
    return Activity(ready, ticks * TICK_S)


class ProcessorWait:
    """What one process waits for a CPU, from look to look."""

    def __init__(self) -> None:
        self._looked_s = math.nan
        self._used_s = 0.0

    def since_last_look(self, pid: int, now_s: float) -> float:
        """Seconds; 0 at the first look, and for a process that has nothing to do now."""
        activity = activity_of(pid)
        waited_s = now_s - self._looked_s - (activity.used_s - self._used_s)
        self._looked_s, self._used_s = now_s, activity.used_s
        return max(0.0, waited_s) if activity.ready and not math.isnan(waited_s) else 0.0


class Extension:
    """How much longer than agreed some processes may take, for they have waited for a CPU."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._waits: dict[int, ProcessorWait] = {}
        self._waited_s = 0.0

    def seconds(self, pids: Iterable[int], now_s: float) -> float:
        """So far, with what the one of these that waited most has waited since the last look."""
        waited = [self._waits.setdefault(pid, ProcessorWait()).since_last_look(pid, now_s) for pid in pids]
        self._waited_s += max(waited, default=0.0)
        return min(self._waited_s, self._most_s)


class Silence:
    """How long a process has said nothing, and how much of that it spent waiting for a CPU."""

    def __init__(self) -> None:
        self._message_s = -math.inf
        self._wait = ProcessorWait()
        self._starved_s = 0.0

    def too_long(self, pid: int, last_message_s: float, now_s: float, limit_s: float) -> str:
        """Why it is thought to hang, if its last message came at `last_message_s`; empty where it is not.

        To be asked many times within `limit_s`: its waiting is seen in the later half of it.
        """
        silent_s = now_s - last_message_s
        if silent_s <= limit_s / 2:
            return ""
        waited_s = self._wait.since_last_look(pid, now_s)
        if last_message_s != self._message_s:
            self._message_s, self._starved_s = last_message_s, 0.0
        else:
            self._starved_s += waited_s
        if silent_s - self._starved_s <= limit_s and silent_s <= MAX_TIMEOUT_FACTOR * limit_s:
            return ""
        if self._starved_s < 1.0:
            return f"not a word for {limit_s:.0f} s"
        return f"not a word for {silent_s:.0f} s, of which it waited {self._starved_s:.0f} s for a CPU"
