"""The way of an event from `append` to the broker, against what it is made of.

In one run, on one disk and one private Mosquitto:

    disk       one write of an event and an fdatasync, over and over: what "durable" costs here
    paho       paho-mqtt alone, one QoS 1 message an event, nothing on disk: what most programs do
    outbox 1   our outbox with groups of one: append returns once the event is on disk
    outbox     our outbox with groups as shipped
    through    a writing process appends, the sender delivers: until the broker has acknowledged everything
    drain      what is queued already is delivered by a fresh process, whose memory is watched
    round N    a consumer that follows N devices takes one event, commits and answers: rounds a second of
               CPU time

Events are visits of about 290 bytes of JSON.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import click
import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from broker.mosquitto import LocalBroker
from broker.mqtt import MqttClient
from broker.mqtt_events import Received
from broker.settings import BrokerSettings
from contract import wire
from contract.envelope import Origin, encode_event
from contract.facts import Visit
from fleet.ingest.consumer.receiver import Receiver
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
DISK_S = 2.0
ONE_BY_ONE = 500
PAHO_EVENTS = 10_000
APPENDED_AT_ONCE = 10
TIMEOUT_S = 600.0
FLEETS = (10, 5_000)
ROUNDS = 500


class Figure(msgspec.Struct, frozen=True):
    """One line of the table: events a second, and how that came about."""

    name: str
    events: int
    seconds: float
    remark: str = ""

    @property
    def per_s(self) -> float:
        return self.events / self.seconds


def visits(count: int) -> list[Visit]:
    """`count` facts of one kind with different keys."""
    now_s = time.time()
    return [
        Visit(key=f"visit/{number}", time_s=now_s, visitor=f"{number:016x}", direction="in", entrance="door")
        for number in range(count)
    ]


def measure_disk(folder: Path) -> Figure:
    """Writes with fdatasync, one event each, for DISK_S seconds."""
    body = encode_event(visits(1)[0], ORIGIN, 1, time.time())
    fd = os.open(folder / "disk", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    writes = 0
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < DISK_S:
        os.write(fd, body)
        os.fdatasync(fd)
        writes += 1
    seconds = time.perf_counter() - began_s
    os.close(fd)
    return Figure("disk", writes, seconds, "write and fdatasync, one event each")


def measure_paho(port: int) -> Figure:
    """PAHO_EVENTS messages at QoS 1 until the last acknowledgement, with paho's own thread and window."""
    bodies = [
        encode_event(fact, ORIGIN, seq, time.time()) for seq, fact in enumerate(visits(PAHO_EVENTS), start=1)
    ]
    done = threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == PAHO_EVENTS:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    began_s = time.perf_counter()
    for body in bodies:
        client.publish("tagsight/v1/plaza/paho/visit", body, qos=1)
    if not done.wait(TIMEOUT_S):
        raise RuntimeError(f"the broker acknowledged {acknowledged} of {PAHO_EVENTS} messages")
    seconds = time.perf_counter() - began_s
    client.disconnect()
    client.loop_stop()
    return Figure("paho", PAHO_EVENTS, seconds, "one message an event, memory only")


def measure_outbox(path: Path, events: int, limits: OutboxLimits, name: str, remark: str) -> Figure:
    """Append `events` and wait until the last is on disk."""
    facts = visits(events)
    with Outbox(path, ORIGIN, limits) as outbox:
        began_s = time.perf_counter()
        step = 1 if limits.group_events == 1 else APPENDED_AT_ONCE
        for start in range(0, events, step):
            outbox.append(facts[start : start + step])
        durable = outbox.flush(TIMEOUT_S)
        seconds = time.perf_counter() - began_s
    assert durable == events, f"{durable} of {events} events are on disk"
    return Figure(name, events, seconds, remark)


def write_events(path: Path, events: int, told: Connection) -> None:
    """The writing process of `through`: says when it begins, appends, ends."""
    facts = visits(events)
    with Outbox(path, ORIGIN) as outbox:
        told.send(time.time())
        for start in range(0, events, APPENDED_AT_ONCE):
            outbox.append(facts[start : start + APPENDED_AT_ONCE])
        outbox.flush(TIMEOUT_S)


