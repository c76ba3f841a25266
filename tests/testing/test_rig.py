"""The surface for trials: each part does what it says, on real parts."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.mosquitto import find_mosquitto
from broker.settings import BrokerSettings
from contract.envelope import encode_event
from contract.gaps import gap_facts
from tagsight.errors import TagsightError
from testing.rig import (
    ORIGIN,
    STAGES,
    Cloud,
    DeafProxy,
    Device,
    DeviceProcess,
    Fuse,
    LocalBroker,
    MqttRecorder,
    Plaza,
    Promises,
    RawClient,
    Receive,
    audit,
    client,
    kept,
    until,
    visit,
    wait_for,
)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    try:
        find_mosquitto()
    except TagsightError as error:
        pytest.skip(str(error))
    with LocalBroker() as local:
        yield local


def test_a_device_says_what_it_is_told_and_a_cloud_keeps_and_audits_it(
    broker: LocalBroker, tmp_path: Path
) -> None:
    with Cloud(tmp_path / "cloud.db", broker.port) as cloud:
        device = Device(tmp_path / "box", broker.port, start=False)
        assert device.say("a", 1, 300) == 300
        device.outbox.flush()
        assert not until(lambda: cloud.kept("a"), 0.3)
        device.sender.start()
        assert until(lambda: cloud.kept("a") == 300, 10.0)
        assert cloud.kept("b") == kept(tmp_path / "cloud.db", "b") == 0
        (account,) = cloud.audit()
        assert account.complete and account.events == account.last_seq == 300
        cloud.leave()
        device.say("b", 1, 20)
        assert not until(lambda: cloud.kept("b"), 0.3)
        cloud.arrive()
        assert until(lambda: cloud.kept("b") == 20, 10.0)
        assert cloud.died is None
        device.close()
    assert audit(tmp_path / "cloud.db")[0].last_seq == 320


def test_a_cloud_that_dies_says_of_what(broker: LocalBroker, tmp_path: Path) -> None:
    (tmp_path / "cloud.db").mkdir()
    cloud = Cloud(tmp_path / "cloud.db", broker.port)
    assert until(lambda: cloud.died is not None, 5.0)
    cloud.close()


def test_the_receiver_as_a_process_keeps_what_comes_and_ends_as_told(
    broker: LocalBroker, tmp_path: Path
) -> None:
    with Receive(tmp_path / "cloud.db", broker.port) as receive, Device(tmp_path, broker.port) as device:
        assert receive.connected()
        device.say("a", 1, 50)
        assert until(lambda: receive.kept("a") == 50, 20.0)
        receive.kill()
        assert receive.exit_code() == -signal.SIGKILL and not receive.connected()
        device.say("a", 51, 60)
        assert receive.start()
        assert until(lambda: receive.kept("a") == 60, 20.0)
        assert receive.stop() == 0
    assert receive.audit()[0].complete
    assert "60 events up to 60" in receive.said()


def test_the_daemon_starts_behind_a_prefix_writes_and_stops(broker: LocalBroker, tmp_path: Path) -> None:
    with Plaza(
        tmp_path / "box",
        broker.port,
        cameras=0,
        change=lambda store: store["site"].update(device="box-9"),
    ) as plaza:
        assert plaza.start(prefix=("prlimit", "--nofile=512:512"), env={"TAGSIGHT_TRIAL": "on"})
        assert plaza.alive() and plaza.supervisor() == plaza.p.pid
        assert set(plaza.pids()) == {"uplink", "store", "reader:ceiling"}
        assert b"TAGSIGHT_TRIAL=on" in Path(f"/proc/{plaza.p.pid}/environ").read_bytes()
        assert (
            "512" in Path(f"/proc/{plaza.pids()['store']}/limits").read_text().split("Max open files")[1][:30]
        )
        members = {int(line.split()[0]) for line in plaza.group()}
        assert {plaza.p.pid, *plaza.pids().values()} <= members
        before = plaza.pids()["store"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: plaza.pids()["store"] != before, "the store was not started again", 60.0)
        promises = Promises()
        assert promises.note(plaza.outbox) >= plaza.seq() - 1 > 0
        assert plaza.stop() == 0
        assert plaza.group() == []
    db = sqlite3.connect(plaza.outbox)
    assert db.execute("SELECT DISTINCT json_extract(body, '$.device') FROM events").fetchall() == [("box-9",)]
    db.close()
    assert "started, pid" in plaza.said() and "started, pid" not in plaza.tail(50)


def test_a_wrapper_that_stays_is_not_taken_for_the_supervisor(broker: LocalBroker, tmp_path: Path) -> None:
    with Plaza(tmp_path / "box", broker.port, cameras=0, reader=False) as plaza:
        assert plaza.start(prefix=("sh", "-c", '"$@"; exit $?', "sh"))
        assert plaza.supervisor() != plaza.p.pid
        assert plaza.stop() == 0


@pytest.mark.parametrize("stage", ["written, not committed", "sent, no answer yet"])
def test_a_device_dies_at_the_kill_point_and_goes_on_after_it(
    broker: LocalBroker, tmp_path: Path, stage: str
) -> None:
    device = DeviceProcess(tmp_path / "outbox.db", BrokerSettings(host="127.0.0.1", port=broker.port))
    device.start(fuse=Fuse(stage, 1))
    device.say(200, per_s=1_000.0)
    device.reap()
    assert stage in STAGES and device.promised < 200
    if stage == "written, not committed":
        assert device.promised == 0
    with Cloud(tmp_path / "cloud.db", broker.port) as cloud:
        device.start()
        goal = device.promised + 50
        device.say(50)
        device.wait_for_promise(goal)
        assert until(lambda: cloud.has(goal), 20.0)
        device.close()


def test_packets_by_hand_reach_who_listens(broker: LocalBroker) -> None:
    topic = "tagsight/v1/plaza/box-1/ack"
    with MqttRecorder(broker.port, ["tagsight/v1/+/+/ack"]) as received, RawClient(broker.port) as raw:
        assert raw.publish(topic, b'{"seq":1}') < 128
        assert raw.publish_zeros(topic, 3_000_000) < 128
        assert until(lambda: len(received.on("ack")) == 2, 10.0)
    assert [len(payload) for payload in received.on("ack")] == [9, 3_000_000]
    with RawClient(broker.port, "old", version=4) as raw:
        assert raw.subscribe(topic) < 128
        paho = client(broker.port)
        paho.publish(topic, b"hello", qos=1).wait_for_publish(5.0)
        paho.loop_stop()
        _, body = next(raw.packets())
        assert body.endswith(b"hello")


def test_a_proxy_that_goes_deaf_keeps_a_connection_open_and_passes_nothing(broker: LocalBroker) -> None:
    proxy = DeafProxy(broker.port)
    with MqttRecorder(broker.port, ["a"]) as received, RawClient(proxy.port, timeout_s=0.5) as raw:
        raw.publish("a", b"1")
        proxy.deaf = True
        with pytest.raises(TimeoutError):
            raw.publish("a", b"2")
        assert [payload for _, payload in received.messages] == [b"1"]
    proxy.close()


def test_promises_that_were_not_kept_are_counted_unless_a_gap_names_them(
    broker: LocalBroker, tmp_path: Path
) -> None:
    promises = Promises()
    with Device(tmp_path / "box", broker.port, start=False) as device:
        device.say("a", 1, 20)
        device.outbox.flush()
        assert promises.note(device.path) == 20
    db = sqlite3.connect(device.path)
    bodies = [body for (body,) in db.execute("SELECT body FROM events ORDER BY seq")]
    db.close()
    (gap,) = gap_facts([(11, 12)], "full", 1.7e9)
    cloud = sqlite3.connect(tmp_path / "cloud.db")
    cloud.execute("CREATE TABLE events (body TEXT)")
    kept_ones = [*bodies[:10], *bodies[14:], bodies[0]]
    cloud.executemany("INSERT INTO events VALUES (?)", [(bytes(body).decode(),) for body in kept_ones])
    cloud.commit()
    account = promises.account(tmp_path / "cloud.db")
    assert (account.promised, account.lost, account.kept_twice, account.seq_twice) == (20, 4, 1, 1)
    named = encode_event(gap, ORIGIN, 21, 1.7e9).replace(b'"seq":21', b'"seq":21' + _stream_of(bodies[0]))
    cloud.execute("INSERT INTO events VALUES (?)", (named.decode(),))
    cloud.commit()
    cloud.close()
    account = promises.account(tmp_path / "cloud.db")
    assert (account.lost, account.named_in_gaps) == (2, 2)
    assert not account.sound


def _stream_of(body: bytes) -> bytes:
    """The stream field of an event, if it has one, as JSON to be put into another."""
    import json

    stream = json.loads(body).get("stream")
    return b"" if stream is None else b',"stream":"%s"' % stream.encode()


def test_a_visit_is_found_again_by_its_name_and_number() -> None:
    assert visit("a", 7).key == "visit/a/7"
