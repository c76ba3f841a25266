"""What a process is started with, and what happens where it cannot be started."""

from __future__ import annotations

import logging
import multiprocessing
import random
import socket
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml

from runtime.clock import HostClock
from runtime.config import StoreConfig, load
from runtime.messages import Health, PeerGone, Stop, pair, receive, send
from runtime.supervisor.arbiter import Arbiter
from runtime.supervisor.children.child import Child
from runtime.supervisor.children.main import prune_crash_reports, run_child, trace_file
from runtime.supervisor.children.restarts import RestartPolicy, Restarts
from runtime.supervisor.forkserver.client import Exited, ForkServerClient
from runtime.supervisor.state.folder import StateError
from runtime.supervisor.state.lock import StateLock
from runtime.supervisor.topology import ProcessPlan, plan_processes

DAY_S = 86_400.0


@pytest.fixture
def store_yaml(tmp_path: Path) -> Path:
    (tmp_path / "room.mp4").touch()
    path = tmp_path / "store.yaml"
    store = {
        "site": {"name": "test", "device": "box"},
        "floor": {"extent_m": [0, 0, 10, 10]},
        "cameras": [{"name": "room", "uri": f"file:{tmp_path}/room.mp4", "max_size": [160, 128]}],
        "state_dir": str(tmp_path / "state"),
    }
    path.write_text(yaml.safe_dump(store))
    return path


def camera_plan(config: StoreConfig, clock: tuple[float, float]) -> ProcessPlan:
    return next(plan for plan in plan_processes(config, clock) if plan.kind.name == "camera")


@pytest.mark.parametrize(
    "name", ["camera:door", "camera:door 1/2 (left)", "reader:../ceiling", "camera:门口"]
)
def test_the_trace_of_a_process_of_any_name_lies_in_the_crash_folder(tmp_path: Path, name: str) -> None:
    report = trace_file(tmp_path, name, 77)
    report.write_text("trace")
    assert report.parent.resolve() == tmp_path.resolve()
    prune_crash_reports(tmp_path, alive={77})
    assert report.exists()


def test_files_that_are_no_reports_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "camera-door.5.trace").touch()
    for name in ("notes.trace", "notes.old.trace", "notes.txt"):
        (tmp_path / name).touch()
    prune_crash_reports(tmp_path, alive=())
    assert {path.name for path in tmp_path.iterdir()} == {"notes.trace", "notes.old.trace", "notes.txt"}


def test_a_camera_without_memory_for_its_ring_does_not_stop_the_others(
    store_yaml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(store_yaml)
    arbiter = Arbiter(store_yaml, config)
    plan = camera_plan(config, (0.0, 0.0))
    impossible = replace(plan, spec=msgspec.structs.replace(plan.spec, slots=1))
    child = Child(impossible, Restarts(RestartPolicy(), random.Random(1)))
    arbiter._group.children = {plan.name: child}
    now_s = time.monotonic()
    with caplog.at_level(logging.ERROR):
        arbiter.step(now_s)
    assert not child.running
    assert child.start_at_s > now_s
    assert child.restarts.total == 1
    assert "camera:room cannot start: a ring of 1 slots is not possible" in caplog.text


def test_a_camera_that_is_configured_again_while_it_stops_is_not_started_twice(store_yaml: Path) -> None:
    config = load(store_yaml)
    arbiter = Arbiter(store_yaml, config)
    child = arbiter._group.children["camera:room"]
    ours, theirs = pair()
    process = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(30.0,))
    process.start()
    child.ticket, child.pid, child.control = 1, process.pid, ours
    try:
        arbiter._configuration.current = msgspec.structs.replace(config, cameras=[])
        arbiter._apply_config()
        assert child.removed
        assert receive(theirs) == (Stop(), ())
        arbiter._configuration.current = config
        arbiter._apply_config()
        assert arbiter._group.children["camera:room"] is child
        assert not child.removed
    finally:
        process.kill()
        process.join()
        theirs.close()


@pytest.mark.parametrize("fault", ["taken", "newer", "no folder"])
def test_a_reload_to_a_state_folder_that_cannot_be_used_changes_nothing(
    store_yaml: Path, tmp_path: Path, fault: str
) -> None:
    config = load(store_yaml)
    arbiter = Arbiter(store_yaml, config)
    arbiter._state.prepare(0.0)
    other = tmp_path / "other"
    holder = StateLock(other, other / "outbox.db")
    if fault == "taken":
        holder.prepare(0.0)
    elif fault == "newer":
        other.mkdir()
        (other / "format.json").write_text('{"format": 99, "written_by": "7.2"}')
    else:
        other.touch()
    with pytest.raises(StateError):
        arbiter._change_state_folder(msgspec.structs.replace(config, state_dir=other), 0.0)
    assert arbiter._state.folder == config.state_dir
    with pytest.raises(StateError, match="another tagsight daemon"):
        StateLock(config.state_dir, config.outbox_path()).prepare(0.0)
    holder.release()


