"""A subscriber like the cloud's: every event as it comes over MQTT, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from contract.envelope import Event, open_event
from contract.errors import PayloadError
from contract.wire import ROOT, origin_of, unpack
from tagsight.errors import TagsightError

CONNECT_WITHIN_S = 10.0
NOT_EVENTS = ("status", "ack", "replay")


class EventListener:
    """Subscribes to one device, writes each event to a file once, and hands it to `on_event`.

    `received` counts deliveries, `seqs` holds every `seq` seen, `rubbish` counts payloads that are no events.
    """

    def __init__(
        self, host: str, port: int, site: str, device: str, out: Path, on_event: Callable[[Event], None]
    ) -> None:
        self.received = 0
        self.rubbish = 0
        self.seqs: set[int] = set()
        self._on_event = on_event
        self._topic = f"{ROOT}/{site}/{device}/+"
        self._file = out.open("wb")
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._message
        self._client.connect(host, port)
        self._client.loop_start()
        if not self._ready.wait(CONNECT_WITHIN_S):
            raise TagsightError(
                f"the broker at {host}:{port} took no subscription in {CONNECT_WITHIN_S:.0f} s"
            )

    def close(self) -> None:
        """Disconnect and close the file."""
        self._client.disconnect()
        self._client.loop_stop()
        self._file.close()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self._topic, qos=1)

    def _message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        try:
            if origin_of(message.topic)[1] in NOT_EVENTS:
                return
            bodies = unpack(bytes(message.payload))
            events = [open_event(body) for body in bodies]
        except PayloadError:
            self.rubbish += 1
            return
        for body, event in zip(bodies, events, strict=True):
            self.received += 1
            if event.envelope.seq in self.seqs:
                continue
            self.seqs.add(event.envelope.seq)
            self._file.write(bytes(body) + b"\n")
            self._on_event(event)
        self._file.flush()
