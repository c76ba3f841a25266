"""The connection to Home Assistant's broker, in a thread of its own.

The device is told when we connect, when Home Assistant says that it has started (its birth message), and
when it has changed; values when they change. All of it is retained, and a last will says that we are gone.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from contextlib import suppress
from typing import NamedTuple

import msgspec

from broker.mqtt import MqttClient
from broker.mqtt_events import NotSubscribed, Received, Refused, Will
from broker.settings import BrokerSettings
from contract.wire import Payload
from tagsight.backoff import Backoff
from tagsight.errors import TagsightError

ONLINE, OFFLINE = b"online", b"offline"
POLL_S = 5.0
JOIN_S = 1.0

log = logging.getLogger(__name__)


class Message(NamedTuple):
    """One retained message."""

    topic: str
    body: dict[str, object]


class Link:
    """`tell` at any time; `fault` says in a sentence why nothing is told; `births` counts the starts
    of Home Assistant that were heard of.
    """

    def __init__(self, broker: BrokerSettings, client_id: str, available: str, birth: str) -> None:
        self._broker = broker
        self._client_id = client_id
        self._available = available
        self._birth = birth
        self._wanted: dict[str, bytes] = {}
        self._told: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="home assistant", daemon=True)
        self.fault = ""
        self.is_connected = False
        self.connects = 0
        self.births = 0

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """It ends only by `stop` or by a fault of the program."""
        return self._thread.is_alive()

    def tell(self, *messages: Message) -> None:
        """What holds from now on, by topic."""
        with self._lock:
            self._wanted |= {message.topic: msgspec.json.encode(message.body) for message in messages}
        self._wake()

    def stop(self) -> None:
        """Say that we are gone."""
        self._stopping.set()
        self._wake()
        self._thread.join(JOIN_S)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        backoff = Backoff(random.Random())
        while not self._stopping.is_set():
            try:
                self._serve()
            except TagsightError as error:
                if str(error) != self.fault:
                    log.warning("home assistant: %s", error)
                self.fault = str(error)
            if self.is_connected:
                backoff.reset()
            self.is_connected = False
            self._stopping.wait(backoff.failed())

    def _serve(self) -> None:
        """One connection, until it is lost (TagsightError) or we stop."""
        client = MqttClient(self._broker, self._client_id, Will(self._available, OFFLINE))
        client.connect()
        self.is_connected, self.connects, self.fault = True, self.connects + 1, ""
        client.subscribe([self._birth])
        self._told = {}
        client.publish(self._available, Payload(ONLINE, "text/plain", []), retain=True)
        while not self._stopping.is_set():
            self._publish(client)
            for event in client.poll(POLL_S, self._wake_reader):
                if isinstance(event, Received) and (event.topic, event.data) == (self._birth, ONLINE):
                    self.births += not event.retained
                    self._told = {}
                    client.publish(self._available, Payload(ONLINE, "text/plain", []), retain=True)
                elif isinstance(event, (Refused, NotSubscribed)):
                    self.fault = f"the broker refuses a message or a subscription: {event.reason}"
            with suppress(BlockingIOError):
                self._wake_reader.recv(4096)
        client.publish(self._available, Payload(OFFLINE, "text/plain", []), retain=True)
        until_s = time.monotonic() + JOIN_S / 2
        while time.monotonic() < until_s and not client.poll(0.1):
            continue
        client.disconnect()

    def _publish(self, client: MqttClient) -> None:
        """What is different from what was told last."""
        with self._lock:
            news = {topic: body for topic, body in self._wanted.items() if self._told.get(topic) != body}
        for topic, body in news.items():
            client.publish(topic, Payload(body, "application/json", []), retain=True)
        self._told |= news
