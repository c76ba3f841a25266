"""Rows about the consumer and what is said between it and the box: newer devices, kills, big messages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.reliability.faults.rig import Outcome
from bench.reliability.faults.trial import ARRIVES_S, Trial, fresh_trial, is_traced
from contract import wire
from contract.envelope import Origin
from testing.delivery.spoken import Event, SpokenDevice
from testing.delivery.wire_level import MqttRecorder, RawClient
from testing.waiting import until, wait_for

AWAY = 40
BATCH = 50
KILLS = 4
HUGE_BYTES = 200_000_000
GROWTH_MB = 16.0
SETTLES_S = 3.0
ANSWERS_S = 30.0
WRITE_S = 0.02
TRIES = 3
"""What is said at QoS 0 may go by a receiver that is not there yet."""


def consumer_older(times: int) -> Outcome:
    """Devices are newer than the consumer, say one thing that it cannot read, or use another's id."""
    with fresh_trial() as trial:
        trial.start()
        with MqttRecorder(trial.broker.port, ["tagsight/v1/+/+/ack"]) as received:
            for number in range(times):
                _newer(trial, received, Origin("plaza", f"newer-{number}"))
                _one_bad(trial, received, Origin("plaza", f"one-bad-{number}"))
                _same_id(trial, received, number)
        trial.say(AWAY)
        return trial.settle("consumer older than the device", times, "unknown kinds kept and acknowledged")


