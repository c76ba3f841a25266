"""One process of the box as its supervisor knows it."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.frames.ring.buffer import create_ring
from runtime.messages import (
    Attach,
    Configure,
    Health,
    HealthState,
    Message,
    PeerGone,
    ReloadWanted,
    Stop,
    pair,
    receive,
    send,
)
from runtime.processes.spec import send_spec
from runtime.supervisor.children.main import run_child
from runtime.supervisor.children.restarts import Restarts
from runtime.supervisor.children.starvation import Silence
from runtime.supervisor.forkserver.client import ForkServerClient
from runtime.supervisor.topology import ProcessPlan


@dataclass(frozen=True)
class Timeouts:
    """How long a child may make no progress before it is replaced, seconds.

    `silent_s`: without a report, though it reports every second (time for which it waited for a CPU is
    not counted); `first_word_s`: the same while it starts, when a network is loaded; `stalled_s`: while it
    reports that it is stalled; `abort_s`: from the signal that leaves a trace to the one that cannot be
    refused. How old the last frame, keepalive or delivery of a process may be that reports that all is well,
    its kind says.
    """

    silent_s: float = 10.0
    first_word_s: float = 90.0
    stalled_s: float = 15.0
    abort_s: float = 1.0


@dataclass
class Child:
    """A planned process, running or not. Times are monotonic seconds.

    `wants_reload` is set where it says that the configuration file is another one.
    `ticket` is what the fork server's client gave for it: there is a process, or there will be one. `code` is
    how it ended, and `ended_s` when that was seen, until it is reaped.
    """

    plan: ProcessPlan
    restarts: Restarts
    ticket: int | None = None
    pid: int | None = None
    pidfd: int | None = None
    forked_by: int | None = None
    control: socket.socket | None = None
    ring_fd: int | None = None
    health: Health | None = None
    last_message_s: float = 0.0
    start_at_s: float = 0.0
    removed: bool = False
    stop_requested: bool = False
    code: int | None = None
    ended_s: float | None = None
    wants_reload: bool = False
    _stalled_since_s: float | None = None
    _well_since_s: float | None = None
    _aborted_s: float | None = None
    _silence: Silence = field(default_factory=Silence)

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def running(self) -> bool:
        return self.ticket is not None

    @property
    def is_up(self) -> bool:
        """Whether it is past loading what it needs; before that it holds nothing that could be lost."""
        return self.health is not None and self.health.state != HealthState.STARTING

    def start(
        self,
        fork_server: ForkServerClient,
        clock: tuple[float, float],
        crash_dir: str,
        log_level: int,
        now_s: float,
    ) -> None:
        """Ask for the process with the state of our clock, and give a camera its ring.

        Raises RingError where there is no memory for the ring, ForkServerError where no process can be asked
        for, OSError where there are no descriptors for it.
        """
        plan = self.plan
        try:
            if plan.kind.has_ring:
                self.ring_fd = _ring_for(plan.spec)
            self.control, theirs = pair()
            with theirs:
                self.control.setblocking(False)
                arguments = (plan.kind.path, plan.name, plan.spec_at(clock), crash_dir, log_level)
                self.ticket = fork_server.ask(plan.name, run_child, theirs, arguments, now_s)
        except BaseException:
            self.reap()
            raise
        self.last_message_s = now_s
        self.health, self._stalled_since_s, self._well_since_s, self._aborted_s = None, None, None, None
        self.stop_requested = False
        if self.ring_fd is not None:
            self.send(Attach("ring", plan.name), (self.ring_fd,))

    def on_started(self, pid: int, pidfd: int | None, forked_by: int | None, now_s: float) -> None:
        """It runs."""
        self.pid, self.pidfd, self.forked_by, self.last_message_s = pid, pidfd, forked_by, now_s

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> bool:
        """Say something; False where it does not listen (it is then found silent or dead)."""
        if self.control is None:
            return False
        try:
            send(self.control, message, fds)
        except (BlockingIOError, PeerGone, OSError):
            return False
        return True

    def receive(self, now_s: float) -> list[Health]:
        """What it has reported since; its control socket is closed where it closed it or sends nonsense."""
        reports: list[Health] = []
        while self.control is not None:
            try:
                message, _ = receive(self.control)
            except BlockingIOError:
                break
            except (PeerGone, OSError, msgspec.DecodeError):
                self.control.close()
                self.control = None
                break
            if isinstance(message, Health):
                reports.append(message)
            elif isinstance(message, ReloadWanted):
                self.wants_reload = True
        if reports:
            self.health, self.last_message_s = reports[-1], now_s
        return reports

    def reconfigure(self, plan: ProcessPlan, clock: tuple[float, float], log_level: int) -> bool:
        """Take another plan up while it runs; False where it does not listen."""
        self.plan = plan
        if not self.running:
            return True
        try:
            fd = send_spec(plan.spec_at(clock))
        except OSError:
            return False
        sent = self.send(Configure(log_level), (fd,))
        os.close(fd)
        return sent

    def request_stop(self) -> None:
        """Stop in order; killed where it does not listen."""
        self.stop_requested = True
        if self.running and not self.send(Stop()):
            self.kill(signal.SIGKILL)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal; one that does not run yet ends by itself, since nobody holds its control socket."""
        with suppress(ProcessLookupError):
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, number)
            elif self.pid is not None:
                os.kill(self.pid, number)

    def reset_timeouts(self, now_s: float) -> None:
        """Nobody has listened to it until now."""
        self.last_message_s = now_s
        self._stalled_since_s = self._well_since_s = None

    def check(self, now_s: float, timeouts: Timeouts) -> str:
        """End it where it makes no progress: first with a trace, then for good. Says why when that begins."""
        if self._aborted_s is not None:
            if now_s - self._aborted_s > timeouts.abort_s:
                self.kill(signal.SIGKILL)
            return ""
        why = self._hang_reason(now_s, timeouts)
        if why:
            self._aborted_s = now_s
            self.kill(signal.SIGABRT)
        return why

    def _hang_reason(self, now_s: float, timeouts: Timeouts) -> str:
        """Why it is thought to hang; empty where it is not."""
        limit_s = timeouts.silent_s if self.is_up else timeouts.first_word_s
        if why := self._silence.too_long(self.pid or 0, self.last_message_s, now_s, limit_s):
            return why
        health = self.health
        if health is None or health.state != HealthState.STALLED:
            self._stalled_since_s = None
        elif self._stalled_since_s is None:
            self._stalled_since_s = now_s
        elif now_s - self._stalled_since_s > timeouts.stalled_s:
            return f"stalled for {timeouts.stalled_s:.0f} s: {health.detail}"
        return self._stall_reason(now_s)

    def _stall_reason(self, now_s: float) -> str:
        """Why it is thought to hang although it reports that all is well."""
        expected, health = self.plan.kind.progress, self.health
        if expected is None or health is None or health.state != expected.state:
            self._well_since_s = None
            return ""
        if self._well_since_s is None:
            self._well_since_s = now_s
        idle_s = min(health.time_s - health.progress_s, now_s - self._well_since_s)
        if idle_s <= expected.limit_s:
            return ""
        return f"{expected.stall} for {idle_s:.0f} s, though it is {expected.state}"

    def reap(self) -> None:
        """Take leave of the process, or of the attempt to start one, and free what was its own."""
        if self.control is not None:
            self.control.close()
        for fd in (self.pidfd, self.ring_fd):
            if fd is not None:
                os.close(fd)
        self.ticket = self.pid = self.pidfd = self.forked_by = self.control = self.ring_fd = None
        self.code = self.ended_s = None


def _ring_for(spec: Any) -> int:
    """A ring as the spec of its process wants it. Raises RingError."""
    return create_ring(spec.slots, *spec.max_size)
