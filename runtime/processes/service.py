"""What every process does: serve its supervisor and its peers, report health every second, end in order.

A process declares in its `__init__` what it accepts (`accept`, `configured_by`, `send_records`) and what it
does from time to time (`every`), and overrides those of the steps of `run` that it needs.
"""

from __future__ import annotations

import os
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runtime.clock import HostClock
from runtime.messages import Attach, Configure, Detach, Health, Message
from runtime.processes.control import ControlLine
from runtime.processes.record_sender import RecordSender
from runtime.processes.spec import Spec, SpecT, receive_spec

HEALTH_EVERY_S = 1.0


Input = tuple[int, Callable[[], None]]
"""A descriptor to read, and what to do when it can be read."""


@dataclass
class _Timer:
    every_s: float
    act: Callable[[], None]
    due_s: float = float("-inf")


@dataclass(frozen=True)
class _Role:
    """Peers of one kind: how many descriptors come with `Attach`, and what to do with them."""

    descriptors: int
    attach: Callable[..., None]
    detach: Callable[[str], None] | None


class Service(ABC):
    """One process of the box. Used by one thread, but for `wake`."""

    def __init__(self, control: socket.socket, name: str, spec: Spec) -> None:
        self.name = name
        self.clock = HostClock(state=spec.clock)
        self.control = ControlLine(control)
        self._timers = [_Timer(HEALTH_EVERY_S, self.report)]
        self._roles: dict[str, _Role] = {}
        self._configure: Callable[[int], None] = os.close
        self._senders: list[RecordSender] = []
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def accept(
        self,
        role: str,
        descriptors: int,
        attach: Callable[..., None],
        detach: Callable[[str], None] | None = None,
    ) -> None:
        """Peers of that role: `attach(name, *fds)` owns the descriptors; `detach(name)`: it is gone."""
        self._roles[role] = _Role(descriptors, attach, detach)

    def configured_by(self, kind: type[SpecT], apply: Callable[[SpecT], None]) -> None:
        """Take up another spec while running: what is different in it is in `LIVE`."""
        self._configure = lambda fd: apply(receive_spec(fd, kind))

    def send_records(self, role: str = "records") -> RecordSender:
        """Records for the peer of that role, whoever it is at the moment."""
        sender = RecordSender()
        self.accept(
            role,
            1,
            lambda _, fd: sender.attach(socket.socket(fileno=fd)),
            lambda _: sender.detach(),
        )
        self._senders.append(sender)
        return sender

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Do that so often, from the first turn on."""
        self._timers.append(_Timer(seconds, act))

    def wake(self) -> None:
        """End the waiting of the turn; for other threads. `on_wake` is called then."""
        try:
            os.write(self._wake_in, b"w")
        except BlockingIOError:
            return

    def run(self) -> None:
        """Serve until told to stop or the supervisor is gone."""
        self.begin()
        while not self.control.stopping:
            self._wait(self._act_on_timers())
            self.turn()
            for sender in self._senders:
                sender.flush()
        self.finish()

    def begin(self) -> None:  # noqa: B027 (nothing, unless a process overrides it)
        """Before serving."""

    def inputs(self) -> Iterable[Input]:
        """What else to wait for in this turn."""
        return ()

    def max_wait_s(self) -> float:
        """How long this turn may wait at most, timers aside."""
        return HEALTH_EVERY_S

    def on_wake(self) -> None:  # noqa: B027
        """Another thread has called `wake`."""

    def turn(self) -> None:  # noqa: B027
        """After messages and timers have been handled."""

    def on_message(self, message: Message) -> None:  # noqa: B027
        """A message of the supervisor that is none of the usual ones."""

    def finish(self) -> None:
        """On `Stop`: finish what is begun, send what waits, report a last time."""
        for sender in self._senders:
            sender.flush()
        self.report()

    @abstractmethod
    def health(self) -> Health:
        """How the process is now."""

    def report(self) -> None:
        """Report to the supervisor."""
        self.control.report(self.health())

    def _act_on_timers(self) -> float:
        """Do what is due; seconds until something is next."""
        for timer in self._timers:
            now_s = time.monotonic()
            if now_s >= timer.due_s:
                timer.due_s = now_s + timer.every_s
                timer.act()
        return min(timer.due_s for timer in self._timers) - time.monotonic()

    def _wait(self, timeout_s: float) -> None:
        """Wait for the supervisor, a peer, another thread or the next timer, and act on who spoke."""
        poller = select.poll()
        acts: dict[int, Callable[[], None]] = {
            self.control.fileno(): lambda: self.control.receive(self._handle),
            self._wake_out: self._woken,
        }
        acts.update(self.inputs())
        for fd in acts:
            poller.register(fd, select.POLLIN)
        for sender in self._senders:
            if sender.blocked_on is not None:
                poller.register(sender.blocked_on, select.POLLOUT)
        timeout_s = max(0.0, min(timeout_s, self.max_wait_s()))
        for fd, _ in poller.poll(timeout_s * 1e3):
            if fd in acts:
                acts[fd]()

    def _woken(self) -> None:
        os.read(self._wake_out, 4096)
        self.on_wake()

    def _handle(self, message: Message, fds: tuple[int, ...]) -> bool:
        match message:
            case Attach(role=role, name=name):
                known = self._roles.get(role)
                if known is None or len(fds) != known.descriptors:
                    return False
                known.attach(name, *fds)
                return True
            case Detach(role=role, name=name):
                known = self._roles.get(role)
                if known is not None and known.detach is not None:
                    known.detach(name)
            case Configure() if len(fds) == 1:
                self._configure(fds[0])
                return True
            case _:
                self.on_message(message)
        return False
