"""The uplink process: the outbox goes to the broker.

The store process says over its record socket what it has committed; the events themselves are read from the
outbox, so nothing is lost when either of the two is restarted.
"""

from __future__ import annotations

import logging
import select
import socket
import sqlite3
import time
from pathlib import Path

import msgspec

from contract.envelope import Origin
from runtime import messages
from runtime.clock import HostClock
from runtime.config import StoreConfig, Tls, Uplink
from runtime.messages import Attach, Committed, Configure, Detach, Health, Message
from runtime.processes.control import ControlLine, close_all
from runtime.uplink.broker.certificates import expiry_of
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.delivery.tally import Tally
from runtime.uplink.errors import UplinkError
from runtime.uplink.outbox.reader import OutboxReader

HEALTH_EVERY_S = 1.0
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


class UplinkSpec(msgspec.Struct, frozen=True):
    """What the uplink process is started with."""

    outbox: Path
    site: str
    device: str
    broker: Uplink
    clock: tuple[float, float]

    def fixed(self) -> UplinkSpec:
        """All of it: nothing of the way to the broker can change while the process runs."""
        return self


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> UplinkSpec:
    """The spec of a store's uplink; there is one, whatever `name` says."""
    return UplinkSpec(config.outbox_path(), config.site.name, config.site.device, config.uplink, clock)


def main(control: socket.socket, spec: UplinkSpec) -> None:
    """Deliver until told to stop or the supervisor is gone."""
    clock = HostClock(state=spec.clock)
    sender = Sender(spec.outbox, Origin(spec.site, spec.device), spec.broker, clock=clock.now)
    UplinkProcess(control, spec, sender, clock).run()


class Certificate:
    """Our own certificate as it lies on disk: read again now and then, for it may be renewed."""

    def __init__(self, tls: Tls | bool) -> None:
        self._tls = tls
        self._expires_s: float | None = None
        self._read_due_s = 0.0

    def days_left(self, now_s: float) -> float | None:
        """Days until it expires; None where there is none or it cannot be read (which the sender says)."""
        if now_s >= self._read_due_s:
            self._read_due_s = now_s + CERTIFICATE_EVERY_S
            try:
                self._expires_s = expiry_of(self._tls)
            except UplinkError as error:
                log.warning("%s", error)
                self._expires_s = None
        return None if self._expires_s is None else (self._expires_s - now_s) / DAY_S


