"""The loop that decides which processes run, heeds signals and systemd, and finally stops them all."""

from __future__ import annotations

import logging
import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from runtime.clock import HostClock
from runtime.config import Mistake, StoreConfig
from runtime.messages import Health, HealthState
from runtime.supervisor.children.child import Child, Timeouts
from runtime.supervisor.children.group import ChildGroup
from runtime.supervisor.children.restarts import RestartPolicy
from runtime.supervisor.children.starvation import Extension
from runtime.supervisor.configuration.current import Configuration
from runtime.supervisor.signals import Signals
from runtime.supervisor.state.folder import OTHERS, StateError
from runtime.supervisor.state.lock import StateLock, StateTakenError
from runtime.supervisor.systemd.notify import Notifier
from runtime.supervisor.systemd.status import StatusNotifier
from runtime.supervisor.topology import plan_links, plan_processes, stop_order
from tagsight.errors import TagsightError

CLOCK_STEP_S = 30.0
"""A wall clock that is further off was set (no battery, a late time server): slewing takes too long."""
STOP_S = 3.8
"""Time for all to drain, one after the other in `stop_order`."""
STARVED_S = 8.0
"""So much longer where they wait for a CPU; systemd kills after 15 s."""
MIN_STAGE_S = 0.4
"""Each stage may use what is left of it, less this much for each stage that comes after."""
DESCRIPTORS = 30
DESCRIPTORS_A_PROCESS = 4
"""What the supervisor needs open for itself, and for each process."""

log = logging.getLogger(__name__)


