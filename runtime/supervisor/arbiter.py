"""The loop that starts, watches, connects, restarts and finally stops the processes of the box."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType

from runtime.clock import HostClock
from runtime.config import StoreConfig, load
from runtime.errors import TagsightError
from runtime.frames.ring import create_ring
from runtime.messages import Attach, Detach, Health, Message, PeerGone, Stop, pair, receive, send
from runtime.supervisor.child import PRELOAD, prune_crash_reports, run_child
from runtime.supervisor.notify import Notifier, watchdog_interval_s
from runtime.supervisor.restarts import RestartPolicy, Restarts
from runtime.supervisor.topology import STOP_ORDER, Link, ProcessPlan, plan_links, plan_processes

READY_WITHIN_S = 30.0
"""systemd is told READY at the latest then, with what is missing in the status line."""
ABORT_GRACE_S = 1.0
STOP_S = 4.5
"""Time for all to drain, one kind after the other in `STOP_ORDER`."""
STAGE_LEAST_S = 0.4
"""Each kind may use what is left of it, less this much for each kind that comes after."""

log = logging.getLogger("tagsight.supervisor")


@dataclass(frozen=True)
class Patience:
    """How long a child may make no progress before it is replaced, seconds.

    `silent_s`: without a word, though it speaks every second; `first_word_s`: the same while it starts, when
    a network is loaded; `stalled_s`: while it says itself that it is stalled.
    """

    silent_s: float = 10.0
    first_word_s: float = 60.0
    stalled_s: float = 15.0


@dataclass
class Child:
    """One process and what the supervisor knows of it."""

    plan: ProcessPlan
    restarts: Restarts
    process: ForkServerProcess | None = None
    control: socket.socket | None = None
    ring_fd: int | None = None
    health: Health | None = None
    started_s: float = 0.0
    heard_s: float = 0.0
    stalled_since_s: float | None = None
    aborted_s: float | None = None
    start_at_s: float = 0.0
    retired: bool = False

    @property
    def running(self) -> bool:
        return self.process is not None


@dataclass
class Signals:
    """Signals are only noted; the loop acts on them."""

    stop: bool = False
    reload: bool = False
    wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def install(self) -> None:
        for end in self.wake:
            end.setblocking(False)
        signal.set_wakeup_fd(self.wake[1].fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGHUP, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.stop = True


class Arbiter:
    """Owns every process of one store from start to stop."""

    def __init__(
        self,
        config_path: Path,
        config: StoreConfig,
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 - frozen
        patience: Patience = Patience(),
    ) -> None:
        self._config_path = config_path
        self._policy = policy
        self._patience = patience
        self._rng = random.Random()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._selector = selectors.DefaultSelector()
        self._signals = Signals()
        self._notifier = Notifier()
        self._clock = HostClock()
        self._clock_state = self._clock.state
        self._crash_dir = Path(config.state_dir) / "crash"
        self._children: dict[str, Child] = {}
        self._links: list[Link] = []
        self._ready = False
        self._began_s = time.monotonic()
        self._fed_s = 0.0
        self._told_s = 0.0
        self._health_lost = 0
        self._adopt(config)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 where every process drained in time, 1 where one was killed."""
        self._crash_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        prune_crash_reports(self._crash_dir, alive=())
        self._signals.install()
        self._selector.register(self._signals.wake[0], selectors.EVENT_READ, self._drain_wake)
        while not self._signals.stop:
            self.step(time.monotonic())
        self._notifier.send("STOPPING=1")
        return self._stop_all()

    def step(self, now_s: float) -> None:
        """One turn: start what is due, hear the children, judge them, tell systemd."""
        for child in list(self._children.values()):
            if not child.running and not child.retired and now_s >= child.start_at_s:
                self._start(child, now_s)
        for key, _ in self._selector.select(timeout=0.2):
            key.data()
        now_s = time.monotonic()
        for child in self._children.values():
            if child.running:
                self._judge(child, now_s)
        if self._signals.reload:
            self._signals.reload = False
            self._reload()
        self._tell(now_s)

    def _adopt(self, config: StoreConfig) -> None:
        """Make the processes and links of `config` the ones to run; changed ones are replaced."""
        plans = {plan.name: plan for plan in plan_processes(config, self._clock_state)}
        self._links = plan_links(config)
        for name, child in list(self._children.items()):
            if name not in plans:
                log.info("%s is no longer configured: stopping it", name)
                child.retired = True
                self._ask_to_stop(child)
            elif plans[name].spec != child.plan.spec:
                log.info("%s has a changed configuration: restarting it", name)
                child.plan = plans[name]
                child.start_at_s = 0.0
                self._ask_to_stop(child)
        for name, plan in plans.items():
            if name not in self._children or self._children[name].retired:
                self._children[name] = Child(plan, Restarts(self._policy, self._rng))

    def _reload(self) -> None:
        self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            config = load(self._config_path)
        except TagsightError as error:
            log.error("the configuration was not reloaded, the old one stays: %s", error)
        else:
            self._adopt(config)
            log.info("configuration reloaded from %s", self._config_path)
        self._notifier.send("READY=1")

    def _start(self, child: Child, now_s: float) -> None:
        plan = child.plan
        ours, theirs = pair()
        arguments = (plan.kind, plan.name, theirs, plan.spec, str(self._crash_dir), log.getEffectiveLevel())
        process = self._context.Process(target=run_child, args=arguments, name=plan.name)
        process.start()
        theirs.close()
        ours.setblocking(False)
        child.process, child.control = process, ours
        child.started_s = child.heard_s = now_s
        child.health, child.stalled_since_s, child.aborted_s = None, None, None
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(child))
        self._selector.register(process.sentinel, selectors.EVENT_READ, lambda: self._bury(child))
        log.info("%s started, pid %s", plan.name, process.pid)
        if plan.kind == "camera":
            width, height = plan.spec.max_size
            child.ring_fd = create_ring(plan.spec.slots, width, height)
            self._command(child, Attach("ring", plan.name), (child.ring_fd,))
        for link in self._links:
            if link.joins(plan.name):
                self._connect(link)

    def _connect(self, link: Link) -> None:
        here, there = self._children.get(link.here), self._children.get(link.there)
        if here is None or there is None or not here.running or not there.running:
            return
        for_here, for_there = pair()
        ring = () if here.ring_fd is None else (here.ring_fd,)
        self._command(here, Attach(link.here_role, link.here_peer), (for_here.fileno(),))
        self._command(there, Attach(link.there_role, link.there_peer), (*ring, for_there.fileno()))
        for_here.close()
        for_there.close()

    def _command(self, child: Child, message: Message, fds: tuple[int, ...] = ()) -> bool:
        """Tell a child something; False where it does not listen (it is then found stalled or dead)."""
        if child.control is None:
            return False
        try:
            send(child.control, message, fds)
        except (BlockingIOError, PeerGone, OSError):
            return False
        return True

    def _ask_to_stop(self, child: Child) -> None:
        if child.running and not self._command(child, Stop()):
            self._kill(child, signal.SIGKILL)

    def _hear(self, child: Child) -> None:
        assert child.control is not None
        try:
            while True:
                message, _ = receive(child.control)
                if isinstance(message, Health):
                    child.health, child.heard_s = message, time.monotonic()
                    self._forward(message)
        except BlockingIOError:
            return
        except (PeerGone, OSError):
            self._selector.unregister(child.control)
            child.control.close()
            child.control = None

    def _forward(self, health: Health) -> None:
        store = self._children.get("store")
        if store is not None and not self._command(store, health):
            self._health_lost += 1

    def _bury(self, child: Child) -> None:
        """A child has ended: free what was its own, tell its peers, decide when it may start again."""
        process = child.process
        assert process is not None
        now_s = time.monotonic()
        self._selector.unregister(process.sentinel)
        if child.control is not None:
            self._hear_last_words(child)
        process.join()
        expected = process.exitcode == 0
        child.process = None
        if child.ring_fd is not None:
            os.close(child.ring_fd)
            child.ring_fd = None
        for link in self._links:
            if link.here == child.plan.name and link.there in self._children:
                self._command(self._children[link.there], Detach(link.there_role, link.there_peer))
            if link.there == child.plan.name and link.here in self._children:
                self._command(self._children[link.here], Detach(link.here_role, link.here_peer))
        prune_crash_reports(self._crash_dir, self._alive_pids())
        if child.retired or self._signals.stop:
            return
        if expected:
            child.start_at_s = now_s
            return
        child.start_at_s = child.restarts.died(now_s)
        state = "degraded" if child.restarts.degraded(now_s) else "restarting"
        wait_s = child.start_at_s - now_s
        detail = f"ended with {_exit_words(process.exitcode)}; starts again in {wait_s:.1f} s"
        log.error("%s %s", child.plan.name, detail)
        utc_s = self._clock.now()
        self._forward(Health(child.plan.name, state, utc_s, utc_s - (now_s - child.heard_s), detail))

    def _hear_last_words(self, child: Child) -> None:
        self._hear(child)
        if child.control is not None:
            self._selector.unregister(child.control)
            child.control.close()
            child.control = None

    def _judge(self, child: Child, now_s: float) -> None:
        """Replace a child that is silent, or that says itself that nothing moves any more."""
        if child.aborted_s is not None:
            if now_s - child.aborted_s > ABORT_GRACE_S:
                self._kill(child, signal.SIGKILL)
            return
        patience = self._patience
        limit_s = patience.silent_s if self._has_begun(child) else patience.first_word_s
        if child.health is not None and child.health.state == "stalled":
            child.stalled_since_s = child.stalled_since_s or now_s
        else:
            child.stalled_since_s = None
        stalled = child.stalled_since_s is not None and now_s - child.stalled_since_s > patience.stalled_s
        if now_s - child.heard_s > limit_s or stalled:
            log.error("%s makes no progress: stopping it with a trace", child.plan.name)
            child.aborted_s = now_s
            self._kill(child, signal.SIGABRT)

    @staticmethod
    def _has_begun(child: Child) -> bool:
        """Whether it is past loading what it needs; before that it holds nothing that could be lost."""
        return child.health is not None and child.health.state != "starting"

    def _kill(self, child: Child, number: signal.Signals) -> None:
        if child.process is not None and child.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(child.process.pid, number)

    def _alive_pids(self) -> tuple[int, ...]:
        processes = (child.process for child in self._children.values())
        return tuple(one.pid for one in processes if one is not None and one.pid is not None)

    def _tell(self, now_s: float) -> None:
        """Feed systemd's watchdog, announce readiness, report the supervisor's own health."""
        interval_s = watchdog_interval_s()
        if interval_s is not None and now_s - self._fed_s >= interval_s / 2:
            self._notifier.send("WATCHDOG=1")
            self._fed_s = now_s
        if now_s - self._told_s < 1.0:
            return
        self._told_s = now_s
        missing = [
            name for name, child in self._children.items() if child.health is None and not child.retired
        ]
        status = "all processes run" if not missing else "not there yet: " + ", ".join(missing)
        if not self._ready and (not missing or now_s - self._began_s > READY_WITHIN_S):
            self._ready = True
            self._notifier.send("READY=1", f"STATUS={status}")
            log.info("ready: %s", status)
        utc_s = self._clock.now()
        restarts = sum(child.restarts.total for child in self._children.values())
        values = {"processes": float(len(self._alive_pids())), "restarts": float(restarts)}
        drops = {"health not heard by the store": self._health_lost}
        self._forward(Health("supervisor", "live", utc_s, utc_s, status, values, drops))

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            while self._signals.wake[0].recv(64):
                pass

    def _stop_all(self) -> int:
        deadline_s = time.monotonic() + STOP_S
        killed = 0
        for after, kind in zip(range(len(STOP_ORDER) - 1, -1, -1), STOP_ORDER, strict=True):
            stage = [child for child in self._children.values() if child.plan.kind == kind and child.running]
            for child in stage:
                self._ask_to_stop(child)
            self._wait_for(stage, deadline_s - after * STAGE_LEAST_S)
            for child in (child for child in stage if child.running):
                begun = self._has_begun(child)
                log.error(
                    "%s %s: killed",
                    child.plan.name,
                    "did not drain in time" if begun else "was still starting",
                )
                self._kill(child, signal.SIGKILL)
                killed += begun
        self._wait_for(list(self._children.values()), time.monotonic() + STAGE_LEAST_S)
        return 1 if killed else 0

    def _wait_for(self, children: list[Child], deadline_s: float) -> None:
        """Until these have ended or the deadline has passed."""
        while any(child.running for child in children) and time.monotonic() < deadline_s:
            for key, _ in self._selector.select(timeout=0.05):
                key.data()


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
