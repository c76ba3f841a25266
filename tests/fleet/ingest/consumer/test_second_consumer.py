"""A consumer that knows nothing but docs/delivery.md, against real devices and a real broker."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from testing.delivery.cloud import is_connected
from testing.rig import (
    ORIGIN,
    DeliveryLimits,
    Device,
    LocalBroker,
    MqttRecorder,
    OutboxLimits,
    Promises,
    RawClient,
    until,
)

PATIENCE_S = 240.0
KEEPS = OutboxLimits(group_delay_s=0.005, keep_s=1e10)
"""For visits that happened long ago."""
TOPIC = f"tagsight/v1/{ORIGIN.site}/{ORIGIN.device}"


class Consumer:
    """The example as a process. `kept`, `aside` and `last_ack` look at it from outside."""

    def __init__(self, repo: Path, db: Path, port: int) -> None:
        self.db, self._port = db, port
        self._command = [
            sys.executable,
            str(repo / "examples/consumer.py"),
            "127.0.0.1",
            str(port),
            str(db),
        ]
        self._process: subprocess.Popen[str] | None = None
        self._heard = MqttRecorder(port, [f"{TOPIC}/ack"])
        self.start()

    def start(self) -> None:
        process = self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert until(lambda: is_connected(process.pid, self._port), PATIENCE_S)

    def end(self, how: Callable[[subprocess.Popen[str]], None]) -> tuple[int, str]:
        """Its exit status and what it wrote."""
        assert self._process is not None
        how(self._process)
        said = self._process.communicate(timeout=PATIENCE_S)[1]
        return self._process.returncode, said

    def close(self) -> None:
        self._heard.close()
        if self._process is not None and self._process.poll() is None:
            _, said = self.end(subprocess.Popen.terminate)
            assert "Traceback" not in said, said

    def kept(self, tag: str) -> int:
        """How many visits of those called `tag` are kept."""
        return self._count("SELECT count(*) FROM events WHERE body LIKE ?", f'%"key": "visit/{tag}/%')

    def aside(self) -> int:
        return self._count("SELECT count(*) FROM events WHERE id = body")

    def acks(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self._heard.on("ack")]

    def prefix(self, stream: str) -> int:
        """What was last acknowledged of a stream by this consumer."""
        return next((ack["seq"] for ack in reversed(self.acks()) if ack.get("stream") == stream), -1)

    def _count(self, query: str, *values: str) -> int:
        try:
            with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as db:
                return int(db.execute(query, values).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


@pytest.fixture
def consumer(repo: Path, broker: LocalBroker, tmp_path: Path) -> Iterator[Consumer]:
    one = Consumer(repo, tmp_path / "events.db", broker.port)
    yield one
    one.close()


def is_delivered(*devices: Device) -> bool:
    """Whether nothing is left to send; a device that is not connected yet knows of nothing to send."""
    return all(one.sender.stats().connected and one.sender.stats().backlog == 0 for one in devices)


def settled(consumer: Consumer, promises: Promises, said: dict[str, int], *devices: Device) -> None:
    """Wait until all that was said is kept and acknowledged; then each event is there once."""
    want = lambda: all(consumer.kept(tag) == count for tag, count in said.items()) and is_delivered(*devices)  # noqa: E731
    assert until(want, PATIENCE_S), {tag: consumer.kept(tag) for tag in said}
    for device in devices:
        promises.note(device.path)
    account = promises.settle(consumer.db)
    assert account.lost == account.kept_twice == 0, account


def test_a_new_disk_is_a_new_stream_and_nothing_is_lost(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path
) -> None:
    promises = Promises()
    with Device(tmp_path / "old", broker.port) as old:
        old.say("old", 1, 700)
        settled(consumer, promises, {"old": 700}, old)
    with Device(tmp_path / "new", broker.port) as new:
        new.say("new", 1, 400)
        settled(consumer, promises, {"old": 700, "new": 400}, new)


def test_a_restored_image_brings_again_what_the_consumer_has_and_it_is_kept_once(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path
) -> None:
    promises = Promises()
    with Device(tmp_path / "box", broker.port, start=False) as box:
        box.say("a", 1, 300)
        box.outbox.flush()
    shutil.copytree(tmp_path / "box", tmp_path / "image")
    with Device(tmp_path / "box", broker.port) as box:
        box.say("b", 1, 200)
        settled(consumer, promises, {"a": 300, "b": 200}, box)
        first = box.outbox.stream
    with Device(tmp_path / "image", broker.port) as image:
        image.say("c", 1, 150)
        assert until(lambda: image.sender.stats().renewals == 1, PATIENCE_S)
        image.say("d", 1, 10)
        settled(consumer, promises, {"a": 300, "b": 200, "c": 150, "d": 10}, image)
        assert image.outbox.stream != first
        assert consumer.prefix(image.outbox.stream) >= 460, "the 300 that came again count under new numbers"


@pytest.mark.parametrize("retains", [True, False])
def test_two_clones_are_told_apart_and_both_kept_whole(
    repo: Path, mosquitto: None, tmp_path: Path, retains: bool
) -> None:
    settings = ["allow_anonymous true", *([] if retains else ["retain_available false"])]
    with LocalBroker(settings) as broker:
        consumer = Consumer(repo, tmp_path / "events.db", broker.port)
        promises, said = Promises(), {"common": 60}
        with Device(tmp_path / "one", broker.port) as one:
            one.say("common", 1, 60)
            settled(consumer, promises, said, one)
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        with Device(tmp_path / "one", broker.port) as one, Device(tmp_path / "two", broker.port) as two:
            for turn in range(5):
                one.say(f"one{turn}", 1, 20)
                two.say(f"two{turn}", 1, 20)
                said |= {f"one{turn}": 20, f"two{turn}": 20}
            differ = lambda: one.sender.stats().stream != two.sender.stats().stream  # noqa: E731
            assert until(differ, PATIENCE_S), "the acknowledgements did not tell the copies of each other"
            settled(consumer, promises, said, one, two)
        consumer.close()


def test_a_consumer_killed_amid_a_stream_acknowledged_only_what_it_still_has(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path
) -> None:
    limits = DeliveryLimits(batch_events=20, replay_every_s=0.5)
    with Device(tmp_path / "box", broker.port, limits=limits) as box:
        said = 0
        for _ in range(4):
            box.say("a", said + 1, said + 1_000)
            said += 1_000
            before = consumer.prefix(box.outbox.stream)
            assert until(lambda b=before: consumer.prefix(box.outbox.stream) > b, PATIENCE_S)
            consumer.end(subprocess.Popen.kill)
            assert consumer.kept("a") >= consumer.prefix(box.outbox.stream)
            box.say("a", said + 1, said + 200)
            said += 200
            consumer.start()
        settled(consumer, Promises(), {"a": said}, box)


def test_sigterm_ends_it_with_everything_acknowledged_still_there(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path
) -> None:
    limits = DeliveryLimits(batch_events=20, replay_every_s=0.5)
    with Device(tmp_path / "box", broker.port, limits=limits) as box:
        box.say("a", 1, 3_000)
        assert until(lambda: consumer.prefix(box.outbox.stream) > 0, PATIENCE_S)
        code, said = consumer.end(subprocess.Popen.terminate)
        assert code == 0 and "Traceback" not in said, (code, said)
        assert consumer.kept("a") >= consumer.prefix(box.outbox.stream) > 0
        consumer.start()
        settled(consumer, Promises(), {"a": 3_000}, box)


def event(number: int, **other: object) -> dict[str, object]:
    """An event as some device of another make would send it."""
    envelope = {
        "id": f"id-{number}",
        "site": ORIGIN.site,
        "device": ORIGIN.device,
        "stream": "theirs",
        "seq": number,
    }
    return (
        envelope
        | {
            "kind": "visit",
            "key": f"visit/{number}",
            "time": "2026-01-01T00:00:00Z",
            "rev": 0,
            "retracted": False,
        }
        | other
    )


def online(last_seq: int) -> bytes:
    """The status of that device."""
    names = {"state": "online", "site": ORIGIN.site, "device": ORIGIN.device, "time": "2026-01-01T00:00:00Z"}
    return json.dumps(names | {"last_seq": last_seq, "stream": "theirs", "incarnation": "first"}).encode()


def test_duplicates_unknown_kinds_and_bad_events_in_a_batch_leave_nothing_open(
    consumer: Consumer, broker: LocalBroker
) -> None:
    batch: list[object] = [
        event(1),
        event(2, rev="none"),
        event(3, site="elsewhere"),
        event(4, id="\ud800"),
        event(5, seq="5"),
        17,
        event(6, kind="weather", shine=True),
        event(5, kind="gap", from_seq=5, to_seq=5, seq=7),
        event(8, id="id-1"),
        event(8, id="id-of-a-copy"),
    ]
    with RawClient(broker.port, "theirs") as device:
        assert until(consumer.db.exists, PATIENCE_S)
        device.publish(f"{TOPIC}/status", online(8), retain=True)
        assert until(lambda: consumer.prefix("theirs") == 0, PATIENCE_S)
        for payload in (
            b"\x78 no zlib",
            b"[" * 100_000,
            b"{",
            b"",
            zlib.compress(json.dumps(batch).encode()),
        ):
            device.publish(f"{TOPIC}/weather", payload)
        assert until(lambda: consumer.acks()[-1]["last"] == 8, PATIENCE_S)
        assert consumer.prefix("theirs") == 2, "an event of another device counts for none of this one's"
        device.publish(f"{TOPIC}/visit", json.dumps(event(3)).encode())
        assert until(lambda: consumer.prefix("theirs") == 8, PATIENCE_S), consumer.acks()[-1]
        before = len(consumer.acks())
        device.publish(f"{TOPIC}/visit", json.dumps(batch).encode())
        assert until(lambda: len(consumer.acks()) > before, PATIENCE_S), "no ack of what had come before"
    assert consumer.acks()[-1] == {"seq": 8, "last": 8, "stream": "theirs", "incarnations": {"first": 0}}
    with closing(sqlite3.connect(consumer.db)) as db:
        kept = sorted(one for (one,) in db.execute("SELECT id FROM events WHERE id != body"))
    assert kept == ["id-1", "id-3", "id-5", "id-6", "id-of-a-copy"]
    assert consumer.aside() == 3


def test_what_is_missing_is_asked_for_and_a_gap_of_another_stream_settles_nothing(
    consumer: Consumer, broker: LocalBroker
) -> None:
    with (
        RawClient(broker.port, "theirs") as device,
        MqttRecorder(broker.port, [f"{TOPIC}/replay"]) as replays,
    ):
        device.publish(f"{TOPIC}/status", online(9), retain=True)
        batch = [event(1), event(4, kind="gap", from_seq=2, to_seq=3, of_stream="before")]
        assert until(lambda: consumer.prefix("theirs") == 0, PATIENCE_S)
        device.publish(f"{TOPIC}/gap", json.dumps(batch).encode())
        assert until(lambda: consumer.prefix("theirs") == 1, PATIENCE_S)
        consumer.end(subprocess.Popen.kill)
        before = len(replays.on("replay"))
        consumer.start()
        assert until(lambda: len(replays.on("replay")) > before, PATIENCE_S)
        assert json.loads(replays.on("replay")[-1]) == {"from_seq": 2, "stream": "theirs"}
        device.publish(f"{TOPIC}/gap", json.dumps(event(5, kind="gap", from_seq=2, to_seq=900)).encode())
        assert until(lambda: consumer.prefix("theirs") == 5, PATIENCE_S), "a gap names nothing above itself"


@pytest.mark.parametrize("forged", [{"seq": 2**53}, {"seq": 2_000, "stream": "STREAM"}])
def test_a_forged_acknowledgement_makes_nothing_missing(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path, forged: dict[str, object]
) -> None:
    consumer.end(subprocess.Popen.kill)
    limits = DeliveryLimits(max_unacked=100, batch_events=50, replay_every_s=0.5)
    with Device(tmp_path / "box", broker.port, start=False, limits=limits) as box:
        box.say("a", 1, 2_000)
        box.outbox.flush()
        box.sender.start()
        assert until(lambda: box.sender.stats().messages_sent >= 3, PATIENCE_S)
        said = json.dumps(forged).replace("STREAM", box.outbox.stream).encode()
        with RawClient(broker.port, "forger") as forger:
            forger.publish(f"{TOPIC}/ack", said)
        assert until(lambda: box.sender.stats().acks_refused == 1, PATIENCE_S)
        consumer.start()
        settled(consumer, Promises(), {"a": 2_000}, box)


def copied(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(to)) as other:
        one.backup(other)


def test_a_database_put_back_from_a_copy_is_filled_again(
    consumer: Consumer, broker: LocalBroker, tmp_path: Path
) -> None:
    with Device(tmp_path / "box", broker.port, olimits=KEEPS) as box:
        box.say("a", 1, 300)
        assert until(lambda: consumer.kept("a") == 300, PATIENCE_S)
        consumer.end(subprocess.Popen.terminate)
        copied(consumer.db, tmp_path / "copy.db")
        consumer.start()
        box.say("b", 1, 200)
        assert until(lambda: consumer.kept("b") == 200, PATIENCE_S)
        assert until(lambda: box.sender.stats().delivered_seq == 500, PATIENCE_S)
    consumer.end(subprocess.Popen.terminate)
    copied(tmp_path / "copy.db", consumer.db)
    consumer.start()
    assert consumer.kept("b") == 0
    with Device(tmp_path / "box", broker.port, olimits=KEEPS):
        assert until(lambda: consumer.kept("b") == 200, PATIENCE_S)
