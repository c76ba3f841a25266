"""A small world in which the real ends of the delivery protocol are crashed, copied, restored and lied to.

Outbox, session and receiver are the product's; the broker between them is a model that can lose, repeat and
reorder. Nothing happens but what a step asks for.
"""

from __future__ import annotations

import random
import shutil
import socket
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker.mqtt import ConnectionLost
from broker.mqtt_events import Acknowledged, MqttEvent, Received, Will
from broker.permits import Fit, Permits
from broker.settings import BrokerSettings
from contract import wire
from fleet.ingest.consumer.receiver import Receiver
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.delivery.session import CONTROL, Session
from runtime.uplink.delivery.settings import SessionSettings
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.errors import OutboxError, StreamEnded
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, visit

CONSUMER = "consumer"
TURNS = 6


@dataclass
class Broker:
    """Retained messages, who is connected, and what waits for the consumer, also while it is away."""

    links: dict[str, ModelLink] = field(default_factory=dict)
    retained: dict[str, bytes] = field(default_factory=dict)
    for_consumer: deque[Received] = field(default_factory=deque)
    keeps_retained: bool = True

    def publish(self, topic: str, data: bytes, retain: bool = False) -> None:
        if retain and self.keeps_retained:
            self.retained[topic] = data
        self.for_consumer.append(Received(topic, data, False))
        for link in list(self.links.values()):
            if topic in link.topics:
                link.inbox.append(Received(topic, data, False))


