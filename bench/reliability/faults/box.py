"""The whole daemon for the rows of `tagsight bench faults` about cameras, readers, memory and configuration.

One camera (an RTSP server that can be steered), one simulated reader, a private broker, the reference
receiver that acknowledges; `tagsight run` in a process group of its own.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from bench.reliability.faults.memory_cap import MemoryCap, try_memory_cap
from bench.reliability.faults.rig import Outcome
from broker.mosquitto import LocalBroker, free_port
from contract.envelope import open_event
from contract.facts import ProcessHealth
from runtime.demo.plaza import SCENARIO
from runtime.uplink.outbox.reader import OutboxReader
from tagsight.errors import TagsightError
from testing.cameras.rtsp_camera import RtspServer, find_rtsp_python
from testing.delivery.account import take_account
from testing.delivery.cloud import Cloud
from testing.waiting import until, wait_for

LIMIT_S = 240.0
"""Starting a daemon takes 10 s on two idle cores, and minutes on two that dozens of programs share."""
TAGSIGHT = (sys.executable, "-m", "runtime")
STARTED = re.compile(r"MainProcess: (.+) started, pid (\d+)$", re.MULTILINE)
CAMERA, READER = "camera:door", "reader:ceiling"
USUAL = {CAMERA: "live", READER: "reading"}
STORE: dict[str, Any] = {
    "site": {"name": "plaza", "device": "box-1", "timezone": "Europe/London"},
    "floor": {"extent_m": [0, 0, 12, 8]},
    "cameras": [
        {
            "name": "door",
            "max_size": [640, 480],
            "analysis_fps": 5,
            "homography": [[0.03, 0, 0], [0, 0.03, 0], [0, 0, 1]],
        }
    ],
    "entrances": [{"name": "main door", "line": [[2, 4], [8, 4]], "inside": [5, 6]}],
    "zones": [{"name": "coats", "polygon": [[1, 1], [6, 1], [6, 6], [1, 6]]}],
    "readers": [
        {
            "name": "ceiling",
            "host": "127.0.0.1",
            "antennas": [{"port": port, "name": f"antenna {port}"} for port in (1, 2, 3, 4)],
        }
    ],
    "intervals": {"footfall_s": 1, "heatmap_s": 2, "flow_s": 2, "health_s": 1},
}


class Box:
    """The running box, what it has promised so far, and what the cloud has received of its health."""

    def __init__(self, folder: Path, broker: LocalBroker, camera: RtspServer, cap: MemoryCap | None) -> None:
        self.folder = folder
        self.camera = camera
        self.cap = cap
        self.cloud = Cloud(folder / "cloud.db", broker.port, present=False)
        self.log = folder / "daemon.log"
        self.config = folder / "store.yaml"
        self.outbox = folder / "state" / "outbox.db"
        self.promised = 0
        self._settled = 0
        self._broker = broker
        self._reader_port = free_port()
        self._reader: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self.write_config({})

    def write_config(self, changes: dict[str, Any]) -> None:
        """store.yaml with these sections changed."""
        store = {**STORE, "state_dir": str(self.folder / "state"), **changes}
        store["cameras"] = [{**STORE["cameras"][0], "uri": self.camera.uri()}]
        store["readers"] = [{**STORE["readers"][0], "port": self._reader_port}]
        store["uplink"] = {"host": "127.0.0.1", "port": self._broker.port}
        self.config.write_text(yaml.safe_dump(store, sort_keys=False))

    def start_reader(self) -> None:
        """Start the simulated reader."""
        simulate = ["rfid", "simulate", "--scenario", str(SCENARIO), "--port", str(self._reader_port)]
        with (self.folder / "reader.log").open("ab") as log:
            self._reader = subprocess.Popen([*TAGSIGHT, *simulate], stdout=log, stderr=log)

    def kill_reader(self) -> None:
        """Pull its plug."""
        if self._reader is not None:
            self._reader.kill()
            self._reader.wait()
            self._reader = None

    def start_daemon(self) -> None:
        """Start the daemon and wait until camera and reader are live, as the cloud receives it."""
        join = () if self.cap is None else self.cap.join
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [*join, *TAGSIGHT, "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_usual()

    def kill_daemon(self) -> None:
        """SIGKILL for the whole group: supervisor, fork server and every process."""
        self.note_promises()
        if self._daemon is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()
            self._daemon = None

    def reload(self) -> None:
        """SIGHUP."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGHUP)

    def pids(self) -> dict[str, int]:
        """The daemon's processes that were started last, without the supervisor."""
        return {name: int(pid) for name, pid in STARTED.findall(self.says())}

    def says(self) -> str:
        """The daemon's log so far."""
        return self.log.read_text(errors="replace")

    def wait_for_log(self, words: str, after: int = 0) -> str:
        """Until the log has `words` beyond its first `after` characters; returns that line."""
        wait_for(lambda: words in self.says()[after:], f"the daemon never said {words!r}", LIMIT_S)
        return next(line for line in self.says()[after:].splitlines() if words in line)

    def note_promises(self) -> None:
        """What is on disk now has been told to the store process, or is about to be."""
        with suppress(sqlite3.Error, OSError):
            reader = OutboxReader(self.outbox)
            self.promised = max(self.promised, reader.last_seq())
            reader.close()

    def health(self, process: str) -> ProcessHealth | None:
        """The last health of a process that the cloud has."""
        db = sqlite3.connect(f"file:{self.cloud.path}?mode=ro", uri=True)
        query = "SELECT body FROM events WHERE kind = 'health' AND key LIKE ? ORDER BY seq DESC LIMIT 1"
        row = db.execute(query, (f"health:{process}:%",)).fetchone()
        db.close()
        fact = None if row is None else open_event(row[0].encode()).fact
        return fact if isinstance(fact, ProcessHealth) else None

    def wait_for_state(self, process: str, *states: str) -> str:
        """Until the cloud receives that a process is in one of the states; returns its words."""
        found: list[ProcessHealth] = []

        def there() -> bool:
            if self._daemon is not None and self._daemon.poll() is not None:
                raise RuntimeError(f"the daemon ended by itself: {self.says().strip().splitlines()[-1]}")
            health = self.health(process)
            if health is not None and health.state in states and health.time_s > began_s:
                found.append(health)
            return bool(found)

        began_s = time.time()
        wait_for(there, f"the cloud never received that {process} is {' or '.join(states)}", LIMIT_S)
        return f"{process} {found[0].state}: {found[0].detail}"

    def wait_until_usual(self) -> None:
        """Until camera and reader are live again."""
        for process, state in USUAL.items():
            self.wait_for_state(process, state)

    def settle(self, fault: str, times: int, recovery_s: float, said: str) -> Outcome:
        """Wait until the cloud can account for everything promised, and draw up the row."""
        self.note_promises()
        until(lambda: self.cloud.has(self.promised), LIMIT_S)
        account = take_account(self.cloud.path, self.promised, self._settled)
        self._settled = self.promised
        return Outcome(fault, times, account, round(recovery_s, 2), said)

    def close(self) -> None:
        """End every part."""
        self.kill_daemon()
        self.kill_reader()
        self.cloud.leave()
        self.camera.kill()
        if self.cap is not None:
            self.cap.remove()


class NoBox(TagsightError):
    """What the daemon's rows need is not on this machine; the sentence says what."""


@contextmanager
def fresh_box() -> Iterator[Box]:
    """A running box; everything is gone afterwards. Raises NoBox."""
    python = find_rtsp_python()
    if python is None:
        raise NoBox("no RTSP server here; scripts/fetch-rtsp-server gets GStreamer's")
    with tempfile.TemporaryDirectory(prefix="tagsight-faults-") as name, LocalBroker() as broker:
        box = Box(Path(name), broker, RtspServer(python), try_memory_cap())
        try:
            box.camera.start()
            box.start_reader()
            box.cloud.arrive()
            box.start_daemon()
            yield box
        finally:
            box.close()
