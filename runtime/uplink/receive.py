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

from runtime.config import Uplink
from runtime.uplink import wire
from runtime.uplink.cloud_store import CloudStore
from runtime.uplink.errors import PayloadError
from runtime.uplink.events import KINDS, Origin
from runtime.uplink.mqtt import ConnectionLost, Link, NotSubscribed, Received

log = logging.getLogger(__name__)

EVERYTHING = f"{wire.ROOT}/+/+/+"
KEEP_SESSION_S = 7 * 86_400
COMMIT_EVERY_S = 0.1
RETRY_S = 1.0
HOLE_PATIENCE_S = 15.0
"""A hole that stays open so long is asked for again, each time after twice as long."""


class Hole(NamedTuple):
    """The first missing number of a device, since when, and how long to wait before asking for it."""

    seq: int
    since_s: float
    patience_s: float


class Receiver:
    """Takes events off a broker into a CloudStore; `run` in a thread or as the whole program."""

    def __init__(
        self,
        broker: Uplink,
        store: CloudStore,
        *,
        client_id: str = "tagsight-receiver",
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
        self._acked: dict[Origin, int] = {}
        self._holes: dict[Origin, Hole] = {}
        self.rejected = 0
        self.connected = threading.Event()
        self.stopping = threading.Event()

    def run(self) -> None:
        """Receive until `stopping` is set; a lost connection is made anew every second."""
        while not self.stopping.is_set():
            try:
                self._serve()
            except ConnectionLost as error:
                log.warning("receiver: %s", error)
                self.stopping.wait(RETRY_S)
            finally:
                self.connected.clear()
        self._store.commit()

    def _serve(self) -> None:
        link = Link(self._broker, self._client_id, keep_session_s=KEEP_SESSION_S)
        link.connect()
        link.subscribe([EVERYTHING])
        self.connected.set()
        self._acked.clear()
        if self._acknowledge:
            for origin in self._store.origins():
                self._tell_position(link, origin)
        commit_due_s = 0.0
        try:
            while not self.stopping.is_set():
                for happening in link.poll(COMMIT_EVERY_S):
                    if isinstance(happening, NotSubscribed):
                        raise ConnectionLost(f"the broker refuses the subscription to {EVERYTHING}")
                    if isinstance(happening, Received):
                        self._take(link, happening)
                if time.monotonic() >= commit_due_s:
                    self._commit(link)
                    commit_due_s = time.monotonic() + COMMIT_EVERY_S
            self._commit(link)
            link.disconnect()
        finally:
            link.abandon()

    def _take(self, link: Link, message: Received) -> None:
        try:
            origin, leaf = wire.origin_of(message.topic)
            if leaf == "status":
                status = wire.decode_status(message.data)
                if status.state == "online":
                    self._store.gone(origin, status.oldest_seq - 1)
                    self._greet(link, origin, status.last_seq if message.retained else 0)
            elif leaf in KINDS:
                self._keep(self._store.take(origin, wire.unpack(message.data)))
        except PayloadError as error:
            self.rejected += 1
            log.warning("receiver: a message on %s was left out: %s", message.topic, error)

    def _greet(self, link: Link, origin: Origin, last_seq: int) -> None:
        """Tell a device our position. One that was there before us does not know that we missed something."""
        if not self._acknowledge:
            return
        self._tell_position(link, origin)
        prefix = self._store.prefix(origin)
        if prefix < last_seq:
            self._publish(link, origin, "replay", wire.Replay(prefix + 1))

    def _keep(self, bodies: list[bytes]) -> None:
        for body in bodies:
            if self._jsonl is not None:
                self._jsonl.write(body + b"\n")
            if self._on_event is not None:
                self._on_event(body)

    def _commit(self, link: Link) -> None:
        touched = self._store.commit()
        if self._jsonl is not None:
            self._jsonl.flush()
        if not self._acknowledge:
            return
        for origin in touched:
            if self._store.prefix(origin) > self._acked.get(origin, 0):
                self._tell_position(link, origin)
        for origin in self._store.origins():
            self._ask_for_hole(link, origin)

    def _tell_position(self, link: Link, origin: Origin) -> None:
        """Acknowledge everything up to where the account is whole."""
        seq = self._store.prefix(origin)
        self._acked[origin] = seq
        if seq > 0:
            self._publish(link, origin, "ack", wire.Ack(seq))

    def _ask_for_hole(self, link: Link, origin: Origin) -> None:
        missing = self._store.first_missing(origin)
        now_s = time.monotonic()
        if missing is None:
            self._holes.pop(origin, None)
            return
        hole = self._holes.get(origin)
        if hole is None or hole.seq != missing:
            self._holes[origin] = Hole(missing, now_s, HOLE_PATIENCE_S)
        elif now_s - hole.since_s > hole.patience_s:
            log.warning("receiver: %s/%s: %d is missing, asking for it again", *origin, missing)
            self._publish(link, origin, "replay", wire.Replay(missing))
            self._holes[origin] = Hole(missing, now_s, 2 * hole.patience_s)

    def _publish(self, link: Link, origin: Origin, leaf: str, message: wire.Ack | wire.Replay) -> None:
        link.publish(wire.topic(origin, leaf), wire.Payload(wire.encode_control(message), wire.SINGLE, []))


def receive_in_background(receiver: Receiver, timeout_s: float = 10.0) -> threading.Thread:
    """Run a receiver in a thread and wait until it is connected. Raises ConnectionLost in the end."""
    thread = threading.Thread(target=receiver.run, name="receiver", daemon=True)
    thread.start()
    if not receiver.connected.wait(timeout_s):
        receiver.stopping.set()
        raise ConnectionLost(f"the receiver could not connect within {timeout_s:.0f} s")
    return thread
