"""The parts of one row of `tagsight bench faults`: device process, broker, proxy, cloud."""

from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import msgspec

from bench.deaf_proxy import DeafProxy
from bench.fault_account import Account, take_account
from bench.fault_device import Command, Fuse, serve
from runtime.config import Uplink
from runtime.uplink.broker import LocalBroker
from runtime.uplink.cloud_store import Audit, CloudStore
from runtime.uplink.receive import Receiver, receive_in_background

PATIENCE_S = 90.0


class Outcome(msgspec.Struct, frozen=True):
    """One row: what the fault cost, how long after its end everything was accounted for, what was said."""

    fault: str
    times: int
    account: Account
    recovery_s: float
    said: str = ""
    failed: bool = False
    """The row did not come to its end; `said` is why."""

    @property
    def passed(self) -> bool:
        return self.account.sound and not self.failed


class Cloud:
    """The receiver, which can be away."""

    def __init__(self, path: Path, port: int, broker: Uplink | None = None) -> None:
        self.path = path
        self._broker = broker or Uplink(host="127.0.0.1", port=port)
        self._receiver: Receiver | None = None
        self._thread: threading.Thread | None = None

    def arrive(self) -> None:
        """Connect and receive."""
        self._receiver = Receiver(self._broker, CloudStore(self.path))
        self._thread = receive_in_background(self._receiver)

    def leave(self) -> None:
        """Stop receiving."""
        if self._receiver is not None and self._thread is not None:
            self._receiver.stopping.set()
            self._thread.join()
        self._receiver = self._thread = None

    def audit(self) -> Audit | None:
        """The account so far."""
        store = CloudStore(self.path)
        audits = store.audit()
        store.close()
        return audits[0] if audits else None

    def kept_twice(self) -> int:
        """Facts that are there more than once: every visit has a key of its own."""
        db = sqlite3.connect(self.path)
        query = "SELECT count(*) - count(DISTINCT key) FROM events WHERE kind = 'visit'"
        (count,) = db.execute(query).fetchone()
        db.close()
        return int(count)


class Rig:
    """Broker, cloud and device of one row."""

    def __init__(self, folder: Path, broker: LocalBroker, uplink: Uplink, cloud: Uplink) -> None:
        self.folder = folder
        self.outbox = folder / "outbox.db"
        self.log = folder / "device.log"
        self.broker = broker
        self.uplink = uplink
        self.proxy = DeafProxy(broker.port)
        self.cloud = Cloud(folder / "cloud.db", broker.port, cloud)
        self.promised = 0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bench.fault_device"])
        self._device: ForkServerProcess | None = None
        self._commands: Connection | None = None
        self._listener: threading.Thread | None = None

    def start_device(self, port: int | None = None, fuse: Fuse | None = None) -> None:
        """Start the device process; it goes on where the outbox ends."""
        broker = self.uplink if port is None else msgspec.structs.replace(self.uplink, port=port)
        told, self._commands = self._context.Pipe(False)
        heard, promises = self._context.Pipe(False)
        self._device = self._context.Process(
            target=serve, args=(self.outbox, broker, told, promises, self.log, fuse)
        )
        self._device.start()
        told.close()
        promises.close()
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def _listen(self, heard: Connection) -> None:
        with heard, suppress(EOFError, OSError):
            while True:
                self.promised = max(self.promised, heard.recv())

    def tell(self, command: Command) -> None:
        """A command for the device; one that has died hears nothing."""
        assert self._commands is not None
        with suppress(BrokenPipeError):
            self._commands.send(command)

    def say(self, count: int, per_s: float = 0.0) -> None:
        """Let the device say that many events."""
        self.tell(Command("say", count, per_s))

    def device_pid(self) -> int:
        """The device's process."""
        assert self._device is not None and self._device.pid is not None
        return self._device.pid

    def kill_device(self) -> None:
        """kill -9, and hear what it promised before."""
        assert self._device is not None
        self._device.kill()
        self.bury_device()

    def bury_device(self) -> None:
        """Wait for a device that dies, and hear what it promised before."""
        assert self._device is not None and self._commands is not None and self._listener is not None
        self._device.join(PATIENCE_S)
        if self._device.exitcode is None:
            raise RuntimeError("the device did not die")
        self._listener.join()
        self._commands.close()

    def wait_for_promise(self, seq: int) -> None:
        """Until that much is on the device's disk."""
        wait_for(lambda: self.promised >= seq, "the device did not write its events")

    def wait_for_log(self, words: str) -> str:
        """Until the device says `words`; returns its line."""

        def line() -> str | None:
            said = self.log.read_text().splitlines() if self.log.exists() else []
            return next((one for one in said if words in one), None)

        wait_for(lambda: line() is not None, f"the device never said {words!r}")
        return line() or ""

    def settle(self, fault: str, times: int, said: str = "") -> Outcome:
        """Wait until the cloud can account for everything promised, and draw up the row."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < PATIENCE_S:
            audit = self.cloud.audit()
            if audit is not None and audit.complete and audit.last_seq >= self.promised:
                break
            time.sleep(0.05)
        recovery_s = time.monotonic() - began_s
        account = take_account(self.cloud.path, self.promised)
        return Outcome(fault, times, account, round(recovery_s, 2), said)

    def close(self) -> None:
        """End every part."""
        self.cloud.leave()
        if self._device is not None and self._device.exitcode is None:
            self.kill_device()
        self.proxy.close()


def wait_for(condition: Callable[[], bool], otherwise: str, patience_s: float = PATIENCE_S) -> None:
    """Raises RuntimeError with `otherwise` where the condition does not come true in time."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError(otherwise)
        time.sleep(0.01)


@contextmanager
def fresh_rig(settings: Sequence[str] = ("allow_anonymous true",)) -> Iterator[Rig]:
    """A fresh rig with the cloud present; `settings` are the broker's. Everything is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="tagsight-faults-") as name,
        LocalBroker(settings) as broker,
    ):
        plain = Uplink(host="127.0.0.1", port=broker.port)
        with running(Rig(Path(name), broker, plain, plain)) as rig:
            yield rig


@contextmanager
def running(rig: Rig) -> Iterator[Rig]:
    """A rig with the cloud present until the context ends."""
    try:
        rig.cloud.arrive()
        yield rig
    finally:
        rig.close()
