"""The parts of one row of `tagsight bench faults`: device process, broker, proxy, cloud."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.deaf_proxy import DeafProxy
from runtime.config import Uplink
from runtime.uplink.broker import LocalBroker
from runtime.uplink.cloud_store import Audit, CloudStore
from runtime.uplink.receive import Receiver, receive_in_background

PATIENCE_S = 90.0
REPO = Path(__file__).resolve().parent.parent


class Outcome(msgspec.Struct, frozen=True):
    """One row: what the fault cost."""

    fault: str
    times: int
    promised: int
    lost: int
    named_in_gaps: int
    kept_twice: int
    recovery_s: float

    @property
    def passed(self) -> bool:
        return self.lost == 0 and self.kept_twice == 0


class Cloud:
    """The receiver, which can be away."""

    def __init__(self, path: Path, port: int) -> None:
        self._path = path
        self._port = port
        self._receiver: Receiver | None = None
        self._thread: threading.Thread | None = None

    def arrive(self) -> None:
        """Connect and receive."""
        broker = Uplink(host="127.0.0.1", port=self._port)
        self._receiver = Receiver(broker, CloudStore(self._path))
        self._thread = receive_in_background(self._receiver)

    def leave(self) -> None:
        """Stop receiving."""
        if self._receiver is not None and self._thread is not None:
            self._receiver.stopping.set()
            self._thread.join()
        self._receiver = self._thread = None

    def audit(self) -> Audit | None:
        """The account so far."""
        store = CloudStore(self._path)
        audits = store.audit()
        store.close()
        return audits[0] if audits else None

    def kept_twice(self) -> int:
        """Facts that are there more than once: every visit has a key of its own."""
        db = sqlite3.connect(self._path)
        query = "SELECT count(*) - count(DISTINCT key) FROM events WHERE kind = 'visit'"
        (count,) = db.execute(query).fetchone()
        db.close()
        return int(count)


class Rig:
    """Broker, cloud and device of one row."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        self.outbox = folder / "outbox.db"
        self.broker = broker
        self.proxy = DeafProxy(broker.port)
        self.cloud = Cloud(folder / "cloud.db", broker.port)
        self.promised = 0
        self._device: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def start_device(self, port: int | None = None) -> None:
        """Start the device process; it goes on where the outbox ends."""
        command = [
            sys.executable,
            "-m",
            "bench.fault_device",
            str(self.outbox),
            str(port or self.broker.port),
            "ack",
        ]
        self._device = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=REPO
        )
        self._listener = threading.Thread(target=self._listen, args=(self._device,), daemon=True)
        self._listener.start()

    def _listen(self, device: subprocess.Popen[str]) -> None:
        assert device.stdout is not None
        for line in device.stdout:
            if line.endswith("\n"):
                self.promised = max(self.promised, int(line))

    def tell(self, command: str, value: float) -> None:
        """A command for the device."""
        assert self._device is not None and self._device.stdin is not None
        self._device.stdin.write(f"{command} {value}\n")

    def kill_device(self) -> None:
        """kill -9, and hear what it promised before."""
        assert self._device is not None and self._listener is not None
        self._device.kill()
        self._device.wait()
        self._listener.join()

    def wait_for_promise(self, seq: int) -> None:
        """Until that much is on the device's disk."""
        wait_for(lambda: self.promised >= seq, "the device did not write its events")

    def settle(self, fault: str, times: int) -> Outcome:
        """Wait until the cloud can account for everything promised, and draw up the row."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < PATIENCE_S:
            audit = self.cloud.audit()
            if audit is not None and audit.complete and audit.last_seq >= self.promised:
                break
            time.sleep(0.05)
        recovery_s = time.monotonic() - began_s
        audit = self.cloud.audit()
        assert audit is not None, "the cloud received nothing"
        missing = sum(last - first + 1 for first, last in audit.missing if first <= self.promised)
        lost = missing + max(0, self.promised - audit.last_seq)
        return Outcome(
            fault, times, self.promised, lost, audit.named_in_gaps, self.cloud.kept_twice(), recovery_s
        )

    def close(self) -> None:
        """End every part."""
        self.cloud.leave()
        if self._device is not None and self._device.poll() is None:
            self.kill_device()
        self.proxy.close()


def wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    """Raises RuntimeError with `otherwise` where the condition does not come true in PATIENCE_S."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError(otherwise)
        time.sleep(0.01)


@contextmanager
def fresh_rig() -> Iterator[Rig]:
    """A fresh rig with the cloud present; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tagsight-faults-") as name, LocalBroker() as broker:
        parts = Rig(Path(name), broker)
        try:
            parts.cloud.arrive()
            yield parts
        finally:
            parts.close()
