"""Events on their way through one connection: from the outbox into messages that the broker takes."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import NamedTuple

from broker.mqtt import MqttClient
from broker.mqtt_events import Refused
from broker.permits import TOO_LARGE, Fit, advice
from contract import wire
from contract.envelope import Origin, name_streams
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryBook, DeliveryLimits
from runtime.uplink.outbox.database import Row
from runtime.uplink.outbox.identity import Identity
from runtime.uplink.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

ROOM_FOR_STATUS = 2


class Sent(NamedTuple):
    """A message that the broker has not acknowledged: since when, how large, and its events."""

    at_s: float
    size: int
    seqs: tuple[int, ...]


class Outgoing:
    """Packs, cuts to fit and sends what is due; one for each connection.

    `replayed` and `has_sent` say that the delivery's book has changed and wants to be noted.
    """

    def __init__(
        self,
        origin: Origin,
        identity: Identity,
        reader: OutboxReader,
        delivery: DeliveryBook,
        link: MqttClient,
        fit: Fit,
        stats: DeliveryStats,
        limits: DeliveryLimits,
    ) -> None:
        self._origin = origin
        self.identity = identity
        self._reader = reader
        self._delivery = delivery
        self._link = link
        self._fit = fit
        self._stats = stats
        self._limits = limits
        self._ready: deque[tuple[str, list[Row]]] = deque()
        self._alone: deque[Row] = deque()
        self._under_way: dict[int, Sent] = {}
        self.replayed = False
        self.has_sent = False

    def send_due(self, last_seq: int, now_s: float) -> bool:
        """Send messages while the broker takes more; False where nothing was due or enough is under way."""
        if not self._ready:
            self._read_a_chunk(last_seq, now_s)
        sent = False
        room = max(1, self._link.receive_maximum - ROOM_FOR_STATUS)
        while self._ready and len(self._under_way) < room:
            kind, rows = self._ready.popleft()
            if not self._delivery.is_held(kind):
                self._send(kind, rows, now_s)
                sent = True
        if not sent and self._alone and not self._under_way:
            row = self._alone.popleft()
            self._send(row.kind, [row], now_s)
            sent = True
        return sent

    def _read_a_chunk(self, last_seq: int, now_s: float) -> None:
        """The next stretch of the outbox, sorted by kind: a message has events of one kind."""
        replays = self._delivery.replays
        span = self._delivery.next_span(last_seq, now_s)
        self.replayed = self.replayed or self._delivery.replays != replays
        if span is None:
            return
        rows = self._reader.rows(
            span.from_seq,
            span.until_seq,
            limit=self._limits.batch_events,
            max_bytes=self._limits.batch_bytes,
        )
        self._delivery.read(span, rows, last_seq)
        by_kind: dict[str, list[Row]] = {}
        has_strikes = bool(self._fit.strikes)
        for row in rows:
            if not has_strikes:
                by_kind.setdefault(row.kind, []).append(row)
            elif self._fit.is_hopeless(row.seq):
                self._give_up(row, "the broker ends every connection on which it is sent")
            elif self._fit.is_suspect(row.seq):
                self._alone.append(row)
            else:
                by_kind.setdefault(row.kind, []).append(row)
        self._ready.extend(by_kind.items())

    def _send(self, kind: str, rows: list[Row], now_s: float) -> None:
        """Send as one message, as two halves where that is too large; give up what never fits."""
        bodies = name_streams([row.body for row in rows], self.identity.stream)
        payload = wire.pack(bodies, self._origin, kind, self.identity.incarnation)
        topic = wire.topic(self._origin, kind)
        size = wire.packet_bytes(topic, payload)
        permitted = self._link.permits.max_packet
        if len(rows) > 1 and size > min(filter(None, (permitted, self._fit.batch_bytes)), default=size):
            middle = len(rows) // 2
            self._ready.extendleft([(kind, rows[middle:]), (kind, rows[:middle])])
            return
        if permitted is not None and size > permitted:
            self._give_up(rows[0], f"{size} bytes are more than the {permitted} that the broker permits")
            return
        mid = self._link.publish(topic, payload, retain=self._is_to_stay(kind, rows))
        seqs = tuple([row.seq for row in rows])
        self._delivery.sent(mid, kind, seqs, now_s)
        self._under_way[mid] = Sent(now_s, size, seqs)
        self.has_sent = True
        self._stats.messages_sent += 1

    def _is_to_stay(self, kind: str, rows: list[Row]) -> bool:
        """Whether the broker is to keep the message for who comes later: the newest of its kind only, for
        older ones are sent again at a replay."""
        return kind in wire.RETAINED and rows[-1].seq >= self._reader.newest_of(kind)

    def _give_up(self, row: Row, why: str) -> None:
        """An event that can never be sent becomes a gap; it does not hold back the others."""
        log.error("event %d (%s, %d bytes) cannot be sent: %s", row.seq, row.kind, len(row.body), why)
        self._reader.give_up(row.seq)
        self._delivery.dropped(row.seq)
        self._stats.given_up += 1
        self.replayed = True

    def note(self, mid: int) -> None:
        """A message that is no event is under way."""
        self._under_way[mid] = Sent(time.monotonic(), 0, ())

    def acknowledged(self, mid: int) -> int:
        """The broker has the message; returns how many events that delivered."""
        sent = self._under_way.pop(mid, None)
        if sent is not None:
            self._fit.taken(sent.size, sent.seqs)
        return self._delivery.acknowledged(mid)

    def refused(self, refusal: Refused) -> None:
        """The broker does not take the message: its kind waits, or a single event that is too large goes."""
        sent = self._under_way.pop(refusal.mid, None)
        self._stats.refusals += 1
        if refusal.code == TOO_LARGE and sent is not None and sent.seqs:
            self._too_large(refusal.mid, sent)
            return
        kind = self._delivery.refused(refusal.mid, time.monotonic()) or "status"
        if kind not in self._stats.held_kinds:
            log.error("the broker refuses %s: %s; %s", kind, refusal.reason, advice(refusal.code))
        self._stats.held_kinds[kind] = refusal.reason

    def _too_large(self, mid: int, sent: Sent) -> None:
        self._delivery.returned(mid)
        if len(sent.seqs) > 1:
            self._fit.broke([(sent.size, sent.seqs)])
            return
        for row in self._reader.rows(sent.seqs[0], sent.seqs[0] + 1):
            self._give_up(row, f"{sent.size} bytes are more than the broker permits")

    def broke(self) -> None:
        """The connection has ended; what was under way may be why."""
        self._fit.broke([(sent.size, sent.seqs) for sent in self._under_way.values() if sent.seqs])

    def waiting_since_s(self) -> float | None:
        """When the oldest message without an answer was sent; None where there is none."""
        return next((sent.at_s for sent in self._under_way.values()), None)

    def __bool__(self) -> bool:
        """Something is under way."""
        return bool(self._under_way)