def test_a_reload_to_another_state_folder_takes_that_one_and_lets_the_old_one_go(
    store_yaml: Path, tmp_path: Path
) -> None:
    config = load(store_yaml)
    arbiter = Arbiter(store_yaml, config)
    arbiter._state.prepare(0.0)
    other = tmp_path / "other"
    arbiter._change_state_folder(msgspec.structs.replace(config, state_dir=other), 0.0)
    assert arbiter._group.crash_dir == other / "crash"
    with pytest.raises(StateError, match="another tagsight daemon"):
        StateLock(other, other / "outbox.db").prepare(0.0)
    old = StateLock(config.state_dir, config.outbox_path())
    old.prepare(0.0)
    assert old.fault == ""


@pytest.mark.parametrize("set_by_s", [40.0, -3600.0, 50 * 365 * DAY_S])
def test_a_wall_clock_that_was_set_starts_all_anew_on_the_new_time(
    store_yaml: Path, set_by_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    arbiter = Arbiter(store_yaml, load(store_yaml))
    process = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(30.0,))
    process.start()
    told = []
    try:
        for child in arbiter._group.children.values():
            child.control, theirs = pair()
            child.ticket, child.pid = 1, process.pid
            theirs.setblocking(False)
            told.append(theirs)
        arbiter._clock = HostClock(state=(time.time() - set_by_s, time.monotonic()))
        arbiter._report(time.monotonic())
        assert abs(arbiter._clock.offset_s()) < 1.0
        assert all(receive(theirs) == (Stop(), ()) for theirs in told)
        assert "the wall clock was set by" in caplog.text
    finally:
        process.kill()
        process.join()


def test_a_clock_that_is_a_little_off_disturbs_nobody(store_yaml: Path) -> None:
    arbiter = Arbiter(store_yaml, load(store_yaml))
    clock = HostClock(state=(time.time() - 5.0, time.monotonic()))
    arbiter._clock = clock
    arbiter._report(time.monotonic())
    assert arbiter._clock is clock


def test_a_process_started_long_after_a_step_of_the_wall_clock_agrees_with_the_others(
    store_yaml: Path,
) -> None:
    wall_s, mono_s = 1e9, 0.0
    supervisor = HostClock(lambda: wall_s, lambda: mono_s)
    plan = camera_plan(load(store_yaml), supervisor.state)
    for passed_s in (30 * DAY_S, 10.0):
        wall_s, mono_s = wall_s + passed_s, mono_s + passed_s
        supervisor.now()
        wall_s += 3600.0
    child = HostClock(lambda: wall_s, lambda: mono_s, plan.spec_at(supervisor.state).clock)
    wall_s, mono_s = wall_s + 1.0, mono_s + 1.0
    assert child.now() == pytest.approx(supervisor.now(), abs=1e-6)


def test_a_child_that_talks_nonsense_is_cut_off_and_does_not_end_the_supervisor(store_yaml: Path) -> None:
    plan = camera_plan(load(store_yaml), (0.0, 0.0))
    ours, theirs = pair()
    ours.setblocking(False)
    child = Child(plan, Restarts(RestartPolicy(), random.Random(1)), control=ours)
    send(theirs, Health("camera:room", "live", 1.0, 1.0))
    theirs.send(b"\xc1 no record")
    assert [said.state for said in child.receive(5.0)] == ["live"]
    assert child.control is None
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        theirs.send(b"more")
    theirs.close()
    assert isinstance(ours, socket.socket) and ours.fileno() == -1


FAILING = """
import errno, os, sys
import runtime.processes.uplink
from tagsight.errors import TagsightError
def main(control, spec):
    raise {fault}
runtime.processes.uplink.main = main
"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('TagsightError("the key is missing: put it there")', "the key is missing: put it there"),
        ("MemoryError()", "too little memory"),
        ('OSError(errno.EMFILE, "x")', "too many open files: see LimitNOFILE"),
        ('RuntimeError("can\'t start new thread")', "too many processes and threads: see TasksMax"),
        ('ImportError("libx.so: failed to map segment from shared object")', "too little memory"),
    ],
    ids=["mendable", "memory", "descriptors", "threads", "library"],
)
def test_a_process_that_ends_by_a_fault_one_can_mend_says_which(
    store_yaml: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fault: str,
    said: str,
) -> None:
    (tmp_path / "failing_uplink.py").write_text(FAILING.format(fault=fault))
    monkeypatch.syspath_prepend(tmp_path)
    plan = next(
        plan for plan in plan_processes(load(store_yaml), HostClock().state) if plan.kind.name == "uplink"
    )
    fork_server = ForkServerClient(["failing_uplink"])
    ours, theirs = pair()
    with theirs:
        arguments = (plan.kind.name, plan.name, plan.spec, str(tmp_path), logging.INFO)
        fork_server.ask(plan.name, run_child, theirs, arguments, time.monotonic())
    ours.settimeout(60.0)
    health, _ = receive(ours)
    assert isinstance(health, Health)
    assert (health.process, health.state) == ("uplink", "failed")
    assert said in health.detail
    with pytest.raises(PeerGone):
        receive(ours)
    deadline_s = time.monotonic() + 10.0
    while Exited not in map(type, answers := fork_server.receive(time.monotonic())):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert answers[-1].code == 1
    fork_server.close()
    assert "Traceback" not in capfd.readouterr().err
    traces = list(tmp_path.glob("uplink.*.trace"))
    assert len(traces) == (0 if fault.startswith("Tagsight") else 1) or traces[0].stat().st_size == 0
