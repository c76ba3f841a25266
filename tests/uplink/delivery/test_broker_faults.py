"""Real Mosquitto, real sockets: whatever breaks, every event is accounted for at the cloud."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker.mosquitto import LocalBroker, free_port
from broker.mqtt import MqttClient
from broker.mqtt_events import Received
from broker.settings import BrokerSettings
from contract import wire
from fleet.ingest.consumer.receiver import Receiver, receive_in_background
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.delivery.session import STATUS_EVERY_S, STATUS_EXPIRY_S
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox.writer import Outbox
from testing.faults.deaf_proxy import DeafProxy
from tests.uplink.ends import ORIGIN, Device, WaitUntil, cloud_of, device_of, health, visit


def sent_more_than(device: Device, messages: int) -> bool:
    return device.sender.stats().messages_sent > messages


@pytest.mark.parametrize("protocol", [5, 311])
@pytest.mark.parametrize("trust_broker", [True, False])
def test_every_event_arrives_once(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, protocol: int, trust_broker: bool
) -> None:
    with (
        cloud_of(tmp_path / "cloud.db", broker.port, protocol) as cloud,
        device_of(tmp_path, broker.port, trust_broker=trust_broker, protocol=protocol) as device,
    ):
        device.say(1, 3)
        wait_until(lambda: cloud.has(3), 10)
        device.say(4, 3_000)
        wait_until(lambda: cloud.has(3_000), 20)
        wait_until(lambda: device.sender.stats().delivered_seq == 3_000, 10)
        audit = cloud.audit()
        assert audit is not None and (audit.events, audit.named_in_gaps) == (3_000, 0)


def test_a_broker_killed_in_a_burst_loses_nothing(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    limits = DeliveryLimits(batch_events=20, resend_after_s=2.0)
    with (
        cloud_of(tmp_path / "cloud.db", broker.port) as cloud,
        device_of(tmp_path, broker.port, limits=limits) as device,
    ):
        for first in (1, 2_001, 4_001):
            sent_before = device.sender.stats().messages_sent
            device.say(first, first + 1_999)
            wait_until(partial(sent_more_than, device, sent_before + 20), 10)
            broker.kill()
            time.sleep(0.2)
            broker.start()
        wait_until(lambda: cloud.has(6_000), 40)
        wait_until(lambda: device.sender.stats().delivered_seq == 6_000, 20)


def test_what_a_killed_broker_had_acknowledged_for_an_absent_cloud_is_sent_again(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    with cloud_of(tmp_path / "cloud.db", broker.port):
        pass
    with device_of(tmp_path, broker.port, limits=DeliveryLimits(batch_events=50)) as device:
        device.say(1, 2_000)
        wait_until(
            lambda: device.sender.stats().messages_sent >= 40 and device.sender.stats().in_flight == 0, 10
        )
        assert device.sender.stats().delivered_seq == 0
        broker.kill()
        broker.start()
        with cloud_of(tmp_path / "cloud.db", broker.port) as cloud:
            wait_until(lambda: cloud.has(2_000), 30)


def test_a_cloud_that_lost_everything_can_ask_for_all_that_is_retained(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    with device_of(tmp_path, broker.port) as device:
        with cloud_of(tmp_path / "first.db", broker.port) as cloud:
            device.say(1, 500)
            wait_until(lambda: cloud.has(500) and device.sender.stats().delivered_seq == 500, 15)
        link = MqttClient(BrokerSettings(host="127.0.0.1", port=broker.port), "asks")
        link.connect()
        with cloud_of(tmp_path / "second.db", broker.port) as second:
            link.publish(wire.topic(ORIGIN, "replay"), wire.Payload(b'{"from_seq":1}', wire.SINGLE, []))
            link.poll(0.5)
            wait_until(lambda: second.has(500), 15)


def test_a_half_open_connection_is_noticed_and_replaced(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    proxy = DeafProxy(broker.port)
    with (
        cloud_of(tmp_path / "cloud.db", broker.port) as cloud,
        device_of(tmp_path, proxy.port, ack_timeout_s=1.0) as device,
    ):
        device.say(1, 10)
        wait_until(lambda: device.sender.stats().delivered_seq == 10, 10)
        proxy.deaf = True
        device.say(11, 400)
        wait_until(lambda: "acknowledged nothing" in device.sender.stats().detail, 10)
        proxy.forget()
        wait_until(lambda: cloud.has(400), 20)
        assert device.sender.stats().connects >= 2
    proxy.close()


def test_the_first_message_after_a_silent_cut_is_not_lost(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    proxy = DeafProxy(broker.port)
    with (
        cloud_of(tmp_path / "cloud.db", broker.port) as cloud,
        device_of(tmp_path, proxy.port, trust_broker=True, ack_timeout_s=1.0) as device,
    ):
        device.say(1, 1)
        wait_until(lambda: cloud.has(1), 10)
        proxy.forget()
        device.say(2, 2)
        wait_until(lambda: cloud.has(2), 15)
    proxy.close()


def test_a_kind_the_acl_refuses_is_held_back_and_delivered_once_it_is_allowed(
    mosquitto: None, tmp_path: Path, wait_until: WaitUntil
) -> None:
    acl = tmp_path / "acl"
    rest = "topic readwrite tagsight/v1/+/+/visit\ntopic readwrite tagsight/v1/+/+/status\ntopic read #\n"
    acl.write_text(rest)
    with LocalBroker(["allow_anonymous true", f"acl_file {acl}"]) as broker:
        limits = DeliveryLimits(hold_s=0.5)
        with device_of(tmp_path, broker.port, trust_broker=True, limits=limits) as device:
            device.outbox.append([health(1), visit(1), health(2), visit(2)])
            wait_until(lambda: device.sender.stats().events_delivered == 2, 10)
            stats = device.sender.stats()
            assert "135" in stats.held_kinds["health"]
            assert stats.connected and stats.delivered_seq == 0
            acl.write_text("topic readwrite #\n")
            os.kill(broker.pid, signal.SIGHUP)
            wait_until(lambda: device.sender.stats().delivered_seq == 4, 10)


def test_status_is_announced_at_every_connect_and_the_will_speaks_for_the_dead(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    seen: list[wire.Status] = []
    link = MqttClient(BrokerSettings(host="127.0.0.1", port=broker.port), "watcher")
    link.connect()
    link.subscribe([wire.topic(ORIGIN, "status")])

    def latest(state: str, reason: str) -> bool:
        for event in link.poll(0.05):
            if isinstance(event, Received):
                seen.append(wire.decode_status(event.data))
        return bool(seen) and (seen[-1].state, seen[-1].reason) == (state, reason)

    with device_of(tmp_path, broker.port):
        wait_until(lambda: latest("online", ""), 10)
    wait_until(lambda: latest("offline", "stopped"), 10)
    with Outbox(tmp_path / "o2.db", ORIGIN):
        pass
    script = (
        "import sys, time; from pathlib import Path;"
        "from broker.settings import BrokerSettings;"
        "from contract.envelope import Origin; from runtime.uplink.delivery.sender import Sender;"
        "broker = BrokerSettings(host='127.0.0.1', port=int(sys.argv[2]));"
        "s = Sender(Path(sys.argv[1]), Origin('plaza', 'box-1'), broker);"
        "s.start(); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "o2.db"), str(broker.port)])
    try:
        wait_until(lambda: latest("online", ""), 15)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: latest("offline", "connection lost"), 10)


def test_a_status_that_is_refreshed_says_since_when_the_device_is_online(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.uplink.delivery.session.STATUS_EVERY_S", 0.05)
    link = MqttClient(BrokerSettings(host="127.0.0.1", port=broker.port), "watcher")
    link.connect()
    link.subscribe([wire.topic(ORIGIN, "status")])
    seen: list[wire.Status] = []

    def refreshed() -> bool:
        seen.extend(wire.decode_status(each.data) for each in link.poll(0.05) if isinstance(each, Received))
        return len({status.time for status in seen}) >= 3

    with device_of(tmp_path, broker.port):
        wait_until(refreshed, 10)
    online = [status for status in seen if status.state == "online"]
    assert {status.since for status in online} == {online[0].since}
    assert online[0].since <= online[0].time < online[-1].time


def retained_status(port: int) -> paho.MQTTMessage | None:
    """What a subscriber that comes now is told of the device at once."""
    found: list[paho.MQTTMessage] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_message = lambda _client, _data, message: found.append(message)
    client.connect("127.0.0.1", port)
    client.subscribe(wire.topic(ORIGIN, "status"), qos=1)
    deadline_s = time.monotonic() + 0.5
    while not found and time.monotonic() < deadline_s:
        client.loop(0.05)
    client.disconnect()
    return found[0] if found else None


def test_a_broker_that_forgot_everything_is_told_the_status_again_and_lets_it_expire(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    with device_of(tmp_path, broker.port) as device:
        wait_until(lambda: retained_status(broker.port) is not None, 10)
        broker.kill()
        for kept in broker.folder.glob("mosquitto.db*"):
            kept.unlink()
        broker.start()
        wait_until(lambda: device.sender.stats().connects == 2, 15)
        wait_until(lambda: retained_status(broker.port) is not None, 10)
        message = retained_status(broker.port)
    assert message is not None and message.retain
    assert wire.decode_status(message.payload).state == "online"
    assert message.properties is not None
    assert 0 < message.properties.MessageExpiryInterval <= STATUS_EXPIRY_S
    assert STATUS_EVERY_S < STATUS_EXPIRY_S, "it would expire before it is renewed"


def test_single_events_and_batches_carry_cloudevents_attributes(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    import paho.mqtt.client as paho

    got: list[paho.MQTTMessage] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_message = lambda client, userdata, message: got.append(message)
    client.connect("127.0.0.1", broker.port)
    client.subscribe("tagsight/v1/+/+/visit", qos=1)
    client.loop_start()
    with device_of(tmp_path, broker.port, trust_broker=True) as device:
        wait_until(lambda: device.sender.stats().connected, 10)
        device.say(1, 1)
        wait_until(lambda: len(got) == 1, 10)
        device.say(2, 400)
        wait_until(lambda: sum(len(wire.unpack(message.payload)) for message in got) == 400, 10)
    client.loop_stop()
    single, batch = got[0], max(got, key=lambda message: len(wire.unpack(message.payload)))
    assert single.properties.ContentType == "application/json"
    attributes = dict(single.properties.UserProperty)
    body = msgspec.json.decode(single.payload)
    assert attributes["id"] == body["id"] and attributes["type"] == "tagsight.v1.visit"
    assert attributes["source"] == "/tagsight/plaza/box-1" and attributes["specversion"] == "1.0"
    assert batch.properties.ContentType == wire.BATCH
    assert len(batch.payload) < 30 * len(wire.unpack(batch.payload))


def test_a_receiver_that_cannot_connect_says_so(tmp_path: Path) -> None:
    from broker.mqtt import ConnectionLost

    store = CloudStore(":memory:")
    receiver = Receiver(BrokerSettings(host="127.0.0.1", port=free_port()), store)
    with pytest.raises(ConnectionLost, match="could not connect"):
        receive_in_background(receiver, 0.3)
