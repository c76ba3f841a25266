"""The store of `tagsight bench soak`: four cameras on looped clips, a simulated reader, a broker, a cloud.

Everything is a process of its own and can be taken away and given back while the daemon runs.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from broker.mosquitto import LocalBroker, free_port
from fleet.ingest.consumer.audit import Audit
from runtime.demo.plaza import SCENARIO, STORE, calibrate_quiet
from runtime.uplink.outbox.reader import OutboxReader
from tagsight.errors import TagsightError
from testing.delivery.cloud import Cloud
from testing.faults.deaf_proxy import DeafProxy

CAMERAS = ("square", "lamp post", "shop front", "arcade")
TAGSIGHT = (sys.executable, "-m", "runtime")
STARTED = re.compile(r"MainProcess: (.+) started, pid (\d+)$", re.MULTILINE)
STOP_LIMIT_S = 10.0
ARRIVE_WITHIN_S = 20.0


class SoakAccount(msgspec.Struct, frozen=True):
    """What the cloud has of what the box had on disk.

    `lost` events are neither in the cloud, nor named in a gap, nor still in the outbox; `waiting` ones are in
    the outbox only. `kept_twice` are facts that the cloud has more than once in the same revision.
    """

    on_disk: int
    received: int
    named_in_gaps: int
    waiting: int
    lost: int
    came_again: int
    kept_twice: int


class SoakStore:
    """The running store. `pids` are those of the daemon's processes that were started last."""

    def __init__(self, folder: Path, clip: Path, broker: LocalBroker, analysis_fps: float) -> None:
        self.folder = folder
        self.broker = broker
        self.log = folder / "daemon.log"
        self.config = folder / "store.yaml"
        self._clip = clip
        self._reader_port = free_port()
        self._epoch_s = time.time()
        self._reader: subprocess.Popen[bytes] | None = None
        calibrate_quiet(folder)
        for camera in CAMERAS:
            self.plug_in(camera)
        self.start_reader()
        self.proxy = DeafProxy(self._reader_port)
        self._described = self._describe(analysis_fps)
        self.write_config({})
        self.cloud = Cloud(folder / "cloud.db", broker.port)
        with self.log.open("wb") as log:
            command = [*TAGSIGHT, "run", "--config", str(self.config)]
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _describe(self, analysis_fps: float) -> dict[str, Any]:
        store: dict[str, Any] = yaml.safe_load(STORE.read_text())
        (camera,) = store["cameras"]
        store["cameras"] = [
            {
                **camera,
                "name": name,
                "uri": f"file:{self.clip_of(name)}?loop=1&pace=real&epoch={self._epoch_s:.3f}",
                "analysis_fps": analysis_fps,
            }
            for name in CAMERAS
        ]
        store["readers"][0].update(port=self.proxy.port, calibration=str(self.folder / "antennas.yaml"))
        store["uplink"] = {"host": "127.0.0.1", "port": self.broker.port, "trust_broker": False}
        store["state_dir"] = str(self.folder / "state")
        return store

    def write_config(self, changes: dict[str, Any]) -> None:
        """Write store.yaml, with these sections as they are here."""
        self.config.write_text(yaml.safe_dump({**self._described, **changes}, sort_keys=False))

    def reload(self) -> None:
        """Tell the daemon to read its configuration again."""
        self.daemon.send_signal(signal.SIGHUP)

    def clip_of(self, camera: str) -> Path:
        """Where a camera finds its clip while it is plugged in."""
        return self.folder / f"{camera.replace(' ', '-')}.avi"

    def plug_in(self, camera: str) -> None:
        """Let a camera find its clip."""
        self.clip_of(camera).symlink_to(self._clip.resolve())

    def unplug(self, camera: str) -> None:
        """Take a camera's clip away: it is noticed when the clip is opened next."""
        self.clip_of(camera).unlink()

    def start_reader(self) -> None:
        """Start the simulated reader."""
        simulate = ["rfid", "simulate", "--scenario", str(SCENARIO), "--port", str(self._reader_port)]
        with (self.folder / "reader.log").open("ab") as log:
            command = [*TAGSIGHT, *simulate, "--epoch", f"{self._epoch_s:.3f}"]
            self._reader = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def kill_reader(self) -> None:
        """Pull the simulated reader's plug."""
        if self._reader is not None:
            self._reader.kill()
            self._reader.wait()
            self._reader = None

    @property
    def pids(self) -> dict[str, int]:
        """The daemon's processes by name, the supervisor among them."""
        pids = {name: int(pid) for name, pid in STARTED.findall(self.log.read_text(errors="replace"))}
        return {**pids, "supervisor": self.daemon.pid}

    def starts(self) -> int:
        """How many processes the supervisor has started so far."""
        return len(STARTED.findall(self.log.read_text(errors="replace")))

    def check(self) -> None:
        """Raises TagsightError where the daemon has ended by itself."""
        if self.daemon.poll() is not None:
            raise TagsightError(f"the daemon ended by itself; its last words are in {self.log}")

    def stop(self) -> float:
        """Ask the daemon to stop; returns how long it took. Raises TagsightError where it did not drain."""
        began_s = time.monotonic()
        self.daemon.terminate()
        try:
            code = self.daemon.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise TagsightError(f"the daemon did not stop in {STOP_LIMIT_S:.0f} s; see {self.log}") from None
        if code != 0:
            raise TagsightError(f"the daemon ended with exit code {code}; see {self.log}")
        return time.monotonic() - began_s

    def account(self) -> SoakAccount:
        """Audit the cloud's side against the box's disk, once what is under way has arrived."""
        reader = OutboxReader(self.folder / "state" / "outbox.db")
        on_disk, waiting = reader.last_seq(), set[int]()
        deadline_s = time.monotonic() + ARRIVE_WITHIN_S
        while (audit := self._audit()) is None or audit.last_seq < on_disk or not audit.complete:
            if time.monotonic() > deadline_s:
                waiting = {row.seq for row in reader.rows(1, limit=1_000_000, max_bytes=2**40)}
                break
            time.sleep(0.2)
        reader.close()
        missing = () if audit is None else audit.missing
        absent = {seq for first, last in missing for seq in range(first, last + 1)}
        absent |= set(range(1 if audit is None else audit.last_seq + 1, on_disk + 1))
        return SoakAccount(
            on_disk=on_disk,
            received=0 if audit is None else audit.events,
            named_in_gaps=0 if audit is None else audit.named_in_gaps,
            waiting=len(absent & waiting),
            lost=len(absent - waiting),
            came_again=0 if audit is None else audit.duplicates,
            kept_twice=self._kept_twice(),
        )

    def _audit(self) -> Audit | None:
        """The cloud's account of the box; None where it has received nothing at all."""
        audits = self.cloud.audit()
        return audits[0] if audits else None

    def _kept_twice(self) -> int:
        db = sqlite3.connect(self.folder / "cloud.db")
        query = "SELECT count(*) FROM (SELECT 1 FROM events GROUP BY key, rev, retracted HAVING count(*) > 1)"
        (count,) = db.execute(query).fetchone()
        db.close()
        return int(count)

    def close(self) -> None:
        """End every part."""
        if self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        self.cloud.leave()
        self.kill_reader()
        self.proxy.close()


@contextmanager
def open_store(folder: Path, clip: Path, analysis_fps: float) -> Iterator[SoakStore]:
    """The store with everything running, until the context ends."""
    with LocalBroker() as broker:
        store = SoakStore(folder, clip, broker, analysis_fps)
        try:
            yield store
        finally:
            store.close()
