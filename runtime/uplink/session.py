"""One connection's worth of delivery: outbox in, acknowledgements out.

Committed rows go out as one message per kind and chunk; what the broker acknowledged is noted as delivered,
with `trust_broker`, or else what the cloud did. The session ends by raising ConnectionLost, or when told to
stop.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from runtime.config import Uplink
from runtime.uplink import wire
from runtime.uplink.delivery import Delivery, DeliveryLimits
from runtime.uplink.errors import OutboxError, PayloadError
from runtime.uplink.events import Origin, rfc3339
from runtime.uplink.mqtt import (
    Acknowledged,
    ConnectionLost,
    Happening,
    Link,
    NotSubscribed,
    Received,
    Refused,
    Will,
)
from runtime.uplink.outbox_file import Row
from runtime.uplink.outbox_reader import OutboxReader
from runtime.uplink.tally import Tally

log = logging.getLogger(__name__)

STATUS_EVERY_S = 60.0
STATUS_EXPIRY_S = 180
NOTE_EVERY_S = 0.25
LOOK_EVERY_S = 1.0
"""How often the outbox is looked at without having been told of a commit."""
GOODBYE_S = 0.5
ROOM_FOR_STATUS = 2


@dataclass(frozen=True)
class Terms:
    """What holds for every connection of one sender."""

    outbox: Path
    origin: Origin
    broker: Uplink
    limits: DeliveryLimits
    clock: Callable[[], float]
    ack_timeout_s: float


class Session:
    """One connection to the broker; `serve` runs until told to stop or cut off."""

    def __init__(self, terms: Terms, tally: Tally, stopping: threading.Event, wake: socket.socket) -> None:
        self._terms = terms
        self._tally = tally
        self._stopping = stopping
        self._wake = wake
        self._reader = OutboxReader(terms.outbox)
        self._delivery = Delivery(self._reader.delivered(), terms.broker.trust_broker, terms.limits)
        self._last_seq = self._reader.last_seq()
        self._ready: deque[tuple[str, list[Row]]] = deque()
        self._changed = False
        self._note_due_s = self._look_due_s = self._status_due_s = 0.0
        self._sent_at_s: dict[int, float] = {}
        self._online_since = ""
        origin = terms.origin
        will = Will(wire.topic(origin, "status"), self._status("offline", "", "connection lost"))
        self._link = Link(terms.broker, f"tagsight-{origin.site}-{origin.device}", will)

    def serve(self) -> None:
        """Connect, announce, deliver until told to stop.

        Raises ConnectionLost, OutboxError where the outbox was replaced, sqlite3.Error where it fails.
        """
        try:
            self._link.connect()
            self._online_since = rfc3339(self._terms.clock())
            self._link.subscribe([wire.topic(self._terms.origin, leaf) for leaf in ("ack", "replay")])
            self._delivery.connected(self._last_seq, time.monotonic())
            self._tally.begin()
            while not self._stopping.is_set():
                self._turn()
            self._say_goodbye()
        finally:
            self._tally.connected = False
            with suppress(sqlite3.Error):
                self._note_delivered()
            self._link.abandon()
            self._reader.close()

    def _turn(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._look_due_s:
            self._look()
        if now_s >= self._status_due_s:
            self._announce()
        sent = self._send_what_is_due(now_s)
        for happening in self._link.poll(0.0 if sent else self._pause_s(now_s), self._wake):
            self._handle(happening)
        if self._woken():
            self._last_seq = self._reader.last_seq()
        self._check_patience()
        if self._changed and time.monotonic() >= self._note_due_s:
            self._note_delivered()
        self._update_tally()

    def _pause_s(self, now_s: float) -> float:
        due_s = min(self._look_due_s, self._status_due_s)
        if self._changed:
            due_s = min(due_s, self._note_due_s)
        return max(0.0, due_s - now_s)

    def _woken(self) -> bool:
        with suppress(BlockingIOError):
            return bool(self._wake.recv(4096))
        return False

    def _look(self) -> None:
        """What is in the outbox now."""
        if self._reader.is_replaced():
            raise OutboxError(f"{self._terms.outbox}: a new outbox took its place")
        self._last_seq = self._reader.last_seq()
        self._tally.oldest_s = self._reader.oldest_undelivered_s(self._delivery.delivered.prefix_end())
        self._look_due_s = time.monotonic() + LOOK_EVERY_S

    def _send_what_is_due(self, now_s: float) -> bool:
        """Send messages while the broker takes more; False where nothing was due or enough is under way."""
        if not self._ready:
            self._read_a_chunk(now_s)
        sent = False
        while self._ready and len(self._sent_at_s) < max(1, self._link.receive_maximum - ROOM_FOR_STATUS):
            kind, rows = self._ready.popleft()
            if not self._delivery.is_held(kind):
                self._send(kind, rows, now_s)
                sent = True
        return sent

    def _read_a_chunk(self, now_s: float) -> None:
        """The next stretch of the outbox, sorted by kind: a message has events of one kind."""
        span = self._delivery.next_span(self._last_seq, now_s)
        if span is None:
            return
        limits = self._terms.limits
        rows = self._reader.rows(
            span.from_seq, span.until_seq, limit=limits.batch_events, max_bytes=limits.batch_bytes
        )
        self._delivery.read(span, rows, self._last_seq)
        by_kind: dict[str, list[Row]] = {}
        for row in rows:
            by_kind.setdefault(row.kind, []).append(row)
        self._ready.extend(by_kind.items())

    def _send(self, kind: str, rows: list[Row], now_s: float) -> None:
        payload = wire.pack([row.body for row in rows], self._terms.origin, kind)
        mid = self._link.publish(wire.topic(self._terms.origin, kind), payload)
        self._delivery.sent(mid, kind, [row.seq for row in rows], now_s)
        self._sent_at_s[mid] = now_s
        self._tally.messages_sent += 1

    def _handle(self, happening: Happening) -> None:
        if isinstance(happening, Acknowledged):
            self._sent_at_s.pop(happening.mid, None)
            self._delivered(self._delivery.acknowledged(happening.mid))
        elif isinstance(happening, Refused):
            self._sent_at_s.pop(happening.mid, None)
            self._refused(happening)
        elif isinstance(happening, NotSubscribed):
            self._not_subscribed(happening)
        else:
            self._received(happening)

    def _delivered(self, events: int) -> None:
        if events:
            self._changed = True
            self._tally.events_delivered += events
        self._tally.progress_s = self._terms.clock()

    def _refused(self, refusal: Refused) -> None:
        kind = self._delivery.refused(refusal.mid, time.monotonic()) or "status"
        self._tally.refusals += 1
        if kind not in self._tally.held_kinds:
            log.error("the broker refuses %s: %s; allow the topic in the ACL", kind, refusal.reason)
        self._tally.held_kinds[kind] = refusal.reason

    def _not_subscribed(self, refusal: NotSubscribed) -> None:
        if not self._terms.broker.trust_broker:
            raise ConnectionLost(
                f"{self._terms.broker.host}: the broker refuses the subscription to acknowledgements: "
                f"{refusal.reason}; allow tagsight/v1/SITE/DEVICE/ack in the ACL or set uplink.trust_broker"
            )
        log.warning("the broker refuses the subscription to replay requests: %s", refusal.reason)

    def _received(self, message: Received) -> None:
        """An acknowledgement or a replay request; anything else is logged and left alone."""
        if message.retained:
            return
        leaf = message.topic.rpartition("/")[2]
        try:
            if leaf == "ack":
                seq = wire.decode_ack(message.data).seq
                self._delivered(self._delivery.confirmed(seq, self._last_seq, time.monotonic()))
            else:
                self._delivery.replay(wire.decode_replay(message.data).from_seq)
                self._changed = True
        except PayloadError as error:
            log.warning("a message on %s was ignored: %s", message.topic, error)

    def _check_patience(self) -> None:
        oldest_s = next(iter(self._sent_at_s.values()), None)
        patience_s = self._terms.ack_timeout_s
        if oldest_s is not None and time.monotonic() - oldest_s > patience_s:
            raise ConnectionLost(
                f"{self._terms.broker.host}: the broker has acknowledged nothing for {patience_s:.0f} s"
            )

    def _note_delivered(self) -> None:
        if self._changed:
            self._reader.note_delivered(self._delivery.delivered)
            self._changed = False
            self._note_due_s = time.monotonic() + NOTE_EVERY_S

    def _announce(self) -> None:
        """Publish the retained status, which expires unless it is refreshed."""
        status = wire.Payload(self._status("online", self._online_since), wire.SINGLE, [])
        mid = self._link.publish(
            wire.topic(self._terms.origin, "status"), status, retain=True, expiry_s=STATUS_EXPIRY_S
        )
        self._sent_at_s[mid] = time.monotonic()
        self._status_due_s = time.monotonic() + STATUS_EVERY_S

    def _say_goodbye(self) -> None:
        now = rfc3339(self._terms.clock())
        status = wire.Payload(self._status("offline", now, "stopped"), wire.SINGLE, [])
        last = self._link.publish(wire.topic(self._terms.origin, "status"), status, retain=True)
        self._sent_at_s[last] = time.monotonic()
        deadline_s = time.monotonic() + GOODBYE_S
        while self._sent_at_s and (left_s := deadline_s - time.monotonic()) > 0:
            for happening in self._link.poll(left_s):
                self._handle(happening)
        self._note_delivered()
        self._link.disconnect()

    def _status(self, state: wire.DeviceState, since: str, reason: str = "") -> bytes:
        return wire.encode_control(
            wire.Status(
                state=state,
                site=self._terms.origin.site,
                device=self._terms.origin.device,
                time=rfc3339(self._terms.clock()),
                since=since,
                reason=reason,
                version=version("tagsight"),
                last_seq=self._last_seq,
                delivered_seq=self._delivery.delivered.prefix_end(),
                oldest_seq=self._reader.oldest_seq(),
            )
        )

    def _update_tally(self) -> None:
        tally, delivered = self._tally, self._delivery.delivered
        tally.last_seq = self._last_seq
        tally.delivered_seq = delivered.prefix_end()
        tally.backlog = max(0, self._last_seq - delivered.count())
        tally.in_flight = self._delivery.in_flight()
        tally.unanswered_s = self._delivery.unanswered_s(time.monotonic())
        tally.resends = self._delivery.resends
