"""What every demo does: an empty folder, a narrator, waiting until things flow, the account of events."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from broker.mosquitto import LocalBroker
from contract.describe import describe
from contract.envelope import Event
from contract.facts import Flow, Footfall, ProcessHealth
from runtime.config import StoreConfig
from runtime.demo.listener import EventListener
from runtime.demo.plaza import Opened
from runtime.demo.tally import EventTally
from runtime.uplink.outbox.reader import OutboxReader
from tagsight.errors import TagsightError

READY_WITHIN_S = 180.0
"""A busy machine or a small board takes its time to compile the network."""
ARRIVE_WITHIN_S = 30.0
"""Broker and subscriber share a slow machine with all else."""
SETTLE_S = 4.0
"""A flip is known this long after it ends (the detector's latency), its match when the daemon stops."""
QUIET_KINDS = ("health", "heatmap")


def fresh_box(out: Path, results: Iterable[str]) -> Path:
    """The working folder in `out`, empty; results of an earlier demo are removed, anything else stays."""
    out.mkdir(parents=True, exist_ok=True)
    box = out / "box"
    if (box / "store.yaml").exists() or (box / "quiet.yaml").exists():
        shutil.rmtree(box)
    for name in results:
        (out / name).unlink(missing_ok=True)
    try:
        box.mkdir()
    except FileExistsError:
        raise TagsightError(f"{box} exists and is not a demo's; give another --out") from None
    return box.resolve()


def narrator(tally: EventTally, console: Console, zone: tzinfo) -> Callable[[Event], None]:
    """Counts every event and prints those that a reader of the screen needs."""

    def receive(event: Event) -> None:
        tally.receive(event)
        if event.fact.kind not in QUIET_KINDS and not _says_nothing(event):
            console.print(describe(event, zone), highlight=False, soft_wrap=True)

    return receive


@contextmanager
def listening(
    broker: LocalBroker, config: StoreConfig, out: Path, tally: EventTally, console: Console
) -> Iterator[EventListener]:
    """A subscriber that writes each event of this store to `out` and narrates it; to be there before the
    store is opened, for a broker keeps nothing for who comes later."""
    receive = narrator(tally, console, ZoneInfo(config.site.timezone))
    site = config.site
    listener = EventListener(broker.host, broker.port, site.name, site.device, out, receive)
    try:
        yield listener
    finally:
        listener.close()


def _says_nothing(event: Event) -> bool:
    """An interval in which nothing happened: it counts, but a reader of the screen need not see it."""
    fact = event.fact
    if isinstance(fact, Footfall):
        return fact.entered == fact.left == 0
    return isinstance(fact, Flow) and fact.transitions == 0


def until(done: Callable[[], bool], limit_s: float, plaza: Opened, tell: Callable[[], None]) -> None:
    """Until it is done or the limit has passed; TagsightError where the daemon ends before."""
    deadline_s = time.monotonic() + limit_s
    while not done() and time.monotonic() < deadline_s:
        plaza.check()
        time.sleep(min(0.25, max(0.0, deadline_s - time.monotonic())))
        tell()


def waits_for(tally: EventTally) -> str:
    """What does not flow yet, in words; empty once all does."""
    vision, reader = tally.health("vision"), tally.health("reader:ceiling")
    flows = (("pictures", value_of(vision, "fps") > 0), ("tag reads", value_of(reader, "reads_per_s") > 0))
    return " and no ".join(what for what, there in flows if not there)


def value_of(health: ProcessHealth | None, name: str) -> float:
    """A figure of a process's health, 0 before the first report."""
    return 0.0 if health is None else health.values.get(name, 0.0)


def last_seq(config: StoreConfig) -> int:
    """The number of the last event that the store wrote."""
    reader = OutboxReader(config.outbox_path())
    try:
        return reader.last_seq()
    finally:
        reader.close()


def wait_for(sent: int, listener: EventListener) -> None:
    """Until the subscriber has them all, or `ARRIVE_WITHIN_S`."""
    deadline_s = time.monotonic() + ARRIVE_WITHIN_S
    while len(listener.seqs) < sent and time.monotonic() < deadline_s:
        time.sleep(0.05)
