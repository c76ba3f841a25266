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
from contextlib import suppress
from importlib.metadata import version

from broker.mqtt import ConnectionLost, MqttClient
from broker.mqtt_events import Acknowledged, MqttEvent, NotSubscribed, Refused, Will
from contract import wire
from contract.envelope import rfc3339
from runtime.uplink.delivery.listener import Listener
from runtime.uplink.delivery.outgoing import Outgoing
from runtime.uplink.delivery.settings import SessionSettings, client_id
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryBook
from runtime.uplink.errors import OutboxError, StreamEnded
from runtime.uplink.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

STATUS_EVERY_S = 60.0
STATUS_EXPIRY_S = 180
NOTE_EVERY_S = 0.25
LOOK_EVERY_S = 1.0
"""How often the outbox is looked at without having been told of a commit."""
GOODBYE_S = 0.5


CONTROL = ("ack", "replay", "status")
MEETING_S = 3.0
QUIET_S = 0.3
"""How long after the subscription to wait for a retained status, before anything is sent."""
NOTE_SENT_EVERY_S = 0.05


class Session:
    """One connection to the broker; `serve` runs until told to stop or cut off."""

    def __init__(
        self, settings: SessionSettings, stats: DeliveryStats, stopping: threading.Event, wake: socket.socket
    ) -> None:
        self._settings = settings
        self._stats = stats
        self._stopping = stopping
        self._wake = wake
        self._reader = OutboxReader(settings.outbox)
        self._identity = self._reader.identity()
        self._stats.stream = self._identity.stream
        self._delivery = DeliveryBook(
            self._reader.delivered(), settings.broker.trust_broker, settings.limits, self._reader.sent()
        )
        self._last_seq = self._reader.last_seq()
        self._changed = False
        self._note_due_s = self._look_due_s = self._status_due_s = self._sent_due_s = 0.0
        self._online_since = ""
        origin = settings.origin
        will = Will(wire.topic(origin, "status"), self._status("offline", "", "connection lost"))
        self._link = MqttClient(
            settings.broker, client_id(origin, self._identity), will, permits=settings.permits
        )
        self._outgoing = Outgoing(
            *(origin, self._identity, self._reader, self._delivery, self._link),
            *(settings.fit, stats, settings.limits),
        )
        self._listener = Listener(
            settings.outbox, origin, self._identity, self._reader, self._delivery, stats
        )

    def serve(self) -> None:
        """Connect, announce, deliver until told to stop.

        Raises ConnectionLost, OutboxError where the outbox was replaced, StreamEnded where it goes on as a
        new stream, sqlite3.Error where it fails.
        """
        try:
            self._link.connect()
            self._check_permits()
            self._online_since = rfc3339(self._settings.clock())
            self._link.subscribe([wire.topic(self._settings.origin, leaf) for leaf in CONTROL])
            self._meet()
            self._delivery.connected(self._last_seq, time.monotonic())
            self._stats.begin()
            while not self._stopping.is_set():
                self._turn()
            self._say_goodbye()
        except StreamEnded:
            self._link.disconnect()
            raise
        except ConnectionLost:
            self._outgoing.broke()
            raise
        finally:
            self._stats.connected = False
            with suppress(sqlite3.Error):
                self._note_sent()
                self._note_delivered()
            self._link.abandon()
            self._reader.close()

    def _check_permits(self) -> None:
        if self._settings.broker.trust_broker and self._link.permits.max_qos == 0:
            raise ConnectionLost(
                f"{self._settings.broker.host}: the broker offers QoS 0 only, so its word is worth nothing; "
                "set uplink.trust_broker: false and run a consumer that acknowledges"
            )

    def _meet(self) -> None:
        """Before anything is sent: receive what was last said under this name."""
        deadline_s = time.monotonic() + MEETING_S
        while not self._listener.has_met and (left_s := deadline_s - time.monotonic()) > 0:
            for event in self._link.poll(min(left_s, QUIET_S)):
                self._handle(event)
            if self._link.subscribed_s is not None:
                deadline_s = min(deadline_s, self._link.subscribed_s + QUIET_S)
        self._listener.is_announced = True
        self._reader.note_announced(self._identity.stream)

    def _turn(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._look_due_s:
            self._look()
        if now_s >= self._status_due_s:
            self._announce()
        sent = self._outgoing.send_due(self._last_seq, now_s)
        for event in self._link.poll(0.0 if sent else self._pause_s(now_s), self._wake):
            self._handle(event)
        if self._woken():
            self._see()
        self._check_timeout()
        if self._outgoing.has_sent and time.monotonic() >= self._sent_due_s:
            self._note_sent()
        if self._outgoing.replayed:
            self._changed, self._outgoing.replayed = True, False
        if self._changed and time.monotonic() >= self._note_due_s:
            self._note_delivered()
        self._update_stats()

    def _pause_s(self, now_s: float) -> float:
        due_s = min(self._look_due_s, self._status_due_s)
        if self._changed:
            due_s = min(due_s, self._note_due_s)
        if self._outgoing.has_sent:
            due_s = min(due_s, self._sent_due_s)
        return max(0.0, due_s - now_s)

    def _woken(self) -> bool:
        with suppress(BlockingIOError):
            return bool(self._wake.recv(4096))
        return False

    def _see(self) -> None:
        """How far the outbox is, and who writes it: a writer that was started anew is announced before what
        it wrote is sent."""
        last_seq, identity = self._reader.last_seq(), self._reader.identity()
        if identity.stream != self._identity.stream:
            raise StreamEnded(f"{self._settings.outbox}: goes on as a new stream")
        if identity.incarnation != self._identity.incarnation:
            self._identity = self._listener.identity = self._outgoing.identity = identity
            self._status_due_s = 0.0
        self._last_seq = last_seq

    def _look(self) -> None:
        """What is in the outbox now."""
        if self._reader.is_replaced():
            raise OutboxError(f"{self._settings.outbox}: a new outbox took its place")
        self._see()
        self._stats.oldest_s = self._reader.oldest_undelivered_s(self._delivery.delivered.prefix_end())
        self._look_due_s = time.monotonic() + LOOK_EVERY_S

    def _handle(self, event: MqttEvent) -> None:
        if isinstance(event, Acknowledged):
            self._delivered(self._outgoing.acknowledged(event.mid))
        elif isinstance(event, Refused):
            self._outgoing.refused(event)
        elif isinstance(event, NotSubscribed):
            self._not_subscribed(event)
        else:
            self._delivered(self._listener.receive(event, self._last_seq))

    def _delivered(self, events: int) -> None:
        if events:
            self._changed = True
            self._stats.events_delivered += events
        self._stats.progress_s = self._settings.clock()

    def _not_subscribed(self, refusal: NotSubscribed) -> None:
        leaf = refusal.topic.rpartition("/")[2]
        if leaf == "status":
            log.warning(
                "the broker does not let this device read its own status (%s): a second device with the "
                "same outbox is noticed later; allow it in the ACL",
                refusal.reason,
            )
        elif leaf == "replay":
            log.warning("the broker refuses the subscription to replay requests: %s", refusal.reason)
        elif not self._settings.broker.trust_broker:
            raise ConnectionLost(
                f"{self._settings.broker.host}: the broker refuses the subscription to acknowledgements: "
                f"{refusal.reason}; allow tagsight/v1/SITE/DEVICE/ack in the ACL or set uplink.trust_broker"
            )

    def _check_timeout(self) -> None:
        oldest_s = self._outgoing.waiting_since_s()
        limit_s = self._settings.ack_timeout_s
        if oldest_s is not None and time.monotonic() - oldest_s > limit_s:
            raise ConnectionLost(
                f"{self._settings.broker.host}: the broker has acknowledged nothing for {limit_s:.0f} s"
            )

    def _note_delivered(self) -> None:
        if self._changed:
            self._reader.note_delivered(self._delivery.delivered)
            self._changed = False
            self._note_due_s = time.monotonic() + NOTE_EVERY_S

    def _note_sent(self) -> None:
        if self._outgoing.has_sent:
            self._reader.note_sent(self._delivery.sent_once)
            self._outgoing.has_sent = False
            self._sent_due_s = time.monotonic() + NOTE_SENT_EVERY_S

    def _announce(self) -> None:
        """Publish the retained status, which expires unless it is refreshed."""
        status = wire.Payload(self._status("online", self._online_since), wire.SINGLE, [])
        mid = self._link.publish(
            wire.topic(self._settings.origin, "status"), status, retain=True, expiry_s=STATUS_EXPIRY_S
        )
        self._outgoing.note(mid)
        self._status_due_s = time.monotonic() + STATUS_EVERY_S

    def _say_goodbye(self) -> None:
        now = rfc3339(self._settings.clock())
        status = wire.Payload(self._status("offline", now, "stopped"), wire.SINGLE, [])
        last = self._link.publish(wire.topic(self._settings.origin, "status"), status, retain=True)
        self._outgoing.note(last)
        deadline_s = time.monotonic() + GOODBYE_S
        while self._outgoing and (left_s := deadline_s - time.monotonic()) > 0:
            for event in self._link.poll(left_s):
                self._handle(event)
        self._note_delivered()
        self._link.disconnect()

    def _status(self, state: wire.DeviceState, since: str, reason: str = "") -> bytes:
        return wire.encode_control(
            wire.Status(
                state=state,
                site=self._settings.origin.site,
                device=self._settings.origin.device,
                time=rfc3339(self._settings.clock()),
                since=since,
                reason=reason,
                version=version("tagsight"),
                last_seq=self._last_seq,
                delivered_seq=self._delivery.delivered.prefix_end(),
                oldest_seq=self._reader.oldest_seq(),
                stream=self._identity.stream,
                incarnation=self._identity.incarnation,
                began=self._identity.began,
                migrated=self._identity.migrated,
            )
        )

    def _update_stats(self) -> None:
        stats, delivered = self._stats, self._delivery.delivered
        stats.last_seq = self._last_seq
        stats.delivered_seq = delivered.prefix_end()
        stats.backlog = max(0, self._last_seq - delivered.count())
        stats.in_flight = self._delivery.in_flight()
        stats.unanswered_s = self._delivery.unanswered_s(time.monotonic())
        stats.resends = self._delivery.resends