def restored_cloud(times: int) -> Outcome:
    """The consumer's database is put back from a copy while the box is off; what it had acknowledged since
    comes again."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        trial.arrived()
        again, copy = 0, trial.folder / "copy.db"
        for _ in range(times):
            trial.receive.stop()
            _copy(trial.receive.path, copy)
            assert trial.receive.start(), "the receiver does not come up"
            trial.say(AWAY)
            trial.arrived()
            trial.stop_box()
            trial.arrived()
            trial.receive.stop()
            again += AWAY
            _copy(copy, trial.receive.path)
            assert trial.receive.start(), "the receiver does not come up with the copy"
            trial.start()
            began_s = time.monotonic()
            trial.receiver_says("was put back from a copy")
        return trial.settle("restored cloud", times, f"{again} acknowledged came again", began_s)


def _copy(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(to)) as other:
        one.backup(other)


def _newer(trial: Trial, received: MqttRecorder, origin: Origin) -> None:
    with SpokenDevice(trial.broker.port, origin) as device:
        device.announce(3, battery_percent=80)
        device.say(device.visit(1, mood="unknown to an older consumer"))
        device.say(device.visit(2, kind="queue-length", persons=4))
        device.say(device.visit(3))
        _until_acknowledged(received, origin, 3)
    kinds = _kinds(trial, origin)
    assert kinds == ["visit", "queue-length", "visit"], f"of a newer device's events there are {kinds}"


def _one_bad(trial: Trial, received: MqttRecorder, origin: Origin) -> None:
    with SpokenDevice(trial.broker.port, origin) as device:
        events = [device.visit(seq) for seq in range(1, BATCH + 1)]
        events[BATCH // 2]["rev"] = -1
        device.say(*events)
        wait_for(
            lambda: len(_kinds(trial, origin)) >= BATCH - 1,
            "a bad event in a batch cost the others",
            ANSWERS_S,
        )
        _until_acknowledged(received, origin, BATCH // 2)


def _same_id(trial: Trial, received: MqttRecorder, number: int) -> None:
    first, second = Origin("plaza", f"first-{number}"), Origin("plaza", f"second-{number}")
    with (
        SpokenDevice(trial.broker.port, first) as one,
        SpokenDevice(trial.broker.port, second) as other,
    ):
        event = one.visit(1)
        one.say(event)
        other.say(other.visit(1, id=event["id"]))
        other.say(other.visit(2))
        _until_acknowledged(received, second, 2)


def _until_acknowledged(received: MqttRecorder, origin: Origin, seq: int) -> None:
    def there() -> bool:
        return any(
            topic == wire.topic(origin, "ack") and json.loads(payload)["seq"] >= seq
            for topic, payload in list(received.messages)
        )

    wait_for(there, f"the consumer never acknowledged {seq} of {origin.device}", ANSWERS_S)


def _kinds(trial: Trial, origin: Origin) -> list[str]:
    with closing(sqlite3.connect(f"file:{trial.receive.path}?mode=ro", uri=True)) as db:
        query = "SELECT kind FROM events WHERE device = ? ORDER BY seq"
        return [kind for (kind,) in db.execute(query, (origin.device,))]


def ack_before_commit(times: int) -> Outcome:
    """kill -9 of the consumer the moment it acknowledges; what it acknowledged has to be on its disk."""
    origin = Origin("plaza", "trusting")
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        with (
            SpokenDevice(trial.broker.port, origin) as device,
            MqttRecorder(trial.broker.port, [wire.topic(origin, "ack")]) as received,
        ):
            events, told = [device.visit(seq) for seq in range(1, BATCH * KILLS * times + 1)], 0
            for _ in range(KILLS * times):
                told = _kill_at_the_word(trial, device, received, events[told : told + BATCH])
                assert trial.receive.start(), "the receiver does not come up"
        trial.say(AWAY)
        said = f"killed {KILLS * times} times at the word, {told} acknowledged and there"
        return trial.settle("acknowledged before committed", times, said)


def _kill_at_the_word(trial: Trial, device: SpokenDevice, received: MqttRecorder, events: list[Event]) -> int:
    """Say a batch and a status at once; returns up to where the consumer has acknowledged by then."""
    pid, killed, told = trial.receive.pid, False, events[0]["seq"] - 1
    before = len(received.messages)

    def kill() -> bool:
        nonlocal killed
        if not killed and _acknowledged(received, before) > told:
            os.kill(pid, signal.SIGKILL)
            killed = True
        return killed

    received.on_message = kill
    with _on_a_slow_disk(pid):
        for _ in range(TRIES):
            device.say(*events, qos=0)
            device.announce(told + len(events), qos=0)
            if until(kill, ANSWERS_S / TRIES):
                break
        else:
            raise RuntimeError("the consumer never acknowledged")
    received.on_message = None
    trial.receive.kill()
    acknowledged = _acknowledged(received, before)
    stored = len(_kinds(trial, device.origin))
    assert stored >= acknowledged, f"{acknowledged} events were acknowledged, {stored} are on its disk"
    return acknowledged


@contextmanager
def _on_a_slow_disk(pid: int) -> Iterator[None]:
    """Each write of a process takes WRITE_S, so that what it says before it has written is caught at that;
    without strace as fast as it is."""
    if shutil.which("strace") is None:
        yield
        return
    calls = "write,pwrite64"
    slowly = f"inject={calls}:delay_enter={round(WRITE_S * 1e6)}"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", slowly, "-p", str(pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: is_traced(pid), "strace does not attach", ARRIVES_S)
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def _acknowledged(received: MqttRecorder, before: int) -> int:
    return max((json.loads(payload)["seq"] for _, payload in received.messages[before:]), default=0)


def huge_message(times: int) -> Outcome:
    """A message of 200 MB on the box's own topic for acknowledgements, with MQTT 5 and with 3.1.1."""
    with fresh_trial() as trial:
        trial.start()
        trial.say(AWAY)
        worst_mb = 0.0
        for _ in range(times):
            for protocol in (5, 311):
                if trial.box.store["uplink"].get("protocol", 5) != protocol:
                    _speak(trial, protocol)
                worst_mb = max(worst_mb, _throw(trial))
                trial.say(AWAY)
                trial.arrived()
        assert worst_mb <= GROWTH_MB, f"the uplink grew by {worst_mb:.0f} MB"
        return trial.settle("message of 200 MB", 2 * times, f"the uplink grew by {worst_mb:.1f} MB")


def _speak(trial: Trial, protocol: int) -> None:
    before = trial.box.pids()["uplink"]
    trial.box.store["uplink"]["protocol"] = protocol
    trial.box.write_config()
    trial.box.reload()
    wait_for(lambda: trial.box.pids()["uplink"] != before, "the uplink was not started again", ARRIVES_S)
    trial.say(AWAY)
    trial.arrived()


def _throw(trial: Trial) -> float:
    """Throw the message at the uplink; returns by how much its memory grew at the most, in MB."""
    pid = trial.box.pids()["uplink"]
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = _memory_mb(pid, "VmRSS")
    with RawClient(trial.broker.port, "thrower") as thrower:
        thrower.publish_zeros(wire.topic(trial.origin, "ack"), HUGE_BYTES)
    time.sleep(SETTLES_S)
    assert trial.box.pids()["uplink"] == pid, f"the uplink was started again: {trial.last_words()}"
    return _memory_mb(pid, "VmHWM") - before


def _memory_mb(pid: int, name: str) -> float:
    """VmRSS: memory in use; VmHWM: the most since `clear_refs` was written to (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None, f"/proc/{pid}/status has no {name}"
    return int(match[1]) / 1024
