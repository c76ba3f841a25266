"""A device as a process of its own that can be killed: outbox and sender, at any moment or at a kill point.

It obeys commands from one pipe, and says on another what is on its disk: after every group the last `seq`.
That is a promise.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from broker.settings import BrokerSettings
from contract.facts import Visit
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.delivery.session import Session
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox import disk
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from testing.delivery.device import FIRST_PAUSE_S, GROUP_DELAY_S, ORIGIN
from testing.waiting import LIMIT_S, wait_for

ACK_TIMEOUT_S = 2.0
RESEND_AFTER_S = 3.0
HOLD_S = 1.0
SAID_AT_ONCE = 20


class Command(NamedTuple):
    """`say` events (`value` of them, `per_s` a second if given), let no file grow beyond `value` bytes
    (`disk`; 0: no limit), move the clock by `value` seconds (`step`)."""

    verb: Literal["say", "disk", "step"]
    value: float
    per_s: float = 0.0


class Fuse(NamedTuple):
    """Die by SIGKILL at a stage boundary, when it is reached for the `calls`th time."""

    stage: str
    calls: int


class Obeying:
    """What the commands act on, in the device's process."""

    def __init__(self, path: Path, broker: BrokerSettings, promises: Connection) -> None:
        self._step_s = 0.0
        self._spoken = 0
        self._promises = promises
        self._run = time.monotonic_ns()
        limits = DeliveryLimits(batch_events=50, resend_after_s=RESEND_AFTER_S, hold_s=HOLD_S)
        self._sender = Sender(
            path,
            ORIGIN,
            broker,
            clock=self._now,
            limits=limits,
            ack_timeout_s=ACK_TIMEOUT_S,
            first_pause_s=FIRST_PAUSE_S,
        )
        self._outbox = Outbox(
            path,
            ORIGIN,
            OutboxLimits(group_delay_s=GROUP_DELAY_S),
            clock=self._now,
            on_commit=self.promise,
        )
        self._sender.start()

    def handle(self, command: Command) -> None:
        """Do what a command says."""
        if command.verb == "say":
            threading.Thread(target=self._say, args=command[1:], daemon=True).start()
        elif command.verb == "disk":
            limit = resource.RLIM_INFINITY if command.value == 0 else int(command.value)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        else:
            self._step_s += command.value

    def promise(self, seq: int) -> None:
        """The outbox has everything up to `seq` on disk."""
        self._promises.send(seq)
        self._sender.wake()

    def close(self) -> None:
        """End as an operator would have it."""
        self._outbox.close()
        self._sender.stop()

    def _say(self, count: float, per_s: float) -> None:
        for number in range(int(count)):
            self._spoken += 1
            key = f"visit/{self._run}/{self._spoken}"
            fact = Visit(key=key, time_s=self._now(), visitor="v", direction="in", entrance="door")
            self._outbox.append([fact])
            if per_s and number % SAID_AT_ONCE == 0:
                time.sleep(SAID_AT_ONCE / per_s)

    def _now(self) -> float:
        return time.time() + self._step_s


class Boundary(NamedTuple):
    """Where a stage ends: before or after a call of `owner.name`; dying within `most_calls` meets it."""

    owner: object
    name: str
    before: bool
    most_calls: int


STAGES = {
    "numbered, in memory": Boundary(Outbox, "_take", False, 300),
    "written, not committed": Boundary(disk, "note_progress", False, 12),
    "on disk, nobody told": Boundary(Obeying, "promise", True, 12),
    "promised": Boundary(Obeying, "promise", False, 12),
    "read for sending": Boundary(OutboxReader, "rows", False, 12),
    "sent, no answer yet": Boundary(Session, "_send", False, 12),
    "answered, not noted": Boundary(Session, "_delivered", True, 12),
    "noted as delivered": Boundary(OutboxReader, "note_delivered", False, 2),
}
"""Kill points: the boundaries from a fact to its delivery at which a device can die."""


def light(fuse: Fuse) -> None:
    """Make this process die at a boundary."""
    boundary = STAGES[fuse.stage]
    whole = getattr(boundary.owner, boundary.name)
    left = fuse.calls

    def burning(*arguments: object, **named: object) -> object:
        nonlocal left
        left -= 1
        if boundary.before and left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments, **named)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(boundary.owner, boundary.name, burning)


def serve(
    path: Path,
    broker: BrokerSettings,
    commands: Connection,
    promises: Connection,
    log: Path,
    fuse: Fuse | None,
) -> None:
    """Obey until the other end of `commands` is gone. What goes wrong stands in `log`."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(filename=log, level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    if fuse is not None:
        light(fuse)
    device = Obeying(path, broker, promises)
    while True:
        try:
            device.handle(commands.recv())
        except EOFError:
            break
    device.close()


class DeviceProcess:
    """The device's process with its `outbox`, seen from here; `promised` is the last `seq` on its disk."""

    def __init__(self, outbox: Path, broker: BrokerSettings) -> None:
        self.outbox = outbox
        self.log = outbox.with_name("device.log")
        self.promised = 0
        self._broker = broker
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["testing.delivery.device_process"])
        self._process: ForkServerProcess | None = None
        self._commands: Connection | None = None
        self._listener: threading.Thread | None = None

    def start(self, port: int | None = None, fuse: Fuse | None = None) -> None:
        """Start it; it goes on where the outbox ends. `port` goes before the broker's own."""
        broker = self._broker if port is None else msgspec.structs.replace(self._broker, port=port)
        told, self._commands = self._context.Pipe(False)
        receiving, promises = self._context.Pipe(False)
        self._process = self._context.Process(
            target=serve, args=(self.outbox, broker, told, promises, self.log, fuse)
        )
        self._process.start()
        told.close()
        promises.close()
        self._listener = threading.Thread(target=self._listen, args=(receiving,), daemon=True)
        self._listener.start()

    def _listen(self, receiving: Connection) -> None:
        with receiving, suppress(EOFError, OSError):
            while True:
                self.promised = max(self.promised, receiving.recv())

    def tell(self, command: Command) -> None:
        """A command for the device; one that has died receives nothing."""
        assert self._commands is not None
        with suppress(BrokenPipeError):
            self._commands.send(command)

    def say(self, count: int, per_s: float = 0.0) -> None:
        """Let it say that many events."""
        self.tell(Command("say", count, per_s))

    def kill(self) -> None:
        """kill -9, and receive what it promised before."""
        assert self._process is not None
        self._process.kill()
        self.reap()

    def reap(self) -> None:
        """Wait for a device that dies, and receive what it promised before."""
        assert self._process is not None and self._commands is not None and self._listener is not None
        self._process.join(LIMIT_S)
        if self._process.exitcode is None:
            raise RuntimeError("the device did not die")
        self._listener.join()
        self._commands.close()

    bury = reap
    """The name that trials know it by."""

    def close(self) -> None:
        """Kill it where it runs."""
        if self._process is not None and self._process.exitcode is None:
            self.kill()

    def wait_for_promise(self, seq: int) -> None:
        """Until that much is on its disk."""
        wait_for(lambda: self.promised >= seq, "the device did not write its events")

    def wait_for_log(self, words: str) -> str:
        """Until it says `words`; returns its line."""

        def line() -> str | None:
            said = self.log.read_text().splitlines() if self.log.exists() else []
            return next((one for one in said if words in one), None)

        wait_for(line, f"the device never said {words!r}")
        return line() or ""
