"""The uplink process: the outbox goes to the broker.

The store process says over its record socket what it has committed; the events themselves are read from the
outbox, so nothing is lost when either of the two is restarted.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import time
from pathlib import Path

from broker.certificates import expiry_of
from broker.errors import BrokerError
from broker.settings import BrokerSettings, TlsFiles
from contract.envelope import Origin
from runtime import messages
from runtime.config import StoreConfig
from runtime.messages import Committed, Health, HealthState
from runtime.processes.service import Input, Service
from runtime.processes.spec import Spec
from runtime.uplink.configured import broker_settings
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.errors import UplinkError
from runtime.uplink.outbox.reader import OutboxReader

DRAIN_S = 1.2
"""How long, when told to stop, to wait for the broker to take what is on disk; the rest goes next time."""
GOODBYE_S = 0.4
EXPIRY_WARNING_DAYS = 14.0
UNANSWERED_WARNING_S = 120.0
"""A cloud that acknowledges nothing for so long is not merely slow."""
UNSEEN_S = 20.0
"""The sender looks at the outbox every second."""
CERTIFICATE_EVERY_S = 60.0
DAY_S = 86_400.0
REMARK_S = 600.0
"""How long health repeats what was noticed on the way to the cloud."""

log = logging.getLogger(__name__)


class UplinkSpec(Spec, frozen=True):
    """What the uplink process needs to know; nothing of it can change while the process runs."""

    outbox: Path
    site: str
    device: str
    broker: BrokerSettings


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> UplinkSpec:
    """The spec of a store's uplink; there is one, whatever `name` says."""
    site = config.site
    return UplinkSpec(
        config.outbox_path(), site.name, site.device, broker_settings(config.uplink), clock=clock
    )


def main(control: socket.socket, spec: UplinkSpec) -> None:
    """Deliver until told to stop or the supervisor is gone."""
    UplinkProcess(control, spec).run()


class Certificate:
    """Our own certificate as it lies on disk: read again now and then, for it may be renewed."""

    def __init__(self, tls: TlsFiles | bool) -> None:
        self._tls = tls
        self._expires_s: float | None = None
        self._read_due_s = 0.0

    def days_left(self, now_s: float) -> float | None:
        """Days until it expires; None where there is none or it cannot be read (which the sender says)."""
        if now_s >= self._read_due_s:
            self._read_due_s = now_s + CERTIFICATE_EVERY_S
            try:
                self._expires_s = expiry_of(self._tls)
            except BrokerError as error:
                log.warning("%s", error)
                self._expires_s = None
        return None if self._expires_s is None else (self._expires_s - now_s) / DAY_S


