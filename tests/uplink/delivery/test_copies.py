"""Boxes that are not alone with their outbox: real senders, a real broker, the reference consumer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.mosquitto import LocalBroker
from broker.mqtt import MqttClient
from broker.mqtt_events import Received
from broker.settings import BrokerSettings
from contract import wire
from runtime.uplink.delivery.window import DeliveryLimits
from testing.rig import ORIGIN, Cloud, Device, OutboxLimits, client

WaitUntil = Callable[[Callable[[], object], float], None]
PATIENCE_S = 30.0


def everything_kept(cloud: Cloud, said: dict[str, int]) -> bool:
    return all(cloud.kept(tag) == count for tag, count in said.items())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as things:
        yield things


def test_a_box_with_a_new_disk_loses_nothing_and_says_whom_it_follows(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, stack: ExitStack
) -> None:
    cloud = Cloud(tmp_path / "cloud.db", broker.port)
    stack.callback(cloud.close)
    old = Device(tmp_path / "old", broker.port)
    old.say("old", 1, 800)
    wait_until(lambda: old.sender.stats().delivered_seq == 800, PATIENCE_S)
    old.close()
    new = Device(tmp_path / "new", broker.port, start=False)
    new.say("new", 1, 500)
    new.outbox.flush()
    new.sender.start()
    stack.callback(new.close)
    wait_until(lambda: everything_kept(cloud, {"old": 800, "new": 500}), PATIENCE_S)
    wait_until(lambda: new.sender.stats().delivered_seq == 501, PATIENCE_S)
    audits = {audit.stream: audit for audit in cloud.audit()}
    assert set(audits) == {new.outbox.stream, *audits} and len(audits) == 2
    assert all(audit.complete for audit in audits.values())
    assert audits[new.outbox.stream].last_seq == 501, "500 visits and the gap that names the old stream"


def test_a_database_put_back_from_a_copy_is_filled_again_by_a_box_with_nothing_new_to_say(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.ingest.consumer.receiver.HOLE_WAIT_S", 1.0)
    put_back = _put_back(broker, tmp_path, wait_until, OutboxLimits(keep_s=1e10))
    wait_until(lambda: put_back.kept("a") == 700, PATIENCE_S)
    (audit,) = put_back.audit()
    assert audit.complete and audit.events == 700
    put_back.close()


def test_what_a_database_put_back_misses_for_good_is_missing_in_its_audit(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    put_back = _put_back(broker, tmp_path, wait_until, OutboxLimits(keep_s=0.0))
    wait_until(lambda: put_back.audit()[0].missing == ((301, 700),), PATIENCE_S)
    put_back.close()
    assert put_back.audit()[0].missing == ((301, 700),), "and it is still when it is opened again"


def _put_back(broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, limits: OutboxLimits) -> Cloud:
    """A cloud with the first 300 of a device's 700 events, all acknowledged; the device is back."""
    path, copy = tmp_path / "cloud.db", tmp_path / "copy.db"
    device = Device(tmp_path / "box", broker.port, olimits=limits)
    with Cloud(path, broker.port):
        device.say("a", 1, 300)
        wait_until(lambda: device.sender.stats().delivered_seq == 300, PATIENCE_S)
    shutil.copy(path, copy)
    with Cloud(path, broker.port):
        device.say("a", 301, 700)
        wait_until(lambda: device.sender.stats().delivered_seq == 700, PATIENCE_S)
        device.close()
    shutil.copy(copy, path)
    put_back = Cloud(path, broker.port)
    assert put_back.kept("a") == 300
    with Device(tmp_path / "box", broker.port, olimits=limits) as again:
        wait_until(lambda: put_back.audit()[0].last_seq == 700, PATIENCE_S)
        wait_until(lambda: put_back.kept("a") == 700 or limits.keep_s == 0, PATIENCE_S)
        assert again.outbox.stream == put_back.audit()[0].stream
    return put_back


@pytest.mark.parametrize("has_consumer", [True, False])
@pytest.mark.parametrize("trust_broker", [True, False])
def test_a_restored_image_goes_on_as_a_new_stream(
    broker: LocalBroker,
    tmp_path: Path,
    wait_until: WaitUntil,
    stack: ExitStack,
    has_consumer: bool,
    trust_broker: bool,
) -> None:
    cloud = Cloud(tmp_path / "cloud.db", broker.port)
    stack.callback(cloud.close)
    box = Device(tmp_path / "box", broker.port, trust_broker)
    box.say("a", 1, 100)
    wait_until(lambda: cloud.kept("a") == 100 and box.sender.stats().backlog == 0, PATIENCE_S)
    box.close()
    shutil.copytree(tmp_path / "box", tmp_path / "image")
    box = Device(tmp_path / "box", broker.port, trust_broker)
    box.say("b", 1, 200)
    wait_until(lambda: cloud.kept("b") == 200 and box.sender.stats().backlog == 0, PATIENCE_S)
    box.close()
    if not has_consumer:
        cloud.leave()
    restored = Device(tmp_path / "image", broker.port, trust_broker)
    stack.callback(restored.close)
    restored.say("c", 1, 150)
    wait_until(lambda: restored.sender.stats().renewals == 1, PATIENCE_S)
    if not has_consumer:
        restored.say("d", 1, 10)
        cloud.arrive()
    else:
        restored.say("d", 1, 10)
    wait_until(lambda: everything_kept(cloud, {"a": 100, "b": 200, "c": 150, "d": 10}), PATIENCE_S)
    wait_until(lambda: restored.sender.stats().backlog == 0, PATIENCE_S)
    assert all(audit.complete and audit.clashes == 0 for audit in cloud.audit())
    assert len(cloud.audit()) == 2