class Arbiter:
    """Owns every process of one store from start to stop."""

    def __init__(
        self,
        config_path: Path,
        config: StoreConfig,
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        verbose: bool = False,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        self._signals = Signals()
        self._systemd = StatusNotifier(Notifier(), time.monotonic())
        self._clock = HostClock()
        self._clock_state = self._clock.state
        self._configuration = Configuration(config_path, config, verbose, mistakes)
        self._state = StateLock(config.state_dir, config.outbox_path())
        self._group = ChildGroup(policy, timeouts, self._now, self._state.crash_folder)
        self._reported_s = 0.0
        self._sent_level = self._configuration.log_level
        self._apply_config()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; 0 where every process drained in time, 1 where one was killed.

        Raises StateTakenError where another daemon runs on the state folder, TagsightError where this process
        may not open what it needs.
        """
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.umask(os.umask(OTHERS) | OTHERS)
        self._ask_for_descriptors()
        self._state.prepare(time.monotonic())
        self._group.prune()
        self._signals.install()
        self._group.listen(self._signals.wake[0], self._signals.drain)
        taken: StateTakenError | None = None
        while not self._signals.stop:
            try:
                self.step(time.monotonic())
            except StateTakenError as error:
                taken, self._signals.stop = error, True
        self._systemd.stopping()
        self._configuration.close()
        log.info("stopping all processes")
        began_s = time.monotonic()
        code = self._stop_all()
        log.info("all processes have ended, in %.1f s", time.monotonic() - began_s)
        if taken is not None:
            raise taken
        return code

    def step(self, now_s: float) -> None:
        """One turn: start what is due, receive from the children, check their progress, tell systemd.

        Raises StateTakenError where the state folder came about only now, and is another's.
        """
        self._state.prepare(now_s)
        if not self._state.withheld:
            self._group.start_due(self._clock.state, self._configuration.log_level, now_s)
        self._group.receive_all(timeout_s=0.2)
        now_s = time.monotonic()
        self._group.check_progress(now_s)
        if self._group.take_reload_wish() or self._signals.reload:
            self._signals.reload = False
            self._systemd.reloading()
            self._configuration.ask()
        self._poll_configuration(now_s)
        self._report(now_s)

    def _ask_for_descriptors(self) -> None:
        """As many as all processes together need. Raises TagsightError where that is not allowed."""
        needed = DESCRIPTORS + DESCRIPTORS_A_PROCESS * len(self._group.children)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise TagsightError(
                f"only {hard} files may be open at once (RLIMIT_NOFILE), and the processes of this store "
                f"need {needed}: raise it with ulimit -n, or LimitNOFILE in the unit"
            )
        if soft != resource.RLIM_INFINITY and soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))

    def _apply_config(self) -> None:
        """Make the processes and links of the configuration the ones to run.

        A process takes up what it can while it runs, and is restarted for the rest.
        """
        config, level = self._configuration.current, self._configuration.log_level
        planned = plan_processes(config, self._clock_state)
        plans = {plan.name: plan for plan in planned}
        self._group.links = plan_links(planned)
        for name, child in self._group.children.items():
            if name not in plans:
                log.info("%s is no longer configured: stopping it", name)
                child.removed = True
                child.request_stop()
            elif plans[name].fixed != child.plan.fixed:
                child.plan = plans[name]
                child.start_at_s = 0.0
                child.request_stop()
            elif (plans[name].spec, level) == (child.plan.spec, self._sent_level):
                continue
            elif not child.reconfigure(plans[name], self._clock.state, level):
                log.warning("%s does not listen: restarting it", name)
                child.request_stop()
        self._sent_level = level
        for plan in plans.values():
            self._group.add(plan)

    def _poll_configuration(self, now_s: float) -> None:
        """What was asked for at SIGHUP is read by a process of its own; once it has come, it is in force."""
        if self._configuration.poll(accept=lambda config: self._change_state_folder(config, now_s)):
            self._apply_config()
        if not self._configuration.is_reloading:
            self._systemd.reloaded()

    def _change_state_folder(self, config: StoreConfig, now_s: float) -> None:
        """Take the state folder of another configuration. Raises StateError where it cannot be used."""
        if config.state_dir == self._state.folder:
            return
        other = StateLock(config.state_dir, config.outbox_path())
        other.prepare(now_s)
        if other.fault:
            other.release()
            raise StateError(other.fault)
        self._state.release()
        self._state = other
        self._group.crash_dir = other.crash_folder

    def _report(self, now_s: float) -> None:
        """Feed systemd's watchdog, and once a second say how the box stands."""
        children = self._group.children
        last_message_s = max((child.last_message_s for child in children.values()), default=now_s)
        self._systemd.feed_watchdog(now_s, now_s if self._state.withheld else last_message_s)
        if now_s - self._reported_s < 1.0:
            return
        self._reported_s = now_s
        offset_s = self._clock.offset_s()
        if abs(offset_s) > CLOCK_STEP_S:
            self._restart_all(offset_s)
        healths = {child.name: child.health for child in children.values() if not child.removed}
        self._systemd.update(healths, now_s, self._state.fault)
        self._group.forward(self._health(offset_s, now_s))

    def _health(self, offset_s: float, now_s: float) -> Health:
        utc_s = self._clock.now()
        children = self._group.children.values()
        degraded = [child.name for child in children if child.restarts.degraded(now_s) and not child.running]
        values = {
            "processes": float(len(self._group.alive())),
            "restarts": float(sum(child.restarts.total for child in children)),
            "degraded": float(len(degraded)),
            "clock_offset_s": offset_s,
        }
        detail = "; ".join(filter(None, (self._systemd.status, *self._configuration.faults())))
        drops = {"health not heard by the store": self._group.health_lost}
        state = HealthState.DEGRADED if degraded or self._systemd.degraded else HealthState.LIVE
        return Health("supervisor", state, utc_s, utc_s, detail, values, drops)

    def _now(self) -> float:
        return self._clock.now()

    def _restart_all(self, offset_s: float) -> None:
        """The wall clock was set: every process drains, and starts again on the new time."""
        log.warning("the wall clock was set by %+.0f s: all processes begin anew on the new time", offset_s)
        self._clock = HostClock()
        for child in self._group.children.values():
            child.request_stop()

    def _stop_all(self) -> int:
        self._group.cancel_starts()
        deadline_s, extension = time.monotonic() + STOP_S, Extension(STARVED_S)
        killed = 0
        stages = stop_order()
        for after, kinds in zip(range(len(stages) - 1, -1, -1), stages, strict=True):
            children = self._group.children.values()
            stage = [child for child in children if child.plan.kind.name in kinds and child.running]
            for child in stage:
                child.request_stop()
            self._wait_for(stage, deadline_s - after * MIN_STAGE_S, extension)
            for child in (child for child in stage if child.running):
                why = "did not drain in time" if child.is_up else "was still starting"
                log.error("%s %s: killed", child.name, why)
                child.kill(signal.SIGKILL)
                killed += child.is_up
        self._wait_for(list(self._group.children.values()), time.monotonic() + MIN_STAGE_S, extension)
        self._group.close()
        return 1 if killed else 0

    def _wait_for(self, children: list[Child], deadline_s: float, extension: Extension) -> None:
        """Until these have ended or the deadline, with what they waited for a CPU, has passed."""
        while any(child.running for child in children):
            self._group.receive_all(timeout_s=0.05)
            pids = [child.pid for child in children if child.running and child.pid is not None]
            now_s = time.monotonic()
            if now_s >= deadline_s + extension.seconds(pids, now_s):
                break
