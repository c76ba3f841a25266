"""MQTT by other means than ours: a paho client, one that remembers what it receives, and packets by hand."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PIECE = bytes(1 << 20)


def client(port: int) -> paho.Client:
    """A connected paho client (MQTT 5) whose loop runs; end it with `loop_stop()`."""
    one = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    one.connect("127.0.0.1", port)
    one.loop_start()
    return one


class MqttRecorder:
    """Everything that is said on `topics` from now on, as (topic, payload) in `messages`.

    `on_message`, if set, is called after each, from another thread. Usable as a context manager.
    """

    def __init__(self, port: int, topics: Sequence[str]) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.on_message: Callable[[], object] | None = None
        self._client = client(port)
        subscribed = threading.Event()
        self._client.on_message = self._hear
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe([(topic, 1) for topic in topics])
        if not subscribed.wait(10.0):
            raise RuntimeError("the broker did not confirm the subscription")

    def _hear(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))
        if self.on_message is not None:
            self.on_message()

    def on(self, leaf: str) -> list[bytes]:
        """The payloads on topics that end with /`leaf`."""
        return [payload for topic, payload in self.messages if topic.endswith(f"/{leaf}")]

    def close(self) -> None:
        """Receive no more."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> MqttRecorder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class RawClient:
    """An MQTT client that writes its packets by hand: any size, any flags, any bytes. A context manager.

    Speaks MQTT 5 or, with `version` 4, 3.1.1. Raises OSError where the connection is closed under it.
    """

    def __init__(self, port: int, client_id: str = "raw", version: int = 5, timeout_s: float = 30.0) -> None:
        self.version = version
        self._packet_id = 0
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        properties = b"\0" if version == 5 else b""
        body = text("MQTT") + bytes([version, 2]) + struct.pack(">H", 0) + properties + text(client_id)
        self.send(CONNECT << 4, body)
        self.expect(CONNACK)

    def send(self, first_byte: int, body: bytes) -> None:
        """One packet: its first byte, its length, its body."""
        self._socket.sendall(bytes([first_byte]) + varint(len(body)) + body)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish and, with QoS 1, wait for the broker's answer; returns its reason code."""
        return self.publish_pieces(topic, [payload], len(payload), qos=qos, retain=retain)

    def publish_zeros(self, topic: str, size: int, *, qos: int = 1, retain: bool = False) -> int:
        """Publish `size` bytes of zero without holding them; returns the broker's reason code."""
        pieces = (PIECE[: min(len(PIECE), size - at)] for at in range(0, size, len(PIECE)))
        return self.publish_pieces(topic, pieces, size, qos=qos, retain=retain)

    def publish_pieces(
        self, topic: str, pieces: Iterable[bytes], size: int, *, qos: int = 1, retain: bool = False
    ) -> int:
        """Publish a payload of `size` bytes piece by piece; returns the broker's reason code."""
        head = text(topic)
        if qos:
            self._packet_id = self._packet_id % 65_535 + 1
            head += struct.pack(">H", self._packet_id)
        if self.version == 5:
            head += b"\0"
        first_byte = PUBLISH << 4 | qos << 1 | retain
        self._socket.sendall(bytes([first_byte]) + varint(len(head) + size) + head)
        for piece in pieces:
            self._socket.sendall(piece)
        if not qos:
            return 0
        answer = self.expect(PUBACK)
        return answer[2] if len(answer) > 2 else 0

    def subscribe(self, topic: str, qos: int = 1) -> int:
        """Subscribe; returns the broker's reason code (below 128: granted)."""
        self._packet_id = self._packet_id % 65_535 + 1
        properties = b"\0" if self.version == 5 else b""
        body = struct.pack(">H", self._packet_id) + properties + text(topic) + bytes([qos])
        self.send(SUBSCRIBE << 4 | 2, body)
        return self.expect(SUBACK)[-1]

    def expect(self, kind: int) -> bytes:
        """The body of the next packet of this kind; others are passed over."""
        for got, body in self.packets():
            if got == kind:
                return body
        raise ConnectionError("the broker closed the connection")

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """What comes, as (kind, body), until the broker closes the connection."""
        while head := self._socket.recv(1):
            size, shift = 0, 0
            while True:
                (digit,) = self._exactly(1)
                size |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    break
            yield head[0] >> 4, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            if not (piece := self._socket.recv(size - len(data))):
                raise ConnectionError("the broker closed the connection in a packet")
            data += piece
        return bytes(data)

    def close(self) -> None:
        """Cut the connection without a word."""
        self._socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def text(value: str) -> bytes:
    """A string as MQTT has it: two bytes of length, UTF-8."""
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def varint(number: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5)."""
    data = bytearray()
    while True:
        number, digit = divmod(number, 128)
        data.append(digit | (128 if number else 0))
        if not number:
            return bytes(data)
