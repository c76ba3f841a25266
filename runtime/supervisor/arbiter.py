"""The loop that starts, watches, connects, restarts and finally stops the processes of the box."""

from __future__ import annotations

import logging
import multiprocessing
import random
import resource
import selectors
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from runtime.clock import HostClock
from runtime.config import Mistake, StoreConfig
from runtime.frames.errors import RingError
from runtime.messages import Attach, Detach, Health, pair
from runtime.supervisor.child import PRELOAD, prune_crash_reports
from runtime.supervisor.children import Child, Patience
from runtime.supervisor.configuration import Configuration
from runtime.supervisor.herald import Herald
from runtime.supervisor.notify import Notifier
from runtime.supervisor.restarts import RestartPolicy, Restarts
from runtime.supervisor.signals import Signals
from runtime.supervisor.statefolder import StateError, prepare_state_folder
from runtime.supervisor.topology import STOP_ORDER, Link, plan_links, plan_processes

CLOCK_STEP_S = 30.0
"""A wall clock that is further off was set (no battery, a late time server): slewing takes too long."""
STOP_S = 3.8
"""Time for all to drain, one kind after the other in `STOP_ORDER`."""
STAGE_LEAST_S = 0.4
"""Each kind may use what is left of it, less this much for each kind that comes after."""

log = logging.getLogger("tagsight.supervisor")


