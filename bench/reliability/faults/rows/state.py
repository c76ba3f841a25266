"""Rows about what the daemon stands on: processes, its state folder, its configuration, its secrets."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from bench.reliability.faults.box import NoBox
from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.trial import ARRIVES_S, STARTS_S, Trial, fresh_trial, is_traced
from testing.delivery.cloud import ROOT, TAGSIGHT
from testing.delivery.notified import Notified
from testing.waiting import until, wait_for

AWAY = 40
HELD_S = 3.0
EPCS = 100_000
WATCHDOG_S = 3.0
READING_HELD_S = 1.5 * WATCHDOG_S
SECOND_S = 120.0
SECRET = "S3cretPW"
SECRET_URIS = (
    f"rtsp://127.0.0.1:1/cam/realmonitor?user=admin&password={SECRET}",
    f"rtsp://127.0.0.1:1/user=admin&password={SECRET}&channel=1&stream=0.sdp",
)


def fork_fails(times: int) -> Outcome:
    """A process dies while no other can be started: no descriptors, no fork, no fork server."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        tried: list[str] = []
        worst_s = 0.0
        for _ in range(times):
            for name, shortage in _shortages(trial):
                worst_s = max(worst_s, _restart_in(trial, shortage))
                tried.append(name)
        said = trial.box_says(r"\w+ cannot start: [^\n]*")
        outcome = trial.settle("no process can be started", len(tried), f"{', '.join(tried)}: {said}")
        return msgspec.structs.replace(outcome, recovery_s=round(worst_s, 2))


def _shortages(trial: Trial) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "no descriptors", lambda: _without_descriptors(trial)
    if shutil.which("strace"):
        yield "fork refused", lambda: _without_forks(trial)
    yield "fork server killed", lambda: _kill_fork_servers(trial)


def _restart_in(trial: Trial, shortage: Callable[[], None]) -> float:
    """Kill the uplink amid a shortage; returns after how long it runs again, since the shortage is over."""
    before = trial.box.pids()
    shortage()
    began_s = time.monotonic()
    wait_for(
        lambda: trial.box.pids()["uplink"] != before["uplink"], "the uplink did not come back", ARRIVES_S
    )
    assert trial.box.alive(), f"the daemon ended: {trial.last_words()}"
    after = trial.box.pids()
    assert after["store"] == before["store"], "the store process did not run on"
    trial.say(AWAY)
    trial.arrived()
    return time.monotonic() - began_s


def _starters(trial: Trial) -> list[int]:
    """Supervisor, fork server and what else of the daemon is no process of its plan."""
    planned = set(trial.box.pids().values())
    return [pid for line in trial.box.group() if (pid := int(line.split()[0])) not in planned]


def _kill_uplink(trial: Trial) -> None:
    os.kill(trial.box.pids()["uplink"], signal.SIGKILL)


def _without_descriptors(trial: Trial) -> None:
    """No descriptor can be opened for some seconds (EMFILE)."""
    was = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in _starters(trial)}
    for pid, (_, hard) in was.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        _kill_uplink(trial)
        time.sleep(HELD_S)
    finally:
        for pid, limits in was.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _without_forks(trial: Trial) -> None:
    """Every fork is refused for some seconds (EAGAIN, as with TasksMax)."""
    watched = [word for pid in _starters(trial) for word in ("-p", str(pid))]
    calls = "clone,clone3,fork,vfork"
    words = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EAGAIN"]
    tracer = subprocess.Popen([*words, *watched], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: all(is_traced(pid) for pid in _starters(trial)), "strace does not attach", ARRIVES_S)
        _kill_uplink(trial)
        time.sleep(HELD_S)
    finally:
        tracer.terminate()
        tracer.wait()


def _kill_fork_servers(trial: Trial) -> None:
    """Whatever the supervisor forks from dies, and the uplink with it."""
    supervisor = trial.box.supervisor()
    for pid in _starters(trial):
        if pid != supervisor:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _kill_uplink(trial)


