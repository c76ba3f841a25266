"""One connection to a broker, driven by whoever polls it: no thread, no queue that outlives the connection.

paho-mqtt does the protocol. A connection that is lost is thrown away with everything paho knew: the outbox
is the memory, and what was under way is read from it again.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.errors import BrokerError
from broker.mqtt_events import Acknowledged, MqttEvent, NotSubscribed, Received, Refused, Will
from broker.packet_limit import BoundedClient, PacketLimit
from broker.permits import UNEXPLAINED, Permits
from broker.reasons import CONNECT_TIMEOUT_S, reason_text, why_unreachable
from broker.secrets import read_password, tls_context
from broker.settings import BrokerSettings
from contract.wire import Payload

KEEPALIVE_S = 30
FIRST_REFUSAL = 128
"""MQTT 5: reason codes from 128 say that something failed."""
SESSION_TAKEN_OVER = 142
MAX_CONTROL_BYTES = 256 * 1024
"""What a device is sent are acknowledgements, replay requests and statuses: all far below this."""
DEFAULT_RECEIVE_MAXIMUM = 20
"""MQTT 3.1.1 brokers do not say; Mosquitto's own default is the smallest in common use."""


class ConnectionLost(BrokerError):
    """The broker cannot be reached, refuses us, or has gone; the sentence says which."""


class TakenOver(ConnectionLost):
    """Another client has connected under our client id, and the broker has ended our connection for it."""


