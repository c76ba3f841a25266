"""The daemon as real processes: kill them, stop them, change the configuration under them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from contract.envelope import open_event
from contract.facts import Fact, Heatmap, ProcessHealth
from runtime.uplink.outbox.reader import OutboxReader

RUN = """
import sys, logging
from pathlib import Path
from runtime.commands.run import leave
from runtime.config import load
from runtime.supervisor.arbiter import Arbiter
from runtime.supervisor.children.child import Timeouts
from runtime.supervisor.children.main import configure_logging
configure_logging(logging.INFO)
path = Path(sys.argv[1])
leave(Arbiter(path, load(path), timeouts=Timeouts(silent_s=8.0)).run())
"""
RELOADED = r"(?s)RELOADING=1\nMONOTONIC_USEC=\d+\n.*READY=1"
STARTED = re.compile(r"(\S+) started, pid (\d+)")


def write_clip(path: Path) -> None:
    """Two seconds of an empty room with a little noise, so that it is neither black nor frozen."""
    noise = np.random.default_rng(1)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10.0, (160, 128))
    for _ in range(20):
        writer.write(noise.integers(90, 120, (128, 160, 3), np.uint8))
    writer.release()


class Daemon:
    """`tagsight run` in a process group of its own, and what its log says."""

    def __init__(self, folder: Path) -> None:
        write_clip(folder / "room.mp4")
        self.config = folder / "store.yaml"
        self.store: dict[str, Any] = {
            "site": {"name": "test", "device": "box"},
            "floor": {"extent_m": [0, 0, 10, 10]},
            "cameras": [
                {
                    "name": "room",
                    "uri": f"file:{folder}/room.mp4?loop=1",
                    "max_size": [160, 128],
                    "homography": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]],
                }
            ],
            "uplink": {"host": "127.0.0.1", "port": 9},
            "intervals": {"health_s": 2},
            "state_dir": str(folder / "state"),
        }
        self.write_config()
        self.log = folder / "log"
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.setblocking(False)
        self._told = ""
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "4000000"}
        with self.log.open("wb") as log:
            command = [sys.executable, "-c", RUN, str(self.config)]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=environment
            )

    def write_config(self) -> None:
        self.config.write_text(yaml.safe_dump(self.store))

    def says(self) -> str:
        return self.log.read_text()

    def told(self) -> str:
        """What systemd has been told so far."""
        while True:
            try:
                self._told += self._systemd.recv(4096).decode() + "\n"
            except BlockingIOError:
                return self._told

    def status(self) -> str:
        """The last status that systemd was told."""
        return re.findall(r"^STATUS=(.*)$", self.told(), re.MULTILINE)[-1]

    def pids(self) -> dict[str, int]:
        """The latest pid of every process that was started."""
        return {name: int(pid) for name, pid in STARTED.findall(self.says())}

    def starts(self, name: str) -> int:
        return sum(found == name for found, _ in STARTED.findall(self.says()))

    def wait_for(self, done: Callable[[], bool], limit_s: float = 90.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while not done():
            assert self.process.poll() is None, self.says()
            assert time.monotonic() < deadline_s, self.says()
            self.told()
            time.sleep(0.05)

    def facts(self) -> list[Fact]:
        """Everything in the outbox: nothing is delivered here."""
        reader = OutboxReader(Path(self.store["state_dir"]) / "outbox.db")
        rows = reader.rows(1, limit=100_000, max_bytes=2**40)
        reader.close()
        return [open_event(row.body).fact for row in rows]

    def last_health(self, process: str) -> str:
        """What a process has last said of itself to the store."""
        said = [fact for fact in self.facts() if isinstance(fact, ProcessHealth) and fact.process == process]
        return said[-1].detail if said else ""

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def daemons() -> Iterator[list[Daemon]]:
    """Every daemon that was started for this file, the running one last."""
    started: list[Daemon] = []
    yield started
    for one in started:
        one.end()


@pytest.fixture
def daemon(daemons: list[Daemon], tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    """One daemon for the tests of this file: each leaves it as it found it, or ended."""
    if not daemons or daemons[-1].process.poll() is not None:
        daemons.append(Daemon(tmp_path_factory.mktemp("daemon")))
        daemons[-1].wait_for(lambda: "all processes run" in daemons[-1].says(), 180.0)
    return daemons[-1]


def test_systemd_is_told_that_the_broker_is_absent_and_the_watchdog_is_fed(daemon: Daemon) -> None:
    daemon.wait_for(lambda: "absent: uplink (disconnected)" in daemon.told())
    assert "READY=1\nSTATUS=" in daemon.told()
    fed = daemon.told().count("WATCHDOG=1")
    daemon.wait_for(lambda: daemon.told().count("WATCHDOG=1") > fed)


def test_a_hung_process_is_replaced_and_leaves_a_trace(daemon: Daemon) -> None:
    pid, starts = daemon.pids()["uplink"], daemon.starts("uplink")
    os.kill(pid, signal.SIGSTOP)
    summary = "uplink makes no progress (not a word for 8 s): stopping it with a trace"
    daemon.wait_for(lambda: summary in daemon.says())
    os.kill(pid, signal.SIGCONT)
    daemon.wait_for(lambda: daemon.starts("uplink") > starts)
    crash = Path(daemon.store["state_dir"]) / "crash"
    daemon.wait_for((crash / f"uplink.{pid}.trace").exists)
    assert "Thread" in (crash / f"uplink.{pid}.trace").read_text()


@pytest.mark.parametrize("victim", ["camera:room", "vision", "store", "uplink"])
def test_a_killed_process_is_back_soon_and_the_others_carry_on(daemon: Daemon, victim: str) -> None:
    before = daemon.pids()
    starts = daemon.starts(victim)
    os.kill(before[victim], signal.SIGKILL)
    daemon.wait_for(lambda: daemon.starts(victim) > starts)
    after = daemon.pids()
    assert after.pop(victim) != before.pop(victim)
    assert after == before
    # A fork server that was replaced takes the ends of its children along: then only that it ended is known.
    ended = rf"{victim} ended with (signal SIGKILL|an unknown exit code \(the fork server did not tell it\))"
    assert re.search(ended, daemon.says())


def fork_servers(daemon: Daemon) -> list[int]:
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_fork_server_that_was_killed_takes_nobody_along_and_is_replaced(daemon: Daemon) -> None:
    before = daemon.pids()
    (server,) = fork_servers(daemon)
    os.kill(server, signal.SIGKILL)
    daemon.wait_for(lambda: "the fork server has ended; the processes that run go on" in daemon.says())
    written = len(daemon.facts())
    daemon.wait_for(lambda: len(daemon.facts()) > written)
    assert daemon.pids() == before
    os.kill(before["camera:room"], signal.SIGKILL)
    daemon.wait_for(lambda: daemon.pids()["camera:room"] != before["camera:room"])
    assert "camera:room ended with an unknown exit code" in daemon.says()
    assert fork_servers(daemon) != [server]


def test_a_supervisor_that_was_stopped_for_a_while_blames_nobody(daemon: Daemon) -> None:
    before = daemon.pids()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    time.sleep(10.0)
    os.kill(daemon.process.pid, signal.SIGCONT)
    daemon.wait_for(lambda: "the supervisor was held up for 1" in daemon.says())
    written = len(daemon.facts())
    daemon.wait_for(lambda: len(daemon.facts()) > written)
    assert daemon.pids() == before


def test_a_broken_configuration_is_refused_and_the_old_one_stays(daemon: Daemon) -> None:
    before = daemon.pids()
    good = daemon.config.read_text()
    daemon.config.write_text(good.replace("extent_m", "extend_m"))
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_for(lambda: "the configuration was not reloaded, the old one stays" in daemon.says())
    assert "extend_m" in daemon.says()
    assert daemon.pids() == before
    daemon.wait_for(lambda: re.search(RELOADED, daemon.told()) is not None)
    daemon.wait_for(lambda: "the configuration on disk is broken" in daemon.last_health("supervisor"))
    daemon.config.write_text(good)


def test_zones_intervals_and_rates_are_taken_up_by_the_processes_that_run(daemon: Daemon) -> None:
    before = daemon.pids()
    daemon.store["zones"] = [{"name": "counter", "polygon": [[1, 1], [4, 1], [4, 4], [1, 4]]}]
    daemon.store["intervals"] = {"heatmap_s": 1, "health_s": 1}
    daemon.store["cameras"][0]["analysis_fps"] = 2.0
    daemon.write_config()
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_for(lambda: "4 changes" in daemon.says())
    for key in ("zones[counter] added", "intervals.heatmap_s changed", "cameras[room].analysis_fps changed"):
        assert f"{key}: in force at once" in daemon.says()
    begin = len(daemon.facts())
    daemon.wait_for(
        lambda: any(isinstance(fact, Heatmap) and "counter" in fact.zones for fact in daemon.facts()[begin:])
    )
    daemon.wait_for(
        lambda: any(
            isinstance(fact, ProcessHealth) and fact.process == "camera:room" and 1.5 < fact.values["fps"] < 3
            for fact in daemon.facts()[begin:]
        )
    )
    assert daemon.pids() == before


def test_a_camera_is_added_and_removed_while_the_others_carry_on(daemon: Daemon) -> None:
    before = daemon.pids()
    second = {**daemon.store["cameras"][0], "name": "yard"}
    daemon.store["cameras"].append(second)
    daemon.write_config()
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_for(lambda: "camera:yard: yard: live" in daemon.says())
    daemon.store["cameras"].remove(second)
    daemon.write_config()
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_for(lambda: not Path(f"/proc/{daemon.pids()['camera:yard']}").exists())
    after = daemon.pids()
    assert "cameras[yard] removed: camera:yard stops" in daemon.says()
    assert {name: pid for name, pid in after.items() if name != "camera:yard"} == before


def test_a_changed_configuration_restarts_only_the_process_it_concerns(daemon: Daemon) -> None:
    before = daemon.pids()
    daemon.store["uplink"] = {"host": "127.0.0.1", "port": 10}
    daemon.write_config()
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.wait_for(lambda: daemon.pids()["uplink"] != before["uplink"])
    after = daemon.pids()
    assert {name for name in after if after[name] != before[name]} == {"uplink"}
    assert "uplink.port changed: uplink must be restarted for it" in daemon.says()


def test_sigterm_drains_everything_within_five_seconds(daemon: Daemon) -> None:
    daemon.wait_for(lambda: daemon.status() == "all processes run; absent: uplink (disconnected)", 60.0)
    pids = daemon.pids()
    began_s = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(10.0) == 0, daemon.says()
    assert time.monotonic() - began_s < 5.0
    assert "STOPPING=1" in daemon.told()
    assert not any(Path(f"/proc/{pid}").exists() and not _is_zombie(pid) for pid in pids.values())


def test_children_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    one = Daemon(tmp_path)
    try:
        one.wait_for(lambda: "all processes run" in one.says(), 180.0)
        one.process.kill()
        one.process.wait()
        deadline_s = time.monotonic() + 10.0
        left = set(one.pids().values())
        while left and time.monotonic() < deadline_s:
            time.sleep(0.1)
            left = {pid for pid in left if Path(f"/proc/{pid}").exists() and not _is_zombie(pid)}
        assert not left
    finally:
        for pid in one.pids().values():
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)


def _is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()
