"""What others say to a device: acknowledgements, replay requests, and statuses under its own name."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from broker.mqtt_events import Received
from contract import wire
from contract.envelope import Origin
from contract.errors import PayloadError
from runtime.uplink.delivery import namesakes
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryBook
from runtime.uplink.errors import OutboxError, StreamEnded
from runtime.uplink.outbox.identity import REPLACED, Identity, Succession
from runtime.uplink.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

RENEW_EVERY_S = 60.0
"""A copy is met once; who claims it again and again is not believed more often."""


class Listener:
    """Judges each message for one connection of one stream.

    `has_met` once a status under this name was received; while not `is_announced`, a retained one may be the
    predecessor's. Raises OutboxError where the writer has not begun the new stream that was asked for, or
    that this device's new name asks for.
    """

    def __init__(
        self,
        outbox: Path,
        origin: Origin,
        identity: Identity,
        reader: OutboxReader,
        delivery: DeliveryBook,
        stats: DeliveryStats,
    ) -> None:
        self._outbox = outbox
        self.identity = identity
        self._reader = reader
        self._delivery = delivery
        self._stats = stats
        self.has_met = False
        self.is_announced = reader.is_announced(identity.stream)
        pending = reader.requested()
        is_renamed = reader.origin() not in (None, origin)
        if is_renamed or (pending is not None and pending.renew and pending.stream == identity.stream):
            raise OutboxError(f"{outbox}: its writer has yet to begin a new stream")

    def receive(self, message: Received, last_seq: int) -> int:
        """Take one message in; returns how many events it delivered.

        `last_seq` is the last number in the outbox. Raises StreamEnded where this stream is over.
        """
        leaf = message.topic.rpartition("/")[2]
        try:
            if leaf == "status":
                self._received(wire.decode_status(message.data), message.retained, last_seq)
            elif leaf == "ack" and not message.retained:
                return self._acknowledged(wire.decode_ack(message.data), last_seq)
            elif leaf == "replay" and not message.retained:
                self._asked(wire.decode_replay(message.data))
        except PayloadError as error:
            log.warning("a message on %s was ignored: %s", message.topic, error)
        return 0

    def _received(self, status: wire.Status, retained: bool, last_seq: int) -> None:
        """A status under our name: mostly our own, else of a copy, a predecessor or a namesake."""
        self.has_met = True
        if (copied := namesakes.copy_in_status(self.identity, status, last_seq)) is not None:
            self._renew(copied)
        elif retained and not self.is_announced:
            predecessor = namesakes.predecessor_in_status(self.identity, status)
            if predecessor is not None:
                self._reader.request(predecessor)
                log.warning("%s: %s (stream %s)", self._outbox, REPLACED, predecessor.stream)
        elif not retained and namesakes.is_namesake(self.identity, status):
            if self._stats.namesake_s is None:
                log.error("another device speaks under this name too (stream %s)", status.stream)
            self._stats.namesake_s = time.monotonic()

    def _renew(self, wish: Succession) -> None:
        """Ask the writer for a new stream. Raises StreamEnded, unless it was asked a moment ago."""
        now_s = time.monotonic()
        if self._stats.renewed_s is not None and now_s - self._stats.renewed_s < RENEW_EVERY_S:
            return
        self._stats.renewed_s = now_s
        self._stats.renewals += 1
        self._reader.request(wish)
        raise StreamEnded(f"{self._outbox}: {wish.why}; stream {wish.stream} goes on as a new one")

    def _acknowledged(self, ack: wire.Ack, last_seq: int) -> int:
        """The cloud's word; it counts for this stream, from somebody who knows no other copy of it, and for
        what was sent."""
        if ack.stream and ack.stream != self.identity.stream:
            return 0
        if (copied := namesakes.copy_in_ack(self.identity, ack, last_seq)) is not None:
            self._renew(copied)
        elif not ack.stream and not self.identity.migrated:
            self._refuse(ack, "names no stream: upgrade the consumer")
        elif ack.stream and not ack.incarnations:
            self._refuse(ack, "names no incarnation: the consumer does not follow the protocol")
        elif ack.stream and self.identity.incarnation not in ack.incarnations:
            log.debug("an acknowledgement from before the cloud was told of this start is left out")
        elif not self._delivery.was_sent(ack.seq):
            self._refuse(ack, "is for what was never sent")
        else:
            return self._delivery.confirmed(ack.seq, time.monotonic())
        return 0

    def _refuse(self, ack: wire.Ack, why: str) -> None:
        if self._stats.acks_refused == 0:
            log.error("an acknowledgement up to %d %s; it does not count", ack.seq, why)
        self._stats.acks_refused += 1
        self._stats.refused_s = time.monotonic()

    def _asked(self, replay: wire.Replay) -> None:
        if not replay.stream or replay.stream == self.identity.stream:
            self._delivery.replay(replay.from_seq)