class MqttClient:
    """An MQTT client. Raises ConnectionLost from `connect`, `publish` and `poll`.

    With `keep_session_s` the broker keeps what arrives for the subscriptions while we are away, so long.
    A message of more than `max_bytes` arrives with an empty payload; it is never held.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        client_id: str,
        will: Will | None = None,
        *,
        keep_session_s: int = 0,
        max_bytes: int = MAX_CONTROL_BYTES,
        permits: Permits | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self.permits = permits or Permits()
        self._keep_session_s = keep_session_s
        self._address = f"{broker.host}:{broker.tcp_port()}"
        self._broker = broker
        self._is_v5 = broker.protocol == 5
        self._events: list[MqttEvent] = []
        self._lost: str | None = None
        self._is_taken_over = False
        self._published = self._answered = 0
        self._connected = False
        self._asked_for: tuple[str, ...] = ()
        self.subscribed_s: float | None = None
        self.receive_maximum = DEFAULT_RECEIVE_MAXIMUM
        self._client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.permits.client_id(client_id),
            protocol=paho.MQTTv5 if self._is_v5 else paho.MQTTv311,
            clean_session=None if self._is_v5 else keep_session_s == 0,
        )
        self._client.limit_packets(PacketLimit(max_bytes, self._is_v5))
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.max_inflight_messages_set(0)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        if broker.username is not None:
            password = None if broker.password_file is None else read_password(broker.password_file)
            self._client.username_pw_set(broker.username, password)
        context = tls_context(broker.tls)
        if context is not None:
            self._client.tls_set_context(context)
        if will is not None:
            self._client.will_set(
                will.topic, will.data, qos=self.permits.max_qos, retain=self.permits.can_retain
            )

    def connect(self) -> None:
        """Connect and wait for the broker's answer, at most CONNECT_TIMEOUT_S for each of the two."""
        try:
            self._open_socket()
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConnectionLost(
                f"{self._address}: {why_unreachable(error, self._broker.section)}"
            ) from error
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._connected:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                self.abandon()
                raise ConnectionLost(
                    f"{self._address}: something listens but does not answer as an MQTT broker"
                )
            self._turn(left_s, None)

    def _open_socket(self) -> None:
        host, port = self._broker.host, self._broker.tcp_port()
        if not self._is_v5:
            self._client.connect(host, port, KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._keep_session_s
        properties.MaximumPacketSize = self._max_bytes
        keeps = self._keep_session_s > 0
        self._client.connect(host, port, KEEPALIVE_S, clean_start=not keeps, properties=properties)

    def subscribe(self, topics: list[str]) -> None:
        """Ask for topics at QoS 1; a refusal comes back from `poll`, `subscribed_s` is when it answered."""
        self._client.subscribe([(topic, 1) for topic in topics])
        self._asked_for, self.subscribed_s = tuple(topics), None

    def publish(
        self, topic: str, payload: Payload, *, retain: bool = False, expiry_s: int | None = None
    ) -> int:
        """Send at QoS 1; returns the number that its acknowledgement will carry.

        A broker without QoS 1 acknowledges nothing; then the message counts as acknowledged once it is
        written. One without retained messages gets none.
        """
        properties = None
        if self._is_v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = payload.content_type
            if payload.attributes:
                properties.UserProperty = payload.attributes
            if expiry_s is not None:
                properties.MessageExpiryInterval = expiry_s
        qos, retain = self.permits.max_qos, retain and self.permits.can_retain
        info = self._client.publish(topic, payload.data, qos=qos, retain=retain, properties=properties)
        if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN, paho.MQTT_ERR_CONN_LOST):
            raise ConnectionLost(
                f"{self._address}: a message could not be sent ({paho.error_string(info.rc)})"
            )
        self._published += 1
        self._raise_if_lost()
        return info.mid

    def poll(self, timeout_s: float, wake: socket.socket | None = None) -> list[MqttEvent]:
        """What happened within `timeout_s`; returns at once when something did or `wake` can be read."""
        if not self._events:
            self._turn(timeout_s, wake)
        events, self._events = self._events, []
        return events

    def disconnect(self) -> None:
        """Say goodbye: the broker drops the last will."""
        self._client.disconnect()

    def abandon(self) -> None:
        """Close the socket without a word: the broker publishes the last will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _turn(self, timeout_s: float, wake: socket.socket | None) -> None:
        """Wait for the socket once, and let paho work."""
        sock = self._client.socket()
        self._raise_if_lost()
        if sock is None:
            raise ConnectionLost(f"{self._address}: the connection is closed")
        readers: list[Any] = [sock] if wake is None else [sock, wake]
        writers = [sock] if self._client.want_write() else []
        pending = self._client.has_ready() or (isinstance(sock, ssl.SSLSocket) and sock.pending() > 0)
        readable, writable, _ = select.select(readers, writers, [], 0.0 if pending else max(0.0, timeout_s))
        if pending or sock in readable:
            self._client.loop_read()
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.want_write():
            self._client.loop_write()
        self._raise_if_lost()

    def _raise_if_lost(self) -> None:
        if self._lost is not None:
            kind = TakenOver if self._is_taken_over else ConnectionLost
            raise kind(f"{self._address}: {self._lost}")

    def _on_connect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._lost = f"the broker refuses the connection: {reason_text(reason)}"
            if self.permits.refused(reason.value, properties):
                self._lost += "; it is asked for less"
            return
        if self._is_v5:
            self.permits.receive(properties)
        self.receive_maximum = getattr(properties, "ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM)
        sock = client.socket()
        if isinstance(sock, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, KEEPALIVE_S * 1000)
        self._connected = True

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._lost is None:
            said = flags.is_disconnect_packet_from_server
            self._is_taken_over = said and reason.value == SESSION_TAKEN_OVER
            if said:
                self._lost = f"the broker ended the connection: {reason_text(reason)}"
            elif self._connected:
                self._lost = "the connection broke"
                if not self._is_v5 and self._awaits_an_answer():
                    self._lost += f" with messages under way; {UNEXPLAINED}"
            else:
                self._lost = "closed before it answered; check username, password and the client certificate"
                if not self._is_v5:
                    self.permits.closed_unanswered()
                    self._lost += f"; {UNEXPLAINED}"

    def _awaits_an_answer(self) -> bool:
        return self._published > self._answered

    def _on_publish(
        self, client: paho.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._answered += 1
        if reason.value >= FIRST_REFUSAL:
            self._events.append(Refused(mid, reason.value, reason_text(reason)))
        else:
            self._events.append(Acknowledged(mid))

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._events.append(Received(message.topic, bytes(message.payload), message.retain))

    def _on_subscribe(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        self.subscribed_s = time.monotonic()
        for topic, reason in zip(self._asked_for, reasons, strict=False):
            if reason.value >= FIRST_REFUSAL:
                self._events.append(NotSubscribed(topic, reason_text(reason)))