class Arbiter:
    """Owns every process of one store from start to stop."""

    def __init__(
        self,
        config_path: Path,
        config: StoreConfig,
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 - frozen
        patience: Patience = Patience(),  # noqa: B008 - frozen
        verbose: bool = False,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        self._policy = policy
        self._patience = patience
        self._rng = random.Random()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._selector = selectors.DefaultSelector()
        self._signals = Signals()
        self._herald = Herald(Notifier(), time.monotonic())
        self._clock = HostClock()
        self._clock_state = self._clock.state
        self._children: dict[str, Child] = {}
        self._links: list[Link] = []
        self._told_s = 0.0
        self._health_lost = 0
        self._configuration = Configuration(config_path, config, verbose, mistakes)
        self._told_level = self._configuration.log_level
        self._adopt()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 where every process drained in time, 1 where one was killed.

        Raises StateError where the state folder is not ours to use.
        """
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._prepare_folders()
        self._signals.install()
        self._selector.register(self._signals.wake[0], selectors.EVENT_READ, self._signals.drain)
        while not self._signals.stop:
            self.step(time.monotonic())
        self._herald.stopping()
        self._configuration.close()
        log.info("stopping all processes")
        began_s = time.monotonic()
        code = self._stop_all()
        log.info("all processes have ended, in %.1f s", time.monotonic() - began_s)
        return code

    def _prepare_folders(self) -> None:
        prepare_state_folder(self._configuration.current.state_dir)
        self._crash_dir.mkdir(exist_ok=True, mode=0o750)
        prune_crash_reports(self._crash_dir, self._alive())

    @property
    def _crash_dir(self) -> Path:
        return self._configuration.crash_folder

    def step(self, now_s: float) -> None:
        """One turn: start what is due, hear the children, judge them, tell systemd."""
        for child in list(self._children.values()):
            if not child.running and not child.retired and now_s >= child.start_at_s:
                self._start(child, now_s)
        self._hear_all(timeout_s=0.2)
        now_s = time.monotonic()
        for child in self._children.values():
            why = child.check(now_s, self._patience) if child.running else ""
            if why:
                log.error("%s makes no progress (%s): stopping it with a trace", child.name, why)
        if self._signals.reload:
            self._signals.reload = False
            self._herald.reloading()
            self._configuration.ask()
        self._take_configuration()
        self._tell(now_s)

    def _hear_all(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _adopt(self) -> None:
        """Make the processes and links of the configuration the ones to run.

        A process takes up what it can while it runs, and begins anew for the rest.
        """
        config, level = self._configuration.current, self._configuration.log_level
        plans = {plan.name: plan for plan in plan_processes(config, self._clock_state)}
        self._links = plan_links(config)
        for name, child in self._children.items():
            if name not in plans:
                log.info("%s is no longer configured: stopping it", name)
                child.retired = True
                child.ask_to_stop()
            elif plans[name].fixed != child.plan.fixed:
                child.plan = plans[name]
                child.start_at_s = 0.0
                child.ask_to_stop()
            elif (plans[name].spec, level) == (child.plan.spec, self._told_level):
                continue
            elif not child.go_on_with(plans[name], self._clock.state, level):
                log.warning("%s does not listen: restarting it", name)
                child.ask_to_stop()
        self._told_level = level
        for name, plan in plans.items():
            known = self._children.get(name)
            if known is None:
                self._children[name] = Child(plan, Restarts(self._policy, self._rng))
            elif known.retired:
                known.plan, known.retired, known.start_at_s = plan, False, 0.0

    def _take_configuration(self) -> None:
        """What was asked for at SIGHUP is read by a process of its own; once it has come, it is in force."""
        if self._configuration.poll():
            try:
                self._prepare_folders()
            except (StateError, OSError) as error:
                self._configuration.fault = str(error)
                log.error("%s", error)
            self._adopt()
        if not self._configuration.being_read:
            self._herald.settled()

    def _start(self, child: Child, now_s: float) -> None:
        utc_s = self._clock.now()
        try:
            child.start(
                self._context, self._clock.state, str(self._crash_dir), self._configuration.log_level, now_s
            )
        except RingError as error:
            child.start_at_s = child.restarts.died(now_s)
            log.error("%s cannot start: %s", child.name, error)
            self._forward(Health(child.name, "unusable", utc_s, utc_s, str(error)))
            return
        assert child.control is not None and child.process is not None
        self._selector.register(child.control, selectors.EVENT_READ, lambda: self._hear(child))
        self._selector.register(child.process.sentinel, selectors.EVENT_READ, lambda: self._bury(child))
        log.info("%s started, pid %s", child.name, child.pid)
        for link in self._links:
            if link.joins(child.name):
                self._connect(link)

    def _connect(self, link: Link) -> None:
        here, there = self._children.get(link.here), self._children.get(link.there)
        if here is None or there is None or not here.running or not there.running:
            return
        for_here, for_there = pair()
        ring = () if here.ring_fd is None else (here.ring_fd,)
        here.tell(Attach(link.here_role, link.here_peer), (for_here.fileno(),))
        there.tell(Attach(link.there_role, link.there_peer), (*ring, for_there.fileno()))
        for_here.close()
        for_there.close()

    def _hear(self, child: Child) -> None:
        control = child.control
        for health in child.hear(time.monotonic()):
            self._forward(health)
        if control is not None and child.control is None:
            self._selector.unregister(control)

    def _forward(self, health: Health) -> None:
        store = self._children.get("store")
        if store is not None and not store.tell(health):
            self._health_lost += 1

    def _bury(self, child: Child) -> None:
        """A child has ended: tell its peers, decide when it may start again."""
        assert child.process is not None
        now_s = time.monotonic()
        self._hear(child)
        self._selector.unregister(child.process.sentinel)
        if child.control is not None:
            self._selector.unregister(child.control)
        code = child.bury()
        for link in self._links:
            if link.here == child.name and link.there in self._children:
                self._children[link.there].tell(Detach(link.there_role, link.there_peer))
            if link.there == child.name and link.here in self._children:
                self._children[link.here].tell(Detach(link.here_role, link.here_peer))
        prune_crash_reports(self._crash_dir, self._alive())
        if child.retired:
            self._children.pop(child.name, None)
        if child.retired or self._signals.stop:
            return
        if code == 0:
            child.start_at_s = now_s
            return
        child.start_at_s = child.restarts.died(now_s)
        state = "degraded" if child.restarts.degraded(now_s) else "restarting"
        detail = f"ended with {_exit_words(code)}; starts again in {child.start_at_s - now_s:.1f} s"
        log.error("%s %s", child.name, detail)
        utc_s = self._clock.now()
        self._forward(Health(child.name, state, utc_s, utc_s - (now_s - child.heard_s), detail))

    def _alive(self) -> set[int]:
        return {child.pid for child in self._children.values() if child.pid is not None}

    def _tell(self, now_s: float) -> None:
        """Feed systemd's watchdog, and once a second say how the box stands."""
        self._herald.feed(now_s, max((child.heard_s for child in self._children.values()), default=now_s))
        if now_s - self._told_s < 1.0:
            return
        self._told_s = now_s
        offset_s = self._clock.offset_s()
        if abs(offset_s) > CLOCK_STEP_S:
            self._begin_anew(offset_s)
        standing = {child.name: child.health for child in self._children.values() if not child.retired}
        self._herald.announce(standing, now_s)
        self._forward(self._health(offset_s, now_s))

    def _health(self, offset_s: float, now_s: float) -> Health:
        utc_s = self._clock.now()
        children = self._children.values()
        degraded = [child.name for child in children if child.restarts.degraded(now_s) and not child.running]
        values = {
            "processes": float(len(self._alive())),
            "restarts": float(sum(child.restarts.total for child in children)),
            "degraded": float(len(degraded)),
            "clock_offset_s": offset_s,
        }
        detail = "; ".join(told for told in (self._herald.status, *self._configuration.faults()) if told)
        drops = {"health not heard by the store": self._health_lost}
        return Health("supervisor", "degraded" if degraded else "live", utc_s, utc_s, detail, values, drops)

    def _begin_anew(self, offset_s: float) -> None:
        """The wall clock was set: every process drains, and starts again on the new time."""
        log.warning("the wall clock was set by %+.0f s: all processes begin anew on the new time", offset_s)
        self._clock = HostClock()
        for child in self._children.values():
            child.ask_to_stop()

    def _stop_all(self) -> int:
        deadline_s = time.monotonic() + STOP_S
        killed = 0
        for after, kind in zip(range(len(STOP_ORDER) - 1, -1, -1), STOP_ORDER, strict=True):
            stage = [child for child in self._children.values() if child.plan.kind == kind and child.running]
            for child in stage:
                child.ask_to_stop()
            self._wait_for(stage, deadline_s - after * STAGE_LEAST_S)
            for child in (child for child in stage if child.running):
                why = "did not drain in time" if child.begun else "was still starting"
                log.error("%s %s: killed", child.name, why)
                child.kill(signal.SIGKILL)
                killed += child.begun
        self._wait_for(list(self._children.values()), time.monotonic() + STAGE_LEAST_S)
        return 1 if killed else 0

    def _wait_for(self, children: list[Child], deadline_s: float) -> None:
        """Until these have ended or the deadline has passed."""
        while any(child.running for child in children) and time.monotonic() < deadline_s:
            self._hear_all(timeout_s=0.05)


def _exit_words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
