"""A process that gets no CPU time is not taken for one that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from runtime.supervisor.children.starvation import (
    MAX_TIMEOUT_FACTOR,
    Activity,
    Extension,
    Silence,
    activity_of,
)

LIMIT_S = 1.0
BUSY = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.nice(int(sys.argv[2]))
while True:
    pass
"""


def busy(nice: int) -> subprocess.Popen[bytes]:
    cpu = min(os.sched_getaffinity(0))
    return subprocess.Popen([sys.executable, "-c", BUSY, str(cpu), str(nice)])


@pytest.fixture
def starved() -> Iterator[int]:
    """The pid of a process that wants to run and hardly may."""
    crowd = [busy(0), busy(0)]
    poor = busy(19)
    yield poor.pid
    for process in (*crowd, poor):
        process.kill()
        process.wait()


def until_it_sleeps(pid: int) -> None:
    """A process that begins works, and on a busy machine waits for a processor for long."""
    deadline_s, used_s, slept = time.monotonic() + 60.0, -1.0, 0
    while slept < 4 and time.monotonic() < deadline_s:
        now = activity_of(pid)
        slept = slept + 1 if now.used_s == used_s and not now.ready else 0
        used_s = now.used_s
        time.sleep(0.1)


@pytest.fixture
def asleep() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    until_it_sleeps(process.pid)
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def looping() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process.pid
    process.kill()
    process.wait()


def verdict(pid: int, seconds: float) -> tuple[float, str]:
    """After how many seconds without a word it is thought to hang, and why."""
    silence, began_s = Silence(), time.monotonic()
    while (silent_s := time.monotonic() - began_s) < seconds:
        why = silence.too_long(pid, began_s, time.monotonic(), LIMIT_S)
        if why:
            return silent_s, why
        time.sleep(0.05)
    return 0.0, ""


def test_one_that_waits_for_the_processor_is_given_time_but_not_for_ever(starved: int) -> None:
    time.sleep(0.5)
    silent_s, why = verdict(starved, 3 * MAX_TIMEOUT_FACTOR * LIMIT_S)
    assert silent_s > 1.8 * LIMIT_S
    assert silent_s < MAX_TIMEOUT_FACTOR * LIMIT_S + 2.0
    assert "waited" in why and "for a CPU" in why


def test_one_that_sleeps_is_not(asleep: int) -> None:
    time.sleep(0.5)
    silent_s, why = verdict(asleep, 10.0)
    assert silent_s > LIMIT_S
    assert why.startswith("not a word for")


def test_one_that_loops_for_ever_is_found_in_the_end(looping: int) -> None:
    silent_s, why = verdict(looping, 3 * MAX_TIMEOUT_FACTOR * LIMIT_S)
    assert LIMIT_S < silent_s < MAX_TIMEOUT_FACTOR * LIMIT_S + 2.0
    assert why.startswith("not a word for")


def extended(pids: list[int], most_s: float) -> float:
    """By how much these may take longer, after 2.5 s."""
    extension, began_s = Extension(most_s), time.monotonic()
    while time.monotonic() - began_s < 2.5:
        extension.seconds(pids, time.monotonic())
        time.sleep(0.05)
    return extension.seconds(pids, time.monotonic())


def test_what_drains_has_so_much_longer_as_it_waited_for_a_processor(starved: int, asleep: int) -> None:
    assert 1.0 < extended([starved, asleep], 60.0) < 4.0
    assert extended([starved, asleep], 0.5) == 0.5


def test_what_sleeps_has_no_longer(asleep: int) -> None:
    assert extended([asleep, 2**22 + 1], 60.0) < 0.5


def test_a_process_that_ends_while_it_is_looked_at_does_nothing() -> None:
    for _ in range(200):
        process = subprocess.Popen(["/bin/true"])
        while process.poll() is None:
            activity_of(process.pid)
        assert activity_of(process.pid) == Activity(False, 0.0)


def test_a_process_that_is_gone_does_nothing() -> None:
    assert activity_of(2**22 + 1) == Activity(False, 0.0)