class UplinkProcess(Service):
    """Everything but the sending: the store's word, the supervisor, health."""

    def __init__(self, control: socket.socket, spec: UplinkSpec) -> None:
        super().__init__(control, "uplink", spec)
        self._spec = spec
        self._sender = Sender(spec.outbox, Origin(spec.site, spec.device), spec.broker, clock=self.clock.now)
        self._store: socket.socket | None = None
        self._committed = 0
        self._unseen_since_s: float | None = None
        self._certificate = Certificate(spec.broker.tls)
        self.accept("records", 1, self._attach, self._detach)

    def begin(self) -> None:
        """Start the sender's thread."""
        self._sender.start()

    def inputs(self) -> list[Input]:
        """The store process, which says what it has committed."""
        return [] if self._store is None else [(self._store.fileno(), self._receive_committed)]

    def turn(self) -> None:
        """Raises UplinkError where the sender has died of a fault."""
        if not self._sender.is_alive():
            raise UplinkError("the sender has ended by a fault of the program; its trace is in the log")

    def finish(self) -> None:
        """Give the broker a moment to take what is on disk."""
        if self._sender.stats().connected:
            self._sender.drain(DRAIN_S, self._committed_seq())
        self._sender.stop(GOODBYE_S)

    def _receive_committed(self) -> None:
        committed = False
        try:
            while self._store is not None:
                message, _ = messages.receive(self._store)
                if isinstance(message, Committed):
                    committed, self._committed = True, message.seq
        except BlockingIOError:
            pass
        except messages.PeerGone:
            self._detach("store")
        if committed:
            self._sender.wake()

    def _attach(self, name: str, fd: int) -> None:
        self._detach(name)
        self._store = socket.socket(fileno=fd)
        self._store.setblocking(False)
        self._sender.wake()

    def _detach(self, name: str) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _committed_seq(self) -> int:
        """The last event on disk: the store process has written its last by now."""
        try:
            reader = OutboxReader(self._spec.outbox)
        except (OSError, sqlite3.Error, UplinkError):
            return 0
        try:
            return reader.last_seq()
        except sqlite3.Error:
            return 0
        finally:
            reader.close()

    def health(self) -> Health:
        """How delivery to the cloud is."""
        stats = self._sender.stats()
        now_s = self.clock.now()
        waiting_s = 0.0 if stats.oldest_s is None or stats.backlog == 0 else max(0.0, now_s - stats.oldest_s)
        values = {
            "backlog": float(stats.backlog),
            "oldest_waiting_s": waiting_s,
            "in_flight": float(stats.in_flight),
            "unanswered_s": stats.unanswered_s,
            "last_seq": float(stats.last_seq),
            "delivered_seq": float(stats.delivered_seq),
            "events_delivered": float(stats.events_delivered),
            "connects": float(stats.connects),
            "resends": float(stats.resends),
            "streams_begun": float(stats.renewals),
            "acks_refused": float(stats.acks_refused),
        }
        days = self._certificate.days_left(now_s)
        if days is not None:
            values["certificate_days"] = days
        state, detail = self._state_of(stats, values)
        if self._sender_hangs(stats):
            state, detail = HealthState.STALLED, "the sender has not looked at what the store wrote"
        return Health(
            process=self.name,
            state=state,
            time_s=now_s,
            progress_s=now_s if stats.connected and stats.backlog == 0 else stats.progress_s,
            detail=detail,
            values=values,
            drops={},
        )

    def _sender_hangs(self, stats: DeliveryStats) -> bool:
        """Whether the sender has been connected for long and not looked at what is on disk."""
        if not stats.connected or stats.last_seq >= self._committed:
            self._unseen_since_s = None
            return False
        now_s = time.monotonic()
        self._unseen_since_s = self._unseen_since_s or now_s
        return now_s - self._unseen_since_s > UNSEEN_S

    def _state_of(self, stats: DeliveryStats, values: dict[str, float]) -> tuple[HealthState, str]:
        remarks = [*_remarks(stats, time.monotonic()), _certificate_warning(values.get("certificate_days"))]
        warning = "; ".join(filter(None, remarks))
        if stats.detail == DeliveryStats.detail:
            return HealthState.CONNECTING, ""
        if not stats.connected:
            return HealthState.DISCONNECTED, "; ".join(filter(None, (stats.detail, warning)))
        if stats.held_kinds:
            kinds = ", ".join(f"{kind}: {reason}" for kind, reason in sorted(stats.held_kinds.items()))
            return HealthState.REFUSED, "; ".join(filter(None, (f"the broker refuses {kinds}", warning)))
        if stats.unanswered_s > UNANSWERED_WARNING_S:
            return HealthState.UNACKNOWLEDGED, (
                f"the cloud has acknowledged nothing for {stats.unanswered_s:.0f} s; run a consumer that "
                "acknowledges (tagsight uplink receive), or set uplink.trust_broker"
                + (f"; {warning}" if warning else "")
            )
        return HealthState.OK, warning


def _remarks(stats: DeliveryStats, now_s: float) -> list[str]:
    """Remarks on what others have sent under this device's name."""
    remarks = []
    if _is_recent(stats.namesake_s, now_s):
        remarks.append(
            "another device speaks under this site and device name: give each box its own site.device"
        )
    if _is_recent(stats.renewed_s, now_s):
        remarks.append(
            "the outbox was restored from an older image, or copied to another device; it goes on as stream "
            f"{stats.stream}"
        )
    if _is_recent(stats.refused_s, now_s):
        remarks.append(
            f"{stats.acks_refused} acknowledgements did not count: for what was never sent, or from a "
            "consumer that names no stream (upgrade it)"
        )
    return remarks


def _is_recent(at_s: float | None, now_s: float) -> bool:
    return at_s is not None and now_s - at_s < REMARK_S


def _certificate_warning(days_left: float | None) -> str:
    if days_left is None or days_left >= EXPIRY_WARNING_DAYS:
        return ""
    if days_left <= 0:
        return f"the uplink's certificate expired {-days_left:.0f} days ago: ask the authority for a new one"
    return f"the uplink's certificate expires in {days_left:.0f} days: ask the authority for a new one"
