"""Rows about the identity of the event stream: new disks, old images, clones, forged words, lost files."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec

from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.trial import ARRIVES_S, Trial, fresh_trial
from contract import wire
from testing.delivery.account import Promises
from testing.delivery.notified import Notified
from testing.delivery.plaza import Plaza
from testing.delivery.wire_level import MqttRecorder, client
from testing.waiting import until, wait_for

AWAY = 60
HISTORY = 8_000
BACKLOG = 6_000
LONG_HISTORY = 60_000
ROUNDS = 3
BURSTS_S = 3
FORGED_EVERY_S = 0.02
MOST = 2**53 - 1
REPLAYS_PER_S = 100
FLOOD_S = 2.0
THROUGH_S = 5.0
HELD_S = 5.0


def new_disk(times: int) -> Outcome:
    """The box gets a new disk: its numbers begin at 1 again, and it works offline at first."""
    with fresh_trial() as trial:
        trial.prefill(HISTORY, "disk-0")
        trial.start()
        trial.arrived()
        for number in range(times):
            trial.stop_box(note=False)
            trial.remove_state()
            trial.prefill(BACKLOG, f"disk-{number + 1}")
            trial.start()
            began_s = time.monotonic()
            trial.arrived()
        outcome = trial.settle("new disk", times, f"{trial.streams()} streams", began_s)
        assert trial.streams() == times + 1, "the consumer does not tell the disks apart"
        return outcome


def restored_image(times: int) -> Outcome:
    """The box is restored from an image: its numbers go back, and it works offline at first."""
    image = "image"
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY // 2)
        trial.arrived()
        trial.stop_box(note=False)
        shutil.copytree(trial.box.state, trial.folder / image)
        trial.prefill(HISTORY, "after the image")
        trial.start()
        trial.arrived()
        for number in range(times):
            trial.stop_box(note=False)
            trial.remove_state()
            shutil.copytree(trial.folder / image, trial.box.state)
            trial.prefill(BACKLOG, f"restored-{number + 1}")
            trial.start()
            began_s = time.monotonic()
            trial.arrived()
            _until_told(trial)
        outcome = trial.settle("restored image", times, f"{trial.streams()} streams", began_s)
        assert trial.streams() == times + 1, "the consumer does not tell the image from what it replaced"
        return outcome


def _until_told(trial: Trial) -> None:
    """A gap event names the stream that was left."""

    def told() -> bool:
        with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
            query = (
                "SELECT count(*) FROM events WHERE kind = 'gap' AND json_extract(body, '$.of_stream') != ''"
            )
            return bool(db.execute(query).fetchone()[0])

    wait_for(told, "no gap event names the stream that was left", ARRIVES_S)


def clones(times: int) -> Outcome:
    """Two boxes run from one image under one name, at first while no consumer is online."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        trial.arrived()
        trial.stop_box()

        def same(store: dict[str, Any]) -> None:
            store.update({**trial.box.store, "state_dir": store["state_dir"]})

        other = Plaza(trial.folder / "clone", trial.broker.port, cameras=0, reader=False, change=same)
        shutil.copytree(trial.box.state, other.state)
        theirs = Promises()
        with other:
            for _ in range(times):
                trial.receive.stop()
                trial.start()
                assert other.start(), "the clone does not come up"
                goal = other.seq() + AWAY
                trial.say(AWAY)
                wait_for(_reaches(other, goal), "the clone says no events", ARRIVES_S)
                assert trial.receive.start(), "the receiver does not come up"
                trial.say(AWAY)
                trial.stop_box()
                theirs.note(other.outbox)
                account = theirs.settle(trial.receive.path, ARRIVES_S)
                assert account.lost == 0, f"{account.lost} events of the clone did not arrive"
                trial.promises.note(other.outbox)
                other.stop()
                trial.start()
                trial.arrived()
        outcome = trial.settle("two clones under one name", times, f"{trial.streams()} streams")
        assert trial.streams() > 1, "the consumer does not tell the clones apart"
        # Until they are told apart both have said the same numbers, and each event is kept by its id.
        return msgspec.structs.replace(
            outcome, account=msgspec.structs.replace(outcome.account, seq_twice=0, out_of_order=0)
        )


def forged_ack(times: int) -> Outcome:
    """Somebody acknowledges what was never sent, while a box connects with much to tell."""
    with fresh_trial() as trial:
        trial.prefill(HISTORY)
        forger = client(trial.broker.port)
        stopping = threading.Event()
        topic = wire.topic(trial.origin, "ack")

        def forge() -> None:
            while not stopping.wait(FORGED_EVERY_S):
                forger.publish(topic, b'{"seq":9007199254740991}', qos=0)

        threads = [threading.Thread(target=forge, daemon=True)]
        with MqttRecorder(trial.broker.port, [wire.topic(trial.origin, "status")]) as received:
            for thread in threads:
                thread.start()
            try:
                trial.start()
                for number in range(times):
                    trial.say(AWAY)
                    _claim_to_have_more(forger, topic, received, is_first=number == 0)
                    trial.say(AWAY)
                    forger.publish(topic, _forged(received, incarnations=True), qos=1)
                    trial.say(AWAY)
                    trial.arrived()
            finally:
                stopping.set()
                forger.loop_stop()
        said = trial.box_says(r"an acknowledgement [^\n]*does not count")
        return trial.settle("forged acknowledgements", times, said)