def deliver_events(path: Path, port: int, events: int, told: Connection) -> None:
    """A process that delivers an outbox: says when it was done, and its memory before, half way and after."""
    sender = Sender(path, ORIGIN, BrokerSettings(host="127.0.0.1", port=port, trust_broker=True))
    began_s = time.time()
    sender.start()
    _wait_for(lambda: sender.stats().delivered_seq >= min(events // 10, 50_000))
    early_mib = _memory_mib("VmRSS")
    _wait_for(lambda: sender.stats().delivered_seq >= events)
    done_s = time.time()
    sender.stop()
    told.send((began_s, done_s, early_mib, _memory_mib("VmRSS"), _memory_mib("VmHWM")))


def measure_through(path: Path, port: int, events: int) -> Figure:
    """From the first append in one process to the broker's last acknowledgement to another."""
    context = mp.get_context("spawn")
    writer_says, writer_end = context.Pipe(False)
    sender_says, sender_end = context.Pipe(False)
    sender = context.Process(target=deliver_events, args=(path, port, events, sender_end))
    writer = context.Process(target=write_events, args=(path, events, writer_end))
    sender.start()
    writer.start()
    began_s = writer_says.recv()
    _, done_s, *_ = sender_says.recv()
    writer.join()
    sender.join()
    return Figure("through", events, done_s - began_s, "append to acknowledged, two processes, batches")


def measure_drain(folder: Path, port: int, events: int) -> Figure:
    """Queue `events`, then deliver them from a fresh process."""
    path = folder / "drain.db"
    measure_outbox(path, events, OutboxLimits(group_events=5_000, max_bytes=1 << 40), "fill", "")
    context = mp.get_context("spawn")
    says, end = context.Pipe(False)
    sender = context.Process(target=deliver_events, args=(path, port, events, end))
    sender.start()
    began_s, done_s, early_mib, late_mib, peak_mib = says.recv()
    sender.join()
    memory = (
        f"memory {early_mib:.0f} MiB after the first tenth, {late_mib:.0f} at the end, peak {peak_mib:.0f}"
    )
    return Figure("drain", events, done_s - began_s, memory)


class Silent:
    """A link that says nothing: what a round costs is the consumer's own work."""

    def publish(self, topic: str, payload: wire.Payload, **how: object) -> int:
        return 0


def measure_rounds(folder: Path, devices: int) -> Figure:
    """Commit rounds of one event each in the reference consumer, which follows so many devices."""
    receiver = Receiver(BrokerSettings(host="127.0.0.1"), CloudStore(folder / f"round-{devices}.db"))
    link = cast(MqttClient, Silent())

    def say(device: int, seq: int) -> None:
        origin = Origin("plaza", f"box-{device}")
        body = encode_event(visits(1)[0], origin, seq, time.time(), "stream")
        receiver.take(Received(wire.topic(origin, "visit"), body, False))

    for device in range(devices):
        say(device, 1)
    receiver.commit(link)
    began_s = time.process_time()
    for number in range(ROUNDS):
        say(number % devices, 2 + number // devices)
        receiver.commit(link)
    return Figure(f"round {devices:,}", ROUNDS, time.process_time() - began_s, "one event, commit and answer")


def _memory_mib(field: str) -> float:
    """A line of /proc/self/status: VmRSS is what is resident now, VmHWM the most that ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError("the events were not delivered in time")
        time.sleep(0.005)


def measure(events: int, drain: int) -> list[Figure]:
    """All lines of the table, in one folder on the disk that TMPDIR names."""
    shipped = OutboxLimits()
    with tempfile.TemporaryDirectory(prefix="tagsight-bench-") as name, LocalBroker() as broker:
        folder = Path(name)
        return [
            measure_disk(folder),
            measure_paho(broker.port),
            measure_outbox(
                folder / "one.db",
                ONE_BY_ONE,
                OutboxLimits(group_events=1),
                "outbox 1",
                "groups of one: on disk when append returns",
            ),
            measure_outbox(
                folder / "groups.db",
                events,
                shipped,
                "outbox",
                f"groups of up to {shipped.group_events} or {shipped.group_delay_s * 1000:.0f} ms",
            ),
            measure_through(folder / "through.db", broker.port, events),
            measure_drain(folder, broker.port, drain),
            *(measure_rounds(folder, devices) for devices in FLEETS),
        ]


def _table(figures: list[Figure]) -> Table:
    disk = next(figure for figure in figures if figure.name == "disk")
    alone = next(figure for figure in figures if figure.name == "paho")
    table = Table(title="Events a second")
    for heading in ("", "events", "events/s", "x disk", "x paho", "how"):
        table.add_column(heading, justify="left" if heading in ("", "how") else "right")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.events:,}",
            f"{figure.per_s:,.0f}",
            f"{figure.per_s / disk.per_s:.2f}",
            f"{figure.per_s / alone.per_s:.2f}",
            figure.remark,
        )
    return table


@click.command()
@click.option(
    "--events", default=50_000, show_default=True, type=click.IntRange(100), help="Events per line."
)
@click.option(
    "--drain", default=100_000, show_default=True, type=click.IntRange(100), help="Events queued before."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def uplink(events: int, drain: int, as_json: bool) -> None:
    """Events a second through outbox and broker, against paho alone and the disk's fsync.

    \b
    Example:
      tagsight bench uplink --drain 1000000
    """
    figures = measure(events, drain)
    if as_json:
        rows = [{**msgspec.to_builtins(figure), "events_per_s": figure.per_s} for figure in figures]
        click.echo(json.dumps(rows, indent=2))
    else:
        Console(width=130).print(_table(figures))