def two_daemons(times: int) -> Outcome:
    """A second daemon is started on the same state folder."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        before, said = trial.box.pids(), ""
        for _ in range(times):
            command = [*TAGSIGHT, "run", "--config", str(trial.box.config)]
            try:
                second = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, timeout=SECOND_S, check=False
                )
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"a second daemon still runs after {SECOND_S:.0f} s") from None
            said = (second.stderr or second.stdout).strip().splitlines()[-1]
            assert second.returncode == 1, f"a second daemon ended with {second.returncode}: {said}"
            assert str(trial.box.state) in said, f"a second daemon does not name the state folder: {said}"
            trial.say(AWAY)
        assert trial.box.pids() == before, "the first daemon's processes did not run on"
        return trial.settle("second daemon on one state folder", times, said.replace(str(trial.folder), ""))


def big_reload(times: int) -> Outcome:
    """SIGHUP with a stock list of 100,000 EPCs; systemd's watchdog has to be reached all the time.

    What reads the list is held up for longer than the watchdog waits, as it would be on a slow machine.
    """
    with fresh_trial() as trial, Notified(trial.folder / "notify", WATCHDOG_S) as systemd:
        assert trial.box.start(env=systemd.environment), f"the daemon does not come up: {trial.last_words()}"
        worst_s = 0.0
        for number in range(times):
            epcs = [f"{0xABC << 80 | number << 40 | count:024x}" for count in range(EPCS)]
            trial.box.store["fixtures"][0]["skus"].append({"sku": f"stock-{number}", "epcs": epcs})
            trial.box.write_config()
            began, began_s = len(trial.box.said()), time.monotonic()
            trial.box.reload()
            _hold_up(_config_reader(trial.box.supervisor()), READING_HELD_S)
            trial.box_says(r"configuration reloaded[^\n]*", began, STARTS_S)
            worst_s = max(worst_s, time.monotonic() - began_s)
            trial.say(AWAY)
            silence_s = systemd.longest_silence_s(began_s)
            assert silence_s < WATCHDOG_S, f"the watchdog received nothing for {silence_s:.0f} s"
        said = f"in force after {worst_s:.1f} s, watchdog silent for {silence_s:.1f} s at most"
        outcome = trial.settle("reload with 100,000 EPCs", times, said)
        return msgspec.structs.replace(outcome, recovery_s=round(worst_s, 2))


def _config_reader(supervisor: int) -> int:
    """The process that reads the configuration beside the supervisor."""
    found: list[int] = []

    def is_there() -> bool:
        for children in Path(f"/proc/{supervisor}/task").glob("*/children"):
            for pid in children.read_text().split():
                with suppress(OSError):
                    if b"runtime.config.reading" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
        return bool(found)

    wait_for(is_there, "nothing reads the configuration beside the supervisor", STARTS_S)
    return found[0]


def _hold_up(pid: int, seconds: float) -> None:
    """Stop a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def state_read_only(times: int) -> Outcome:
    """The state folder is on a disk that came up read-only; then it can be written."""
    with fresh_trial() as trial, _mounted(trial.box.state):
        worst_s, said = 0.0, ""
        for number in range(times):
            _remount(trial.box.state, "ro")
            began, last = len(trial.box.said()), trial.box.seq()
            with Notified(trial.folder / f"notify-{number}") as systemd:
                trial.box.start(wait=False, env=systemd.environment)
                said = trial.box_says(r"(?i)[^\n]*read-only[^\n]*", began, STARTS_S)
                time.sleep(HELD_S)
                assert trial.box.alive(), f"the daemon ended: {trial.last_words()}"
                assert not systemd.said("READY=1"), "the daemon told systemd that it was ready"
                _remount(trial.box.state, "rw")
                began_s = time.monotonic()
                wait_for(_reaches(trial, last + 5), f"it does not go on: {trial.last_words()}", ARRIVES_S)
                worst_s = max(worst_s, time.monotonic() - began_s)
                assert until(lambda: systemd.said("READY=1"), ARRIVES_S), "systemd was never told READY"
            trial.say(AWAY)
            trial.arrived()
            trial.stop_box()
        outcome = trial.settle("state folder read-only", times, said.replace(str(trial.folder), ""))
        return msgspec.structs.replace(outcome, recovery_s=round(worst_s, 2))


def _reaches(trial: Trial, seq: int) -> Callable[[], bool]:
    return lambda: trial.box.seq() >= seq


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    """A small file system of its own at `folder`. Raises NoBox where we may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    words: Sequence[str] = ("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder))
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        raise NoBox("no file system may be mounted here; run it as root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def secret_in_uri(times: int) -> Outcome:
    """Two cameras have their passwords in the query and in the path of their URIs."""

    def add_secrets(store: dict[str, Any]) -> None:
        for camera, uri in zip(store["cameras"], SECRET_URIS, strict=True):
            camera["uri"] = uri
        store["log"] = {"level": "debug"}

    with fresh_trial(add_secrets, cameras=len(SECRET_URIS)) as trial:
        trial.start()
        for _ in range(times):
            trial.say(AWAY)
            wait_for(lambda: _cameras_told(trial) == len(SECRET_URIS), "no word of the cameras", ARRIVES_S)
            for name in ("doctor", "config check"):
                _ask(trial, name)
        checked = _ask(trial, "config check")
        trial.stop_box()
        trial.start()
        outcome = trial.settle("passwords in the URIs of cameras", times, "nowhere to be seen")
        assert SECRET not in trial.box.said(), "the log has it"
        assert "password_file" in checked, f"config check does not say where it belongs: {checked[:300]}"
        trial.stop_box(note=False)
        told = [path for path in _files(trial) if SECRET.encode() in path.read_bytes()]
        assert not told, f"it stands in {', '.join(path.name for path in told)}"
        return outcome


def _files(trial: Trial) -> list[Path]:
    """What the box and the consumer keep."""
    return [path for path in trial.box.state.rglob("*") if path.is_file()] + [
        trial.receive.path,
        *trial.receive.path.parent.glob(f"{trial.receive.path.name}-*"),
        trial.receive.log,
    ]


def _cameras_told(trial: Trial) -> int:
    with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
        query = "SELECT count(DISTINCT substr(key, 1, 18)) FROM events WHERE key LIKE 'health:camera:%'"
        return int(db.execute(query).fetchone()[0])


def _ask(trial: Trial, command: str) -> str:
    """What a command says about the box's configuration."""
    config = str(trial.box.config)
    words = [*TAGSIGHT, *command.split(), *(["--config", config] if command == "doctor" else [config])]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=SECOND_S, check=False)
    said = done.stdout + done.stderr
    assert SECRET not in said, f"tagsight {command} shows it"
    return said