class UplinkProcess:
    """Everything but the sending: the store's word, the supervisor, health."""

    def __init__(self, control: socket.socket, spec: UplinkSpec, sender: Sender, clock: HostClock) -> None:
        self._control = ControlLine(control)
        self._spec = spec
        self._sender = sender
        self._clock = clock
        self._store: socket.socket | None = None
        self._committed = 0
        self._unseen_since_s: float | None = None
        self._certificate = Certificate(spec.broker.tls)

    def run(self) -> None:
        """Serve until told to stop. Raises UplinkError where the sender has died of a fault."""
        self._sender.start()
        health_due_s = time.monotonic()
        while not self._control.stopping:
            now_s = time.monotonic()
            if now_s >= health_due_s:
                self._tell_health()
                health_due_s = now_s + HEALTH_EVERY_S
            self._wait(health_due_s - now_s)
            if not self._sender.is_alive():
                raise UplinkError("the sender has ended by a fault of the program; its trace is in the log")
        if self._sender.tally().connected:
            self._sender.drain(DRAIN_S, self._committed_seq())
        self._sender.stop(GOODBYE_S)

    def _wait(self, timeout_s: float) -> None:
        sockets: list[ControlLine | socket.socket] = [self._control]
        if self._store is not None:
            sockets.append(self._store)
        readable, _, _ = select.select(sockets, [], [], max(0.0, timeout_s))
        if self._store is not None and self._store in readable:
            self._hear_store(self._store)
        if self._control in readable:
            self._control.hear(self._obey)

    def _hear_store(self, store: socket.socket) -> None:
        committed = False
        try:
            while True:
                message, _ = messages.receive(store)
                if isinstance(message, Committed):
                    committed, self._committed = True, message.seq
        except BlockingIOError:
            pass
        except messages.PeerGone:
            self._let_go_of_store()
        if committed:
            self._sender.wake()

    def _obey(self, message: Message, fds: tuple[int, ...]) -> bool:
        match message:
            case Attach(role="records") if len(fds) == 1:
                self._let_go_of_store()
                self._store = socket.socket(fileno=fds[0])
                self._store.setblocking(False)
                self._sender.wake()
                return True
            case Detach(role="records"):
                self._let_go_of_store()
            case Configure():
                return close_all(fds)
        return False

    def _committed_seq(self) -> int:
        """The last event on disk: the store process has written its farewell by now."""
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

    def _let_go_of_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _tell_health(self) -> None:
        self._control.tell(self._health(self._sender.tally()))

    def _health(self, tally: Tally) -> Health:
        now_s = self._clock.now()
        waiting_s = 0.0 if tally.oldest_s is None or tally.backlog == 0 else max(0.0, now_s - tally.oldest_s)
        values = {
            "backlog": float(tally.backlog),
            "oldest_waiting_s": waiting_s,
            "in_flight": float(tally.in_flight),
            "unanswered_s": tally.unanswered_s,
            "last_seq": float(tally.last_seq),
            "delivered_seq": float(tally.delivered_seq),
            "events_delivered": float(tally.events_delivered),
            "connects": float(tally.connects),
            "resends": float(tally.resends),
            "streams_begun": float(tally.renewals),
            "acks_refused": float(tally.acks_refused),
        }
        days = self._certificate.days_left(now_s)
        if days is not None:
            values["certificate_days"] = days
        state, detail = self._judge(tally, values)
        if self._sender_hangs(tally):
            state, detail = "stalled", "the sender has not looked at what the store wrote"
        return Health(
            process="uplink",
            state=state,
            time_s=now_s,
            progress_s=now_s if tally.connected and tally.backlog == 0 else tally.progress_s,
            detail=detail,
            values=values,
            drops={},
        )

    def _sender_hangs(self, tally: Tally) -> bool:
        """Whether the sender has been connected for long and not looked at what is on disk."""
        if not tally.connected or tally.last_seq >= self._committed:
            self._unseen_since_s = None
            return False
        now_s = time.monotonic()
        self._unseen_since_s = self._unseen_since_s or now_s
        return now_s - self._unseen_since_s > UNSEEN_S

    def _judge(self, tally: Tally, values: dict[str, float]) -> tuple[str, str]:
        remarks = [*_remarks(tally, time.monotonic()), _certificate_warning(values.get("certificate_days"))]
        warning = "; ".join(filter(None, remarks))
        if tally.detail == Tally.detail:
            return "connecting", ""
        if not tally.connected:
            return "disconnected", "; ".join(filter(None, (tally.detail, warning)))
        if tally.held_kinds:
            kinds = ", ".join(f"{kind}: {reason}" for kind, reason in sorted(tally.held_kinds.items()))
            return "refused", "; ".join(filter(None, (f"the broker refuses {kinds}", warning)))
        if tally.unanswered_s > UNANSWERED_WARNING_S:
            return "unacknowledged", (
                f"the cloud has acknowledged nothing for {tally.unanswered_s:.0f} s; run a consumer that "
                "acknowledges (tagsight uplink receive), or set uplink.trust_broker"
                + (f"; {warning}" if warning else "")
            )
        return "ok", warning


def _remarks(tally: Tally, now_s: float) -> list[str]:
    """What others have said under this device's name that somebody should look at."""
    remarks = []
    if _is_recent(tally.namesake_s, now_s):
        remarks.append(
            "another device speaks under this site and device name: give each box its own site.device"
        )
    if _is_recent(tally.renewed_s, now_s):
        remarks.append(
            "the outbox was restored from an older image, or copied to another device; it goes on as stream "
            f"{tally.stream}"
        )
    if _is_recent(tally.refused_s, now_s):
        remarks.append(
            f"{tally.acks_refused} acknowledgements did not count: for what was never sent, or from a "
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
