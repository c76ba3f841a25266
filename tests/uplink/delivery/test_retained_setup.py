"""The newest word on how the shop is set up stays with the broker, for consumers that come later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.mosquitto import LocalBroker
from contract.envelope import encode_event
from contract.facts import Store
from contract.wire import ROOT
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.delivery.window import DeliveryLimits
from tests.uplink.ends import ORIGIN, cloud_of, device_of, visit

WaitUntil = Callable[[Callable[[], object], float], None]


def setup(number: int) -> Store:
    return Store(
        key=f"store:{number}", time_s=1.7e9 + number, timezone="Europe/Berlin", revision=f"r{number}"
    )


def stored(path: Path) -> dict[str, str]:
    store = CloudStore(path)
    facts = {key: json.loads(body).get("revision", "") for key, _, body in store.facts()}
    store.close()
    return facts


def test_who_comes_later_gets_the_newest_setup_and_an_older_one_sent_again_does_not_take_its_place(
    tmp_path: Path, broker: LocalBroker, wait_until: WaitUntil
) -> None:
    with device_of(tmp_path, broker.port, trust_broker=True) as device:
        device.outbox.append([setup(1), visit(1)])
        device.outbox.append([setup(2), visit(2)])
        wait_until(lambda: device.sender.stats().delivered_seq == 4, 10.0)
        with cloud_of(tmp_path / "first.db", broker.port) as cloud:
            # It has missed numbers 1 to 4 and asks for them: the old setup is sent once more.
            wait_until(lambda: cloud.has(4), 30.0)
        assert {"store:1", "store:2", "visit/1"} <= set(stored(tmp_path / "first.db"))
    with cloud_of(tmp_path / "late.db", broker.port) as late:
        wait_until(lambda: "store:2" in stored(tmp_path / "late.db"), 10.0)
        assert "store:1" not in stored(tmp_path / "late.db")
        audit = late.audit()
        assert audit is None, "a copy of a stream that nobody else speaks of begins no account"


def test_a_retained_copy_of_a_stream_that_lives_is_counted_once(tmp_path: Path) -> None:
    store = CloudStore(tmp_path / "cloud.db")
    copy = encode_event(setup(1), ORIGIN, 7, 1.7e9, "theirs")
    assert store.take(ORIGIN, [copy], retained=True) == [copy]
    assert store.streams() == []
    assert store.take(ORIGIN, [copy]) == []
    (stream,) = store.streams()
    assert store.first_missing(stream) == 1, "the event itself has a number like any other"
    store.take(ORIGIN, [copy], retained=True)
    (audit,) = store.audit()
    assert audit.duplicates == 1
    store.close()


def test_only_the_newest_is_published_to_be_retained_also_at_a_replay(
    tmp_path: Path, broker: LocalBroker, wait_until: WaitUntil
) -> None:
    heard: list[tuple[str, bool]] = []

    def note(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        heard.append((json.loads(message.payload)["revision"], message.retain))

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = note
    client.connect("127.0.0.1", broker.port)
    limits = DeliveryLimits(batch_events=1)
    with device_of(tmp_path, broker.port, trust_broker=True, limits=limits) as device:
        device.outbox.append([setup(1), setup(2)])
        wait_until(lambda: device.sender.stats().delivered_seq == 2, 10.0)
        options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=2)
        client.subscribe(f"{ROOT}/{ORIGIN.site}/{ORIGIN.device}/store", options=options)
        client.loop_start()
        replay = json.dumps({"from_seq": 1, "stream": device.sender.stats().stream})
        client.publish(f"{ROOT}/{ORIGIN.site}/{ORIGIN.device}/replay", replay, 1)
        wait_until(lambda: len(heard) == 2, 20.0)
    client.loop_stop()
    assert heard == [("r1", False), ("r2", True)]
