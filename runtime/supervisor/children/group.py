"""The processes that run: started when they are due, connected, listened to, checked and reaped."""

from __future__ import annotations

import logging
import os
import random
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from runtime.frames.errors import RingError
from runtime.messages import Attach, Detach, Health, HealthState, pair
from runtime.supervisor.children.child import Child, Timeouts
from runtime.supervisor.children.main import prune_crash_reports
from runtime.supervisor.children.restarts import RestartPolicy, Restarts
from runtime.supervisor.forkserver.client import (
    Exited,
    ForkServerClient,
    ForkServerError,
    NotStarted,
    Started,
)
from runtime.supervisor.topology import ProcessLink, ProcessPlan, preloaded_modules
from tagsight.errors import TagsightError

PAUSED_S = 3.0
"""The loop turns several times a second: after such a pause the process was stopped, or the whole machine."""
EXIT_CODE_WITHIN_S = 1.0
"""A process has ended: so long the fork server may take to say how."""

log = logging.getLogger(__name__)


class ChildGroup:
    """`children` by name, and the `links` between them. `utc` gives UTC seconds for their health."""

    def __init__(
        self, policy: RestartPolicy, timeouts: Timeouts, utc: Callable[[], float], crash_dir: Path
    ) -> None:
        self.children: dict[str, Child] = {}
        self.links: list[ProcessLink] = []
        self.crash_dir = crash_dir
        self.closing = False
        self.health_lost = 0
        self._policy = policy
        self._timeouts = timeouts
        self._utc = utc
        self._rng = random.Random()
        self._fork_server = ForkServerClient(preloaded_modules())
        self._selector = selectors.DefaultSelector()
        self._line: socket.socket | None = None
        self._unconnected: list[ProcessLink] = []
        self._checked_s = time.monotonic()

    def listen(self, fileobj: int | socket.socket, heed: Callable[[], None]) -> None:
        """Call `heed` where there is something to read."""
        self._selector.register(fileobj, selectors.EVENT_READ, heed)

    def add(self, plan: ProcessPlan) -> None:
        """One more process, due at once; or one that was to go stays after all."""
        known = self.children.get(plan.name)
        if known is None:
            self.children[plan.name] = Child(plan, Restarts(self._policy, self._rng))
        elif known.removed:
            known.plan, known.removed, known.start_at_s = plan, False, 0.0

    def alive(self) -> set[int]:
        """The pids of those that run."""
        return {child.pid for child in self.children.values() if child.pid is not None}

    def start_due(self, clock: tuple[float, float], log_level: int, now_s: float) -> None:
        """Start those whose time has come, and connect what could not be connected before."""
        for child in list(self.children.values()):
            if not child.running and not child.removed and now_s >= child.start_at_s:
                self._start(child, clock, log_level, now_s)
        again, self._unconnected = self._unconnected, []
        for link in again:
            self._connect(link)

    def receive_all(self, timeout_s: float) -> None:
        """Act on what was received or has happened by then."""
        # What was asked of a server that has died is answered without a message on its line.
        self._receive_from_fork_server()
        for key, _ in self._selector.select(timeout_s):
            key.data()
        now_s = time.monotonic()
        for child in list(self.children.values()):
            if self._is_over(child, now_s):
                self._reap(child, now_s)

    def check_progress(self, now_s: float) -> None:
        """Begin to end who makes no progress; where we have been away ourselves, nobody is to blame."""
        paused_s, self._checked_s = now_s - self._checked_s, now_s
        if paused_s > PAUSED_S:
            log.warning("the supervisor was held up for %.0f s: every process gets its time anew", paused_s)
            self._fork_server.reset_timeouts(now_s)
            for child in self.children.values():
                child.reset_timeouts(now_s)
        self._fork_server.check(now_s)
        self._watch_fork_server()
        for child in self.children.values():
            why = child.check(now_s, self._timeouts) if child.pid is not None else ""
            if why:
                log.error("%s makes no progress (%s): stopping it with a trace", child.name, why)

    def take_reload_wish(self) -> bool:
        """Whether one of them has said since that the configuration file is another one."""
        wishing = [child for child in self.children.values() if child.wants_reload]
        for child in wishing:
            child.wants_reload = False
        return bool(wishing)

    def forward(self, health: Health) -> None:
        """Tell the store process how a process is."""
        store = self.children.get("store")
        if store is not None and not store.send(health):
            self.health_lost += 1

    def cancel_starts(self) -> None:
        """No more starts: what was asked for and does not run yet will not."""
        self.closing = True
        for child in self.children.values():
            if child.running and child.pid is None:
                self._discard(child)

    def close(self) -> None:
        """Let go of the fork server."""
        self._fork_server.close()

    def prune(self) -> None:
        """Keep the traces of the dead within their bounds."""
        try:
            prune_crash_reports(self.crash_dir, self.alive())
        except OSError as error:
            log.warning("%s: old traces cannot be removed (%s)", self.crash_dir, error.strerror)

    def _start(self, child: Child, clock: tuple[float, float], log_level: int, now_s: float) -> None:
        try:
            child.start(self._fork_server, clock, str(self.crash_dir), log_level, now_s)
        except (RingError, ForkServerError, OSError) as error:
            why = str(error) if isinstance(error, TagsightError) else error.strerror
            self._could_not_start(child, why or "unknown error", now_s)
            return
        finally:
            self._watch_fork_server()
        assert child.control is not None
        self.listen(child.control, lambda: self._receive(child))
        for link in self.links:
            if link.joins(child.name):
                self._connect(link)

    def _could_not_start(self, child: Child, why: str, now_s: float) -> None:
        child.start_at_s = child.restarts.died(now_s)
        wait_s = child.start_at_s - now_s
        log.error("%s cannot start: %s; tried again in %.1f s", child.name, why, wait_s)
        utc_s = self._utc()
        self.forward(Health(child.name, HealthState.UNUSABLE, utc_s, utc_s, f"cannot start: {why}"))

    def _connect(self, link: ProcessLink) -> None:
        here, there = self.children.get(link.here), self.children.get(link.there)
        if here is None or there is None or not here.running or not there.running:
            return
        try:
            for_here, for_there = pair()
        except OSError as error:
            if link not in self._unconnected:
                self._unconnected.append(link)
                log.error("%s and %s cannot be connected yet: %s", link.here, link.there, error.strerror)
            return
        ring = () if here.ring_fd is None else (here.ring_fd,)
        here.send(Attach(link.here_role, link.here_peer), (for_here.fileno(),))
        there.send(Attach(link.there_role, link.there_peer), (*ring, for_there.fileno()))
        for_here.close()
        for_there.close()

    def _watch_fork_server(self) -> None:
        """Listen to the fork server that there is now."""
        if self._line is self._fork_server.line:
            return
        if self._line is not None:
            self._selector.unregister(self._line)
        self._line = self._fork_server.line
        if self._line is not None:
            self.listen(self._line, self._receive_from_fork_server)

    def _receive_from_fork_server(self) -> None:
        now_s = time.monotonic()
        answers = self._fork_server.receive(now_s)
        self._watch_fork_server()
        for answer in answers:
            if isinstance(answer, Exited):
                for ended in self.children.values():
                    if ended.pid == answer.pid:
                        ended.code = answer.code
                continue
            child = next((one for one in self.children.values() if one.ticket == answer.ticket), None)
            if isinstance(answer, Started):
                self._on_started(child, answer, now_s)
            elif child is not None:
                self._on_refused(child, answer, now_s)

    def _on_started(self, child: Child | None, started: Started, now_s: float) -> None:
        if child is None:
            # Given up meanwhile: it finds its control socket closed and ends.
            if started.pidfd is not None:
                os.close(started.pidfd)
            return
        child.on_started(started.pid, started.pidfd, self._fork_server.pid, now_s)
        if started.pidfd is not None:
            self.listen(started.pidfd, lambda: self._on_exit(child))
        log.info("%s started, pid %s", child.name, child.pid)

    def _on_refused(self, child: Child, refusal_reason: NotStarted, now_s: float) -> None:
        self._discard(child)
        if child.removed:
            self.children.pop(child.name, None)
        elif not self.closing:
            self._could_not_start(child, refusal_reason.why, now_s)

    def _discard(self, child: Child) -> None:
        if child.control is not None:
            self._selector.unregister(child.control)
        child.reap()

    def _receive(self, child: Child) -> None:
        control = child.control
        for health in child.receive(time.monotonic()):
            self.forward(health)
        if control is not None and child.control is None:
            self._selector.unregister(control)
            if child.pidfd is None and child.pid is not None:
                child.kill(signal.SIGKILL)
                child.ended_s = time.monotonic()

    def _on_exit(self, child: Child) -> None:
        if child.pidfd is not None and child.ended_s is None:
            self._selector.unregister(child.pidfd)
            child.ended_s = time.monotonic()

    def _is_over(self, child: Child, now_s: float) -> bool:
        """Whether it has ended and it is known how, or will not be known any more."""
        if child.code is not None:
            return True
        if child.ended_s is None:
            return False
        return child.forked_by != self._fork_server.pid or now_s - child.ended_s > EXIT_CODE_WITHIN_S

    def _reap(self, child: Child, now_s: float) -> None:
        """A child has ended: tell its peers, decide when it may start again."""
        self._receive(child)
        self._on_exit(child)
        code = 0 if child.code is None and child.stop_requested else child.code
        self._discard(child)
        for link in self.links:
            if link.here == child.name and link.there in self.children:
                self.children[link.there].send(Detach(link.there_role, link.there_peer))
            if link.there == child.name and link.here in self.children:
                self.children[link.here].send(Detach(link.here_role, link.here_peer))
        self.prune()
        if child.removed:
            self.children.pop(child.name, None)
        if child.removed or self.closing:
            return
        if code == 0:
            child.start_at_s = now_s
            return
        child.start_at_s = child.restarts.died(now_s)
        state = HealthState.DEGRADED if child.restarts.degraded(now_s) else HealthState.RESTARTING
        detail = f"ended with {_exit_words(code)}; starts again in {child.start_at_s - now_s:.1f} s"
        log.error("%s %s", child.name, detail)
        utc_s = self._utc()
        self.forward(Health(child.name, state, utc_s, utc_s - (now_s - child.last_message_s), detail))


def _exit_words(code: int | None) -> str:
    if code is None:
        return "an unknown exit code (the fork server did not tell it)"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