@pytest.mark.parametrize("retains", [True, False])
def test_two_copies_under_one_name_are_told_apart_and_both_kept(
    mosquitto: None, tmp_path: Path, wait_until: WaitUntil, stack: ExitStack, retains: bool
) -> None:
    settings = ["allow_anonymous true", *([] if retains else ["retain_available false"])]
    with LocalBroker(settings) as broker:
        cloud = Cloud(tmp_path / "cloud.db", broker.port)
        stack.callback(cloud.close)
        one = Device(tmp_path / "one", broker.port)
        one.say("common", 1, 50)
        wait_until(lambda: cloud.kept("common") == 50 and one.sender.stats().backlog == 0, PATIENCE_S)
        one.close()
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        one, two = Device(tmp_path / "one", broker.port), Device(tmp_path / "two", broker.port)
        stack.callback(one.close)
        stack.callback(two.close)
        said = {"common": 50}
        for turn in range(5):
            one.say(f"one{turn}", 1, 20)
            two.say(f"two{turn}", 1, 20)
            said |= {f"one{turn}": 20, f"two{turn}": 20}
        wait_until(lambda: one.sender.stats().stream != two.sender.stats().stream, PATIENCE_S)
        wait_until(lambda: everything_kept(cloud, said), PATIENCE_S)
        wait_until(lambda: one.sender.stats().backlog == two.sender.stats().backlog == 0, PATIENCE_S)
        assert all(audit.complete for audit in cloud.audit())


@pytest.mark.parametrize(
    "forged",
    [
        b'{"seq":9007199254740992}',
        b'{"seq":400}',
        b'{"seq":9007199254740992,"stream":"STREAM"}',
        b'{"seq":2000,"stream":"STREAM"}',
        b'{"seq":2000,"stream":"another"}',
    ],
)
def test_an_acknowledgement_of_what_was_never_sent_is_refused_counted_and_told(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, stack: ExitStack, forged: bytes
) -> None:
    device = Device(
        tmp_path / "box", broker.port, start=False, limits=DeliveryLimits(max_unacked=100, batch_events=50)
    )
    stack.callback(device.close)
    device.say("a", 1, 2_000)
    device.outbox.flush()
    device.sender.start()
    wait_until(lambda: device.sender.stats().messages_sent >= 3, PATIENCE_S)
    forger = client(broker.port)
    stack.callback(forger.loop_stop)
    said = forged.replace(b"STREAM", device.outbox.stream.encode())
    forger.publish(wire.topic(ORIGIN, "ack"), said, qos=1).wait_for_publish(5)
    if b"another" not in forged:
        wait_until(lambda: device.sender.stats().acks_refused == 1, PATIENCE_S)
    cloud = Cloud(tmp_path / "cloud.db", broker.port)
    stack.callback(cloud.close)
    wait_until(lambda: cloud.kept("a") == 2_000, PATIENCE_S)
    assert cloud.audit()[0].complete


def test_a_message_too_large_to_be_meant_for_us_is_dropped_as_it_comes(
    broker: LocalBroker, tmp_path: Path, wait_until: WaitUntil, stack: ExitStack
) -> None:
    broker_of = BrokerSettings(host="127.0.0.1", port=broker.port, protocol=311)
    link = MqttClient(broker_of, "small", max_bytes=10_000)
    link.connect()
    link.subscribe(["big/#"])
    other = client(broker.port)
    stack.callback(other.loop_stop)
    for size in (9_000, 3_000_000, 11_000, 0, 9_500):
        other.publish("big/topic", b"x" * size, qos=1).wait_for_publish(10)
    sizes: list[int] = []

    def take() -> bool:
        for event in link.poll(0.05):
            if isinstance(event, Received):
                assert event.topic == "big/topic"
                sizes.append(len(event.data))
        return len(sizes) == 5

    wait_until(take, PATIENCE_S)
    assert sizes == [9_000, 0, 0, 0, 9_500]
    link.disconnect()
