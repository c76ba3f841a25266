"""A process proves life by progress; what it leaves when it ends is bounded."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from time import sleep

import pytest

from runtime.messages import Health
from runtime.processes.kinds import kind_of
from runtime.supervisor.children.child import Child, Timeouts
from runtime.supervisor.children.main import CRASH_BYTES_KEPT, CRASH_REPORTS_KEPT, prune_crash_reports
from runtime.supervisor.children.restarts import RestartPolicy, Restarts
from runtime.supervisor.topology import ProcessPlan

PATIENCE = Timeouts(silent_s=10.0, stalled_s=15.0)


@pytest.fixture
def process() -> Iterator[ForkServerProcess]:
    one = multiprocessing.get_context("forkserver").Process(target=sleep, args=(60.0,))
    one.start()
    yield one
    one.kill()
    one.join()


def child_of(kind: str, process: ForkServerProcess) -> Child:
    plan = ProcessPlan(kind_of(kind), f"{kind}:one", None)
    return Child(plan, Restarts(RestartPolicy(), random.Random(1)), ticket=1, pid=process.pid)


def check_each_second(child: Child, state: str, age_s: float, seconds: int) -> tuple[float, str]:
    """When, and why, it is found to hang: it speaks every second, and its progress stays at second 0."""
    for now_s in range(1, seconds):
        progress_s = now_s - min(float(now_s), age_s)
        child.health = Health(child.name, state, float(now_s), progress_s)
        child.last_message_s = float(now_s)
        why = child.check(float(now_s), PATIENCE)
        if why:
            return float(now_s), why
    return 0.0, ""


@pytest.mark.parametrize(
    ("kind", "state", "limit_s", "meaning"),
    [
        ("camera", "live", 60, "no frame for"),
        ("reader", "reading", 60, "no word of the reader for"),
        ("uplink", "ok", 300, "nothing delivered of what waits for"),
    ],
)
def test_one_that_says_all_is_well_and_makes_no_progress_is_ended(
    process: ForkServerProcess, kind: str, state: str, limit_s: int, meaning: str
) -> None:
    ended_s, why = check_each_second(child_of(kind, process), state, 1e9, 600)
    assert limit_s < ended_s <= limit_s + 3
    assert why.startswith(meaning)
    process.join(10.0)
    assert process.exitcode == -6, "first a signal that leaves a trace"


@pytest.mark.parametrize(
    ("kind", "state", "age_s"),
    [
        ("camera", "live", 5.0),
        ("camera", "no such file", 1e9),
        ("reader", "waiting", 1e9),
        ("uplink", "disconnected", 1e9),
        ("uplink", "unacknowledged", 1e9),
        ("vision", "waiting", 1e9),
        ("store", "live", 1e9),
    ],
)
def test_one_that_progresses_or_says_what_it_lacks_is_left_alone(
    process: ForkServerProcess, kind: str, state: str, age_s: float
) -> None:
    assert check_each_second(child_of(kind, process), state, age_s, 1000) == (0.0, "")
    assert process.is_alive()


def test_an_uplink_that_has_just_connected_after_a_week_is_given_its_time(process: ForkServerProcess) -> None:
    child = child_of("uplink", process)
    assert check_each_second(child, "disconnected", 1e9, 500) == (0.0, "")
    child.health = Health(child.name, "ok", 500.0, -600_000.0)
    child.last_message_s = 500.0
    assert child.check(500.0, PATIENCE) == ""


def test_one_that_says_that_it_is_stalled_is_ended(process: ForkServerProcess) -> None:
    ended_s, why = check_each_second(child_of("camera", process), "stalled", 0.0, 60)
    assert 15 < ended_s <= 18
    assert why.startswith("stalled for 15 s")


def test_crash_reports_are_bounded_in_number(tmp_path: Path) -> None:
    for number in range(CRASH_REPORTS_KEPT + 10):
        report = tmp_path / f"store.{number + 1}.trace"
        report.write_text("Thread")
        os.utime(report, (1000 + number, 1000 + number))
    prune_crash_reports(tmp_path, alive=())
    kept = sorted(int(path.name.split(".")[1]) for path in tmp_path.iterdir())
    assert kept == list(range(11, CRASH_REPORTS_KEPT + 11)), "the newest"


def test_crash_reports_are_bounded_in_size(tmp_path: Path) -> None:
    for number in range(4):
        report = tmp_path / f"store.{number + 1}.trace"
        report.write_bytes(b"x" * (CRASH_BYTES_KEPT // 3 + 1))
        os.utime(report, (1000 + number, 1000 + number))
    prune_crash_reports(tmp_path, alive=())
    assert {path.name for path in tmp_path.iterdir()} == {"store.4.trace", "store.3.trace"}
