"""A reference consumer for the cloud side: what a back end has to do so that nothing is lost.

It stores every event once (by `id`), accounts for every `seq` (seen, or named in a gap), acknowledges up to
where the account is whole, and asks for a replay where a hole stays open.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from broker.mqtt import ConnectionLost, MqttClient, TakenOver
from broker.mqtt_events import NotSubscribed, Received
from broker.settings import BrokerSettings
from contract import wire
from contract.envelope import Origin, StreamId
from contract.errors import PayloadError
from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore

log = logging.getLogger(__name__)

EVERYTHING = f"{wire.ROOT}/+/+/+"
CLIENT_ID = "tagsight-receiver"
FROM_THE_CLOUD = ("ack", "replay")
"""Our own words; every other last part of a topic is a kind of event, known to us or not."""
MAX_MESSAGE_BYTES = wire.MAX_PAYLOAD_BYTES + 65_536
KEEP_SESSION_S = 7 * 86_400
COMMIT_EVERY_S = 0.1
RETRY_S = 1.0
SOON_S = 3.0
MOST_SOON_LOST = 5
"""A broker that is told of a second client with our id ends our connection, often without a word: after so
many in a row that broke within SOON_S, that is what is said, instead of fighting over it."""
HOLE_WAIT_S = 15.0
"""A hole that stays open so long is asked for again, each time after twice as long."""


class Hole(NamedTuple):
    """The first missing number of a stream, since when, and how long to wait before asking for it."""

    seq: int
    since_s: float
    wait_s: float


class Receiver:
    """Takes events off a broker into a CloudStore; `run` in a thread or as the whole program."""

    def __init__(
        self,
        broker: BrokerSettings,
        store: CloudStore,
        *,
        client_id: str = CLIENT_ID,
        acknowledge: bool = True,
        jsonl: BinaryIO | None = None,
        on_event: Callable[[bytes], None] | None = None,
    ) -> None:
        self._broker = broker
        self._store = store
        self._client_id = client_id
        self._acknowledge = acknowledge
        self._jsonl = jsonl
        self._on_event = on_event
        self._holes: dict[StreamId, Hole] = {}
        self._greeted: dict[StreamId, int] = {}
        self.rejected = 0
        self.connected = threading.Event()
        self.stopping = threading.Event()

    def run(self) -> None:
        """Receive until `stopping` is set; a lost connection is made anew every second.

        Raises FleetError where another receiver fills the same database or has the same client id, OSError
        where the file of lines refuses.
        """
        self._store.claim()
        soon_lost = 0
        while not self.stopping.is_set():
            began_s = time.monotonic()
            try:
                self._serve()
            except ConnectionLost as error:
                was_short = self.connected.is_set() and time.monotonic() - began_s < SOON_S
                soon_lost = soon_lost + 1 if was_short else 0
                if isinstance(error, TakenOver) or soon_lost >= MOST_SOON_LOST:
                    raise FleetError(
                        f"{error}: another program uses the client id {self._client_id!r}, it seems; stop "
                        "it, or give this receiver another --client-id"
                    ) from error
                log.warning("receiver: %s", error)
                self.stopping.wait(RETRY_S)
            finally:
                self.connected.clear()
        if self._jsonl is not None:
            self._jsonl.flush()
        self._store.commit()

    def _serve(self) -> None:
        link = MqttClient(
            self._broker, self._client_id, keep_session_s=KEEP_SESSION_S, max_bytes=MAX_MESSAGE_BYTES
        )
        link.connect()
        link.subscribe([EVERYTHING])
        self.connected.set()
        if self._acknowledge:
            for stream in self._store.streams():
                self._publish_position(link, stream)
                self._look_for_hole(stream)
        commit_due_s = 0.0
        try:
            while not self.stopping.is_set():
                for event in link.poll(COMMIT_EVERY_S):
                    if isinstance(event, NotSubscribed):
                        raise ConnectionLost(f"the broker refuses the subscription to {EVERYTHING}")
                    if isinstance(event, Received):
                        self.take(event)
                if time.monotonic() >= commit_due_s:
                    self.commit(link)
                    commit_due_s = time.monotonic() + COMMIT_EVERY_S
            self.commit(link)
            link.disconnect()
        finally:
            link.abandon()

    def take(self, message: Received) -> None:
        """Take in what a message says. Nothing is answered before it is on disk."""
        try:
            origin, leaf = wire.origin_of(message.topic)
            if leaf == "status":
                self._take_status(origin, wire.decode_status(message.data), message.retained)
            elif leaf not in FROM_THE_CLOUD:
                self._keep(self._store.take(origin, wire.unpack(message.data), message.retained))
        except PayloadError as error:
            self.rejected += 1
            log.warning("receiver: a message on %s was left out: %s", message.topic, error)

    def _take_status(self, origin: Origin, status: wire.Status, retained: bool) -> None:
        """A device says who it is. One that was there before us does not know that we missed something."""
        if status.oldest_seq > status.last_seq + 1:
            raise PayloadError(f"its oldest event is {status.oldest_seq}, its last {status.last_seq}")
        stream = StreamId(*origin, status.stream)
        if status.state == "online":
            self._store.greeted(
                stream,
                status.oldest_seq,
                status.incarnation,
                status.migrated,
                min(status.delivered_seq, status.last_seq),
            )
            self._greeted[stream] = status.last_seq if retained else 0

    def _keep(self, bodies: list[bytes]) -> None:
        for body in bodies:
            if self._jsonl is not None:
                self._jsonl.write(body + b"\n")
            if self._on_event is not None:
                self._on_event(body)

    def commit(self, link: MqttClient) -> None:
        """Make durable what was taken, and only then answer for it.

        The file of lines goes first: what is stored comes to no file any more, a line may come again.
        """
        if self._jsonl is not None:
            self._jsonl.flush()
        touched = self._store.commit()
        greeted, self._greeted = self._greeted, {}
        if not self._acknowledge:
            return
        for stream in touched:
            self._publish_position(link, stream)
            self._look_for_hole(stream)
        for stream, last_seq in greeted.items():
            prefix = self._store.prefix(stream)
            if prefix < last_seq:
                self._publish(link, stream, "replay", wire.Replay(prefix + 1, stream.stream))
        self._ask_for_holes(link)

    def _publish_position(self, link: MqttClient, stream: StreamId) -> None:
        """Acknowledge everything up to where the account is whole."""
        last, incarnations = self._store.position(stream)
        ack = wire.Ack(self._store.prefix(stream), stream.stream, last, incarnations)
        if ack.seq > 0 or incarnations:
            self._publish(link, stream, "ack", ack)

    def _look_for_hole(self, stream: StreamId) -> None:
        """Note the first number of a stream that is missing, or that none is."""
        missing = self._store.first_missing(stream)
        hole = self._holes.get(stream)
        if missing is None:
            self._holes.pop(stream, None)
        elif hole is None or hole.seq != missing:
            self._holes[stream] = Hole(missing, time.monotonic(), HOLE_WAIT_S)

    def _ask_for_holes(self, link: MqttClient) -> None:
        """Ask again for what has been missing for long."""
        now_s = time.monotonic()
        for stream, hole in list(self._holes.items()):
            if now_s - hole.since_s > hole.wait_s:
                log.warning("receiver: %s/%s: %d is missing, asking for it again", *stream.origin, hole.seq)
                self._publish(link, stream, "replay", wire.Replay(hole.seq, stream.stream))
                self._holes[stream] = Hole(hole.seq, now_s, 2 * hole.wait_s)

    def _publish(
        self, link: MqttClient, stream: StreamId, leaf: str, message: wire.Ack | wire.Replay
    ) -> None:
        payload = wire.Payload(wire.encode_control(message), wire.SINGLE, [])
        link.publish(wire.topic(stream.origin, leaf), payload)


def receive_in_background(receiver: Receiver, timeout_s: float = 10.0) -> threading.Thread:
    """Run a receiver in a thread and wait until it is connected. Raises ConnectionLost in the end."""
    thread = threading.Thread(target=receiver.run, name="receiver", daemon=True)
    thread.start()
    if not receiver.connected.wait(timeout_s):
        receiver.stopping.set()
        raise ConnectionLost(f"the receiver could not connect within {timeout_s:.0f} s")
    return thread
