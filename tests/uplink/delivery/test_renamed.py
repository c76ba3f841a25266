"""A box gets another site or device name: what it had not delivered comes under the new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.settings import BrokerSettings
from contract.envelope import Origin, open_event
from contract.gaps import Gap
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from testing.rig import Cloud, Device, LocalBroker, MqttRecorder, until, visit

BEFORE = Origin("plaza", "box-1")
NAMES = [Origin("plaza", "box-2"), Origin("arcade", "box-1"), Origin('a "quoted" place', "\\1")]


def is_delivered(device: Device) -> bool:
    stats = device.sender.stats()
    return stats.connected and stats.backlog == 0


def outbox_of(folder: Path, count: int, origin: Origin = BEFORE) -> Path:
    path = folder / "outbox.db"
    folder.mkdir(exist_ok=True)
    with Outbox(path, origin) as outbox:
        outbox.append([visit("before", number) for number in range(1, count + 1)])
    return path


def events_of(path: Path) -> list[tuple[Origin, object]]:
    reader = OutboxReader(path)
    events = [open_event(row.body) for row in reader.rows(1)]
    reader.close()
    return [(Origin(one.envelope.site, one.envelope.device), one.fact) for one in events]


def test_what_was_not_delivered_arrives_under_the_new_name_and_nothing_is_left_waiting(
    broker: LocalBroker, tmp_path: Path
) -> None:
    after = Origin("plaza", "box-2")
    with Cloud(tmp_path / "cloud.db", broker.port) as cloud:
        with Device(tmp_path / "box", broker.port, origin=BEFORE) as device:
            device.say("delivered", 1, 50)
            assert until(lambda: cloud.kept("delivered") == 50 and is_delivered(device), 10)
        with Device(tmp_path / "box", broker.port, origin=BEFORE, start=False) as device:
            device.say("waiting", 1, 50)
            device.outbox.flush()
        with Device(tmp_path / "box", broker.port, origin=after) as device:
            device.say("new", 1, 50)
            assert until(lambda: cloud.kept("new") == 50 and is_delivered(device), 10)
        assert (cloud.kept("delivered"), cloud.kept("waiting")) == (50, 50)
        audits = cloud.audit()
    assert all(one.complete and not one.put_aside for one in audits), audits


@pytest.mark.parametrize("after", NAMES)
@pytest.mark.parametrize("is_noted", [True, False], ids=["noted", "of an earlier version"])
def test_every_event_bears_the_new_name_in_a_stream_that_follows_the_old_one(
    tmp_path: Path, after: Origin, is_noted: bool
) -> None:
    path = outbox_of(tmp_path, 3)
    if not is_noted:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM notes WHERE name = 'origin'")
    with Outbox(path, after) as outbox:
        outbox.append([visit("after", 1)])
    found = events_of(path)
    assert [origin for origin, _ in found] == [after] * 5
    (gap,) = [fact for _, fact in found if isinstance(fact, Gap)]
    assert gap.named() == ((1, 3),) and "plaza/box-1" in gap.why


def test_where_all_was_delivered_no_gap_event_says_that_something_is_lost(tmp_path: Path) -> None:
    path = outbox_of(tmp_path, 3)
    reader = OutboxReader(path)
    delivered = reader.delivered()
    delivered.add(1, 3)
    reader.note_delivered(delivered)
    reader.close()
    with Outbox(path, NAMES[0]) as outbox:
        outbox.append([visit("after", 1)])
    assert [type(fact).__name__ for _, fact in events_of(path)] == ["Visit"]


def test_the_same_name_is_no_new_one(tmp_path: Path) -> None:
    path = outbox_of(tmp_path, 3)
    outbox_of(tmp_path, 2)
    assert len(events_of(path)) == 5


def test_nothing_is_sent_under_the_new_name_before_the_writer_has_taken_it(
    broker: LocalBroker, tmp_path: Path
) -> None:
    path, after = outbox_of(tmp_path, 3), NAMES[0]
    sender = Sender(path, after, BrokerSettings(host="127.0.0.1", port=broker.port), first_pause_s=0.1)
    with MqttRecorder(broker.port, ["tagsight/v1/+/+/visit"]) as received:
        sender.start()
        assert until(lambda: "has yet to begin a new stream" in sender.stats().detail, 10)
        with Outbox(path, after):
            assert until(lambda: len(received.on("visit")) > 0, 10)
        sender.stop()
        assert {topic for topic, _ in received.messages} == {"tagsight/v1/plaza/box-2/visit"}
