"""Tells systemd and the log how the box stands."""

from __future__ import annotations

import logging
import time

from runtime.supervisor.systemd.notify import Notifier, watchdog_interval_s
from runtime.supervisor.systemd.readiness import (
    HealthByProcess,
    getting_ready,
    is_writing,
    summary,
    write_fault,
)

READY_WITHIN_S = 30.0
"""systemd is told READY at the latest then, with what is missing in the status line."""
EXTEND_EVERY_S = 10.0
EXTEND_BY_S = 60.0
"""While it is not ready, systemd is told each so often to wait so much longer (EXTEND_TIMEOUT_USEC)."""
SILENT_S = 90.0
"""No process at all has reported for so long: more than the pause of one that has used up its budget."""

log = logging.getLogger(__name__)


class StatusNotifier:
    """`status` is what was reported last. Times are monotonic seconds.

    READY is sent once what is counted gets to the disk, and not before: a box that cannot keep what it sees
    has not started, in the sense of sd_notify(3). It says in its STATUS what is wrong, and as long as this
    process runs it asks for more time, so that systemd neither takes it for ready nor ends it.
    """

    def __init__(self, notifier: Notifier, began_s: float) -> None:
        self.status = ""
        self._notifier = notifier
        self._began_s = began_s
        self._watchdog_s = float("-inf")
        self._ready = self._complete = self._reloading = False
        self._extended_s = began_s
        self._wrong = ""

    @property
    def degraded(self) -> bool:
        """Whether what is counted does not get to the disk."""
        return bool(self._wrong)

    def feed_watchdog(self, now_s: float, last_message_s: float) -> None:
        """Feed the watchdog while any process has reported lately; else systemd is to restart us."""
        interval_s = watchdog_interval_s()
        if interval_s is None or now_s - self._watchdog_s < interval_s / 2:
            return
        if now_s - max(last_message_s, self._began_s) <= SILENT_S:
            self._notifier.send("WATCHDOG=1")
            self._watchdog_s = now_s

    def update(self, healths: HealthByProcess, now_s: float, fault: str = "") -> None:
        """READY once it is known of everything whether it is there, or in the end without; then changes.

        `fault` is what is wrong with the state folder, empty where nothing is.
        """
        waiting_for, wrong = getting_ready(healths), fault or write_fault(healths)
        status = f"degraded: {wrong}; {summary(healths)}" if wrong else summary(healths)
        if wrong != self._wrong:
            log.log(logging.ERROR if wrong else logging.INFO, "%s", status)
            self._wrong = wrong
        settled = not waiting_for or now_s - self._began_s > READY_WITHIN_S
        if not self._ready and settled and not wrong and is_writing(healths):
            # Said again a second later where systemd did not take it.
            self._ready = self._notifier.send("READY=1", f"STATUS={status}") or not self._notifier.wanted
            log.info("ready: %s", status)
        elif status != self.status and (self._ready or wrong):
            self._notifier.send(f"STATUS={status}")
            if not waiting_for and not self._complete:
                log.info("%s", status)
        if not self._ready and now_s - self._extended_s >= EXTEND_EVERY_S:
            self._extended_s = now_s
            self._notifier.send(f"EXTEND_TIMEOUT_USEC={EXTEND_BY_S * 1e6:.0f}")
        self._complete = self._complete or not waiting_for
        self.status = status

    def reloading(self) -> None:
        """The configuration is being read again."""
        if self._ready:
            self._reloading = True
            self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """It is in force, or the old one still is; sent once."""
        if self._reloading:
            self._reloading = False
            self._notifier.send("READY=1")

    def stopping(self) -> None:
        """All processes are asked to stop."""
        self._notifier.send("STOPPING=1")