class ModelLink:
    """What a session knows of its connection."""

    broker: Broker
    receive_maximum = 20

    def __init__(
        self,
        uplink: BrokerSettings,
        client_id: str,
        will: Will | None = None,
        *,
        permits: Permits,
        **_: object,
    ) -> None:
        self.permits = permits
        self.client_id = client_id
        self.will = will
        self.topics: list[str] = []
        self.inbox: deque[MqttEvent] = deque()
        self.subscribed_s: float | None = None
        self._mid = 0
        self._is_open = False

    def connect(self) -> None:
        other = self.broker.links.get(self.client_id)
        if other is not None:
            other.abandon()
        self.broker.links[self.client_id] = self
        self._is_open = True

    def subscribe(self, topics: list[str]) -> None:
        self.topics = topics
        self.subscribed_s = time.monotonic() - 1.0
        for topic in topics:
            if topic in self.broker.retained:
                self.inbox.append(Received(topic, self.broker.retained[topic], True))

    def publish(
        self, topic: str, payload: wire.Payload, *, retain: bool = False, expiry_s: int | None = None
    ) -> int:
        self._check()
        self._mid += 1
        self.broker.publish(topic, payload.data, retain)
        self.inbox.append(Acknowledged(self._mid))
        return self._mid

    def poll(self, timeout_s: float, wake: socket.socket | None = None) -> list[MqttEvent]:
        self._check()
        events = list(self.inbox)
        self.inbox.clear()
        return events

    def disconnect(self) -> None:
        self.will = None

    def abandon(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if self.broker.links.get(self.client_id) is self:
            del self.broker.links[self.client_id]
        if self.will is not None:
            self.broker.publish(self.will.topic, self.will.data, retain=True)

    def _check(self) -> None:
        if not self._is_open:
            raise ConnectionLost("the connection broke")


class Box:
    """One device: its disk is `folder`; while it is on, an outbox and mostly a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._stats = DeliveryStats()
        self._terms = SessionSettings(
            *(folder / "outbox.db", ORIGIN, BrokerSettings(host="model")),
            DeliveryLimits(batch_events=3, resend_after_s=0.03, live_lane_after=5, replay_every_s=0.0),
            *(time.time, 60.0, Permits(), Fit()),
        )
        self._limits = OutboxLimits(group_delay_s=0.0, keep_s=1e12)
        self.outbox = Outbox(folder / "outbox.db", ORIGIN, self._limits)
        self._session: Session | None = None

    def say(self, first: int, count: int) -> None:
        self.outbox.append([visit(number) for number in range(first, first + count)])
        self.outbox.flush()

    def turn(self) -> None:
        """Connect where that is due, and go on a little."""
        try:
            if self._session is None:
                self._connect()
            assert self._session is not None
            for _ in range(TURNS):
                self._session._look_due_s = 0.0
                self._session._turn()
        except StreamEnded:
            assert self._session is not None
            self._session._link.disconnect()
            self._end()
            self._wait_for_the_writer()
        except (ConnectionLost, OutboxError):
            self._end()

    def a_minute_later(self) -> None:
        """The status is due again."""
        if self._session is not None:
            self._session._status_due_s = 0.0
        self.turn()

    def _connect(self) -> None:
        ours, self._wake = socket.socketpair()
        self._wake_ours = ours
        ours.setblocking(False)
        self._stats.renewed_s = None
        self._session = session = Session(self._terms, self._stats, threading.Event(), ours)
        session._link.connect()
        session._link.subscribe([wire.topic(ORIGIN, leaf) for leaf in CONTROL])
        session._meet()
        session._delivery.connected(session._last_seq, time.monotonic())

    def _wait_for_the_writer(self) -> None:
        """The writer looks for requests in its own time."""
        db = sqlite3.connect(self.folder / "outbox.db")
        try:
            for _ in range(2_000):
                ((note,),) = db.execute("SELECT value FROM notes WHERE name = 'succession'").fetchall()
                if not note:
                    return
                time.sleep(0.001)
            raise AssertionError("the writer did not follow a request")
        finally:
            db.close()

    def _end(self) -> None:
        if self._session is not None:
            self._session._link.abandon()
            self._session._reader.close()
            self._session = None
            self._wake.close()
            self._wake_ours.close()

    def crash(self, copy: Path) -> None:
        """Power off: `copy` has the disk as it was at this moment; nothing that was not noted is known."""
        self.outbox.flush()
        shutil.copytree(self.folder, copy)
        self.off()

    def restart_writer(self) -> None:
        """The process that writes ends and is started anew; the connection stays."""
        self.outbox.close()
        self.outbox = Outbox(self.folder / "outbox.db", ORIGIN, self._limits)

    def off(self) -> None:
        self._end()
        self.outbox.close()

    def rows(self) -> dict[int, str]:
        """The ids of what is on the disk, by number."""
        db = sqlite3.connect(self.folder / "outbox.db")
        rows = db.execute("SELECT seq, json_extract(body, '$.id') FROM events").fetchall()
        db.close()
        return dict(rows)

    def delivered_ids(self) -> set[str]:
        """What this box, or its disk, counts as delivered."""
        rows = self.rows()
        if self._session is not None:
            ranges = self._session._delivery.delivered
            return {identity for seq, identity in rows.items() if seq in ranges}
        return set()


class ConsumerSide:
    """The reference receiver, which can crash with what it has not committed."""

    def __init__(self, path: Path, broker: Broker) -> None:
        self._path = path
        self._broker = broker
        self._start()

    def _start(self) -> None:
        self._store = CloudStore(self._path)
        self._receiver = Receiver(BrokerSettings(host="model"), self._store)
        self._link = ModelLink(BrokerSettings(host="model"), CONSUMER, permits=Permits())
        self._link.connect()
        for stream in self._store.streams():
            self._receiver._publish_position(self._link, stream)  # type: ignore[arg-type]
        topic = wire.topic(ORIGIN, "status")
        if topic in self._broker.retained:
            self._broker.for_consumer.append(Received(topic, self._broker.retained[topic], True))

    def take(self) -> None:
        """Take in what waits, without a commit."""
        while self._broker.for_consumer:
            message = self._broker.for_consumer.popleft()
            if not message.topic.endswith(("/ack", "/replay")):
                self._receiver.take(message)

    def commit(self) -> None:
        self._receiver.commit(self._link)  # type: ignore[arg-type]

    def ask_for_holes(self) -> None:
        """As if a hole had been there for long."""
        holes = self._receiver._holes
        for stream, hole in list(holes.items()):
            holes[stream] = hole._replace(since_s=0.0)
        self._receiver._ask_for_holes(self._link)  # type: ignore[arg-type]

    def crash(self) -> None:
        with suppress(sqlite3.Error):
            self._store._db.close()
        self._link.abandon()
        self._start()

    def durable_ids(self) -> set[str]:
        db = sqlite3.connect(self._path)
        ids = {identity for (identity,) in db.execute("SELECT id FROM events")}
        db.close()
        return ids

    def open_accounts(self) -> list[object]:
        """Streams whose account is not whole."""
        return [audit for audit in self._store.audit() if not audit.complete]

    def close(self) -> None:
        self._store.close()
        self._link.abandon()


class World:
    """Two places for boxes, some images, a broker, a consumer.

    `has_lost`: a disk is gone that had events which are stored nowhere.
    """

    def __init__(self, folder: Path, keeps_retained: bool = True) -> None:
        self.folder = folder
        self.broker = Broker(keeps_retained=keeps_retained)
        ModelLink.broker = self.broker
        self.boxes: list[Box | None] = [Box(folder / "box-0"), None]
        self.consumer = ConsumerSide(folder / "cloud.db", self.broker)
        self.images: list[Path] = []
        self.has_lost = False
        self._count = 0
        self._spoken = 0

    def fresh_folder(self) -> Path:
        self._count += 1
        return self.folder / f"disk-{self._count}"

    def say(self, place: int, count: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box.say(self._spoken, count)
            self._spoken += count

    def turn(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box.turn()

    def a_minute_later(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box.a_minute_later()

    def power_cut(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            disk = self.fresh_folder()
            box.crash(disk)
            self.boxes[place] = Box(disk)

    def restart_writer(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box.restart_writer()

    def restart_sender(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box._end()

    def save_image(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            box.outbox.flush()
            self.images.append(self.fresh_folder())
            shutil.copytree(box.folder, self.images[-1])

    def put_image(self, place: int, number: int) -> None:
        """Restore an image in the place of a box, or set up another box from it."""
        if not self.images:
            return
        box = self.boxes[place]
        if box is not None:
            self._lose_disk(box)
        disk = self.fresh_folder()
        shutil.copytree(self.images[number % len(self.images)], disk)
        self.boxes[place] = Box(disk)

    def new_disk(self, place: int) -> None:
        box = self.boxes[place]
        if box is not None:
            self._lose_disk(box)
            self.boxes[place] = Box(self.fresh_folder())

    def _lose_disk(self, box: Box) -> None:
        """Events that only this disk had are gone, and nobody may be left who can name them all."""
        self.has_lost = self.has_lost or not set(box.rows().values()) <= self.consumer.durable_ids()
        box.off()

    def consume(self, commits: bool) -> None:
        self.consumer.take()
        if commits:
            self.consumer.commit()

    def repeat_and_reorder(self, seed: int) -> None:
        waiting = list(self.broker.for_consumer)
        chance = random.Random(seed)
        waiting += chance.sample(waiting, k=min(2, len(waiting)))
        chance.shuffle(waiting)
        self.broker.for_consumer = deque(waiting)

    def broker_crash(self) -> None:
        """What waited is gone, and everybody has to connect anew; retained messages are as saved."""
        self.broker.for_consumer.clear()
        for link in list(self.broker.links.values()):
            if link.client_id != CONSUMER:
                link.will = None
                link.abandon()

    def forge_ack(self, place: int, ahead: int, names_stream: bool) -> None:
        """Somebody acknowledges more than was ever sent."""
        box = self.boxes[place]
        if box is None or box._session is None:
            return
        session = box._session
        known = session._delivery.sent_once.last()
        seq = max(known, session._delivery.delivered.last()) + ahead
        told = {session._identity.incarnation: 0} if names_stream else {}
        ack = wire.Ack(seq, box.outbox.stream if names_stream else "", 0, told)
        self.broker.publish(wire.topic(ORIGIN, "ack"), wire.encode_control(ack))

    def check(self) -> None:
        """What a box counts as delivered the consumer has on its disk."""
        durable = self.consumer.durable_ids()
        for box in filter(None, self.boxes):
            lost = box.delivered_ids() - durable
            assert not lost, f"{len(lost)} events count as delivered and are not stored"

    def settle(self) -> None:
        """Let everybody go on until all that is on a disk is stored, and every account is whole."""
        for _ in range(60):
            for place in range(len(self.boxes)):
                self.turn(place)
            self.consume(commits=True)
            self.consumer.ask_for_holes()
            self.check()
            durable = self.consumer.durable_ids()
            on_disks = set().union(*(box.rows().values() for box in self.boxes if box is not None))
            left, open_accounts = on_disks - durable, self.consumer.open_accounts()
            if not left and (self.has_lost or not open_accounts):
                return
            time.sleep(0.005)
        assert not left, f"{len(left)} events on a disk are never stored"
        raise AssertionError(f"an account that stays open: {open_accounts}")

    def close(self) -> None:
        for box in filter(None, self.boxes):
            box.off()
        self.consumer.close()