def _forged(received: MqttRecorder, incarnations: bool, **more: int) -> bytes:
    """An acknowledgement of more than there is, in the name of the stream that the status tells of; with its
    incarnation nothing but its number is wrong."""
    status = msgspec.json.decode(received.on("status")[-1])
    told = {"incarnations": {status.get("incarnation", ""): 0}} if incarnations else {}
    return msgspec.json.encode({"seq": MOST, "stream": status.get("stream", ""), **told, **more})


def _claim_to_have_more(forger: object, topic: str, received: MqttRecorder, is_first: bool) -> None:
    """Say that events have come which the box never had: once, it goes on as a new stream for that."""
    before = msgspec.json.decode(received.on("status")[-1]).get("stream", "")
    payload = _forged(received, incarnations=False, last=MOST)
    forger.publish(topic, payload, qos=1).wait_for_publish(10.0)  # type: ignore[attr-defined]
    if is_first:
        wait_for(
            lambda: msgspec.json.decode(received.on("status")[-1]).get("stream", "") != before,
            "the box does not notice that somebody has seen more than there is",
            ARRIVES_S,
        )


def replay_flood(times: int) -> Outcome:
    """Somebody asks for everything again, a hundred times a second; new events still come through.

    They come in bursts with pauses, and the box trusts its broker: an acknowledgement of all that the
    consumer has would call every replay off.
    """

    def trusting(store: dict[str, Any]) -> None:
        store["intervals"].update(footfall_s=BURSTS_S, health_s=BURSTS_S)
        store["uplink"]["trust_broker"] = True

    with fresh_trial(trusting, receive=["--no-ack"]) as trial:
        trial.prefill(LONG_HISTORY)
        trial.start()
        trial.arrived()
        asking = client(trial.broker.port)
        stopping = threading.Event()
        topic = wire.topic(trial.origin, "replay")

        def ask() -> None:
            while not stopping.wait(1.0 / REPLAYS_PER_S):
                asking.publish(topic, b'{"from_seq":1}', qos=0)

        worst_s = 0.0
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            time.sleep(FLOOD_S)
            for _ in range(ROUNDS * times):
                trial.say(1)
                began_s, goal = time.monotonic(), trial.box.seq()
                wait_for(_received(trial, goal), "new events do not come through", 4 * THROUGH_S)
                worst_s = max(worst_s, time.monotonic() - began_s)
            assert worst_s < THROUGH_S, f"new events came through after {worst_s:.1f} s"
        finally:
            stopping.set()
            thread.join()
            asking.loop_stop()
        return trial.settle("flood of replay requests", times, f"new events through in {worst_s:.1f} s")


def _received(trial: Trial, seq: int) -> Callable[[], bool]:
    def there() -> bool:
        with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
            return bool(db.execute("SELECT max(seq) FROM events").fetchone()[0] >= seq)

    return there


def outbox_unlinked(times: int) -> Outcome:
    """The outbox's files are removed, and then swapped for older ones, under the running daemon."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        worst_s = 0.0
        for number in range(times):
            with closing(sqlite3.connect(f"file:{trial.box.outbox}?mode=ro", uri=True)) as left:
                left.execute("SELECT count(*) FROM events").fetchone()
                last = _take_away(trial, put_older=number % 2 == 1)
                began_s = time.monotonic()
                wait_for(_reaches(trial.box, last + 1), "no outbox that goes on takes the place", ARRIVES_S)
                worst_s = max(worst_s, time.monotonic() - began_s)
                trial.promises.note(left)
            trial.say(AWAY)
        outcome = trial.settle("outbox removed, then swapped, while in use", times)
        return msgspec.structs.replace(outcome, recovery_s=round(worst_s, 2))


def _reaches(box: Plaza, seq: int) -> Callable[[], bool]:
    return lambda: box.seq() >= seq


def _take_away(trial: Trial, put_older: bool) -> int:
    """The outbox's files go, and one of some seconds ago comes or none; returns the last number of before."""
    older = trial.folder / "older.db"
    if put_older:
        with closing(sqlite3.connect(trial.box.outbox)) as now, closing(sqlite3.connect(older)) as copy:
            now.backup(copy)
        trial.say(AWAY)
    last = trial.box.seq()
    for file in trial.box.state.glob("outbox.db*"):
        file.unlink()
    if put_older:
        older.replace(trial.box.outbox)
    return last


def outbox_newer(times: int) -> Outcome:
    """The outbox was written by a newer version, and the older one starts on it; then the newer leaves."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        said = ""
        for number in range(times):
            trial.stop_box()
            was = _set_version(trial, 1_000)
            began, before = len(trial.box.said()), trial.box.seq()
            with Notified(trial.folder / f"notify-{number}") as systemd:
                trial.box.start(wait=False, env=systemd.environment)
                said = trial.box_says(r"[^\n]*outbox\.db[^\n]*newer[^\n]*", began)
                time.sleep(HELD_S)
                assert trial.box.alive(), f"the daemon ended: {trial.last_words()}"
                assert trial.box.seq() == before, "an older version wrote into a newer outbox"
                assert not systemd.said("READY=1"), "the daemon told systemd that it was ready"
                _set_version(trial, was)
                began_s = time.monotonic()
                wait_for(_reaches(trial.box, before + 1), "the daemon does not go on", ARRIVES_S)
                recovery_s = time.monotonic() - began_s
                assert until(lambda: systemd.said("READY=1"), ARRIVES_S), "systemd was never told READY"
        outcome = trial.settle("outbox of a newer version", times, said.rpartition("outbox.db: ")[2])
        return msgspec.structs.replace(outcome, recovery_s=round(recovery_s, 2))


def _set_version(trial: Trial, version: int) -> int:
    with closing(sqlite3.connect(trial.box.outbox)) as db:
        (was,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version={version}")
    return int(was)
