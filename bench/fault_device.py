"""A device for `tagsight bench faults`: outbox and sender in a process of its own that can be killed.

It obeys commands from one pipe, and says on another what is on its disk: after every group the last `seq`.
That is a promise.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

from runtime.config import Uplink
from runtime.store.facts import Visit
from runtime.uplink import outbox as outbox_module
from runtime.uplink.delivery import DeliveryLimits
from runtime.uplink.events import Origin
from runtime.uplink.outbox import Outbox, OutboxLimits
from runtime.uplink.outbox_reader import OutboxReader
from runtime.uplink.sender import Sender
from runtime.uplink.session import Session

ORIGIN = Origin("plaza", "box-1")
GROUP_DELAY_S = 0.005
ACK_TIMEOUT_S = 2.0
RESEND_AFTER_S = 3.0
HOLD_S = 1.0
FIRST_PAUSE_S = 0.1
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


class Device:
    """What the commands act on."""

    def __init__(self, path: Path, broker: Uplink, promises: Connection) -> None:
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

    def obey(self, command: Command) -> None:
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
    "written, not committed": Boundary(outbox_module, "note_progress", False, 12),
    "on disk, nobody told": Boundary(Device, "promise", True, 12),
    "promised": Boundary(Device, "promise", False, 12),
    "read for sending": Boundary(OutboxReader, "rows", False, 12),
    "sent, no answer yet": Boundary(Session, "_send", False, 12),
    "answered, not noted": Boundary(Session, "_delivered", True, 12),
    "noted as delivered": Boundary(OutboxReader, "note_delivered", False, 2),
}
"""From a fact to its delivery: the boundaries at which a device can die."""


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
    path: Path, broker: Uplink, commands: Connection, promises: Connection, log: Path, fuse: Fuse | None
) -> None:
    """Obey until the other end of `commands` is gone. What goes wrong stands in `log`."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(filename=log, level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    if fuse is not None:
        light(fuse)
    device = Device(path, broker, promises)
    while True:
        try:
            device.obey(commands.recv())
        except EOFError:
            break
    device.close()
