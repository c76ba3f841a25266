"""The parsers that `tagsight bench fuzz` tries, each with sound inputs to start from."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from contract import wire
from contract.describe import describe
from contract.envelope import Origin, StreamId, encode_event, open_event
from contract.errors import PayloadError
from contract.facts import Footfall, ProcessHealth, Visit
from contract.gaps import gap_facts
from contract.ranges import SeqRanges
from fleet.ingest.consumer.store import CloudStore
from runtime.config import ConfigErrors, load
from runtime.uplink.delivery.window import DeliveryBook
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox.database import write_note
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.losses import OUTBOX_FULL, Losses
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
AT_S = 1.7e9
LAST_SEQ = 40
JOURNAL_MARK = b"<journal>"
NUMBER_MARK = b"<number>"
FACT = Visit(key="visit/1", time_s=AT_S, visitor="v", direction="in", entrance="door")


class Target(NamedTuple):
    """A parser: sound inputs, and what gives it one; True if it was taken, False if properly refused."""

    seeds: list[bytes]
    attempt: Callable[[bytes], bool]


@contextmanager
def open_targets() -> Iterator[dict[str, Target]]:
    """All of them by name, with a folder of their own as long as the context lasts."""
    level = logging.getLogger("runtime").level
    logging.getLogger("runtime").setLevel(logging.CRITICAL + 1)
    with tempfile.TemporaryDirectory(prefix="tagsight-fuzz-") as name:
        folder = Path(name)
        try:
            yield {
                "config": config_target(folder),
                "payload": payload_target(),
                "control": control_target(),
                "outbox": outbox_target(folder),
                "outbox-notes": notes_target(folder),
            }
        finally:
            logging.getLogger("runtime").setLevel(level)


def config_target(folder: Path) -> Target:
    """store.yaml, from the file to the checked config."""
    example = files("runtime.config").joinpath("example.yaml").read_bytes()
    plaza = files("runtime.demo").joinpath("plaza.yaml").read_bytes()
    file = folder / "store.yaml"

    def attempt(data: bytes) -> bool:
        file.write_bytes(data)
        try:
            load(file, clips_needed=False)
        except ConfigErrors as error:
            assert str(error), "a refusal without words"
            return False
        return True

    return Target([example, plaza], attempt)


def _facts() -> list[bytes]:
    """A sealed event of several kinds, gap events among them."""
    (gap,) = gap_facts([(2, 3), (7, 9)], OUTBOX_FULL, AT_S, {"visit": 5})
    facts = [
        Visit(key="visit/1", time_s=AT_S, visitor="v", direction="in", entrance="door"),
        Footfall(key="f", time_s=AT_S, entrance="door", start_s=AT_S - 60, end_s=AT_S, entered=3, left=1),
        ProcessHealth(
            key="h", time_s=AT_S, process="vision", state="ok", progress_s=AT_S, values={"fps": 9.5}
        ),
        gap,
    ]
    return [encode_event(fact, ORIGIN, seq, AT_S) for seq, fact in enumerate(facts, start=1)]


def payload_target() -> Target:
    """What comes on a topic of events, as the receiver takes it: unpacked, stored, accounted for, told."""
    bodies = _facts()
    seeds = [*bodies, wire.pack(bodies, ORIGIN, "visit").data, b"[" + b",".join(bodies) + b"]"]

    def attempt(data: bytes) -> bool:
        store = CloudStore(":memory:")
        try:
            for body in store.take(ORIGIN, wire.unpack(data)):
                with suppress(PayloadError):
                    describe(open_event(body))
            store.commit()
            for stream in store.streams():
                store.prefix(stream), store.first_missing(stream), store.position(stream)
            store.audit(), store.facts()
        except PayloadError:
            return False
        finally:
            store.close()
        return True

    return Target(seeds, attempt)


def control_target() -> Target:
    """Acknowledgements, replay requests and statuses, and what device and receiver do on them."""
    status = wire.Status(state="online", site="plaza", device="box-1", time="2026-01-01T00:00:00.000Z")
    seeds = [wire.encode_control(message) for message in (wire.Ack(7), wire.Replay(3), status)]
    seeds += [b"tagsight/v1/plaza/box-1/ack"]
    store = CloudStore(":memory:")

    def attempt(data: bytes) -> bool:
        taken = False
        delivery = DeliveryBook(SeqRanges([(1, 5)]), trust_broker=False)
        delivery.connected(LAST_SEQ, 0.0)
        with suppress(PayloadError):
            delivery.confirmed(wire.decode_ack(data).seq, 1.0)
            assert delivery.delivered.last() <= LAST_SEQ, "an event that never was is delivered"
            taken = True
        with suppress(PayloadError):
            delivery.replay(wire.decode_replay(data).from_seq)
            taken = True
        delivery.next_span(LAST_SEQ, 2.0)
        with suppress(PayloadError):
            status = wire.decode_status(data)
            stream = StreamId(*ORIGIN, status.stream)
            store.greeted(stream, status.oldest_seq, status.incarnation, status.migrated)
            store.prefix(stream)
            taken = True
        with suppress(PayloadError):
            wire.origin_of(data.decode(errors="surrogateescape"))
            taken = True
        return taken

    return Target(seeds, attempt)


def outbox_target(folder: Path) -> Target:
    """The files of an outbox, as the writer and the reader open them: database, journal, number beside it."""
    path = folder / "outbox.db"
    suffixes = ("", "-wal", ".seq")
    marks = (b"", JOURNAL_MARK, NUMBER_MARK)

    def files_now() -> bytes:
        parts = [path.with_name(path.name + suffix) for suffix in suffixes]
        return b"".join(
            mark + (part.read_bytes() if part.exists() else b"")
            for mark, part in zip(marks, parts, strict=True)
        )

    seeds = []
    with Outbox(path, ORIGIN, OutboxLimits(group_events=1)) as outbox:
        outbox.append([FACT] * LAST_SEQ)
        reader = OutboxReader(path)
        reader.note_delivered(SeqRanges([(1, 7), (9, 9)]))
        reader.close()
        seeds.append(files_now())
    seeds.append(files_now())

    def attempt(data: bytes) -> bool:
        for old in folder.glob("outbox.db*"):
            old.unlink()
        database, _, rest = data.partition(JOURNAL_MARK)
        journal, _, number = rest.partition(NUMBER_MARK)
        for suffix, part in zip(suffixes, (database, journal, number), strict=True):
            if part:
                path.with_name(path.name + suffix).write_bytes(part)
        return _is_usable(path)

    return Target(seeds, attempt)


def notes_target(folder: Path) -> Target:
    """What an outbox remembers in words: delivered, dropped, the last number, and the number beside it."""
    path = folder / "notes.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([FACT] * LAST_SEQ)
    sound = path.read_bytes()
    losses = Losses()
    losses.add(OUTBOX_FULL, 3, 8, "visit")
    seeds = [f"1-7,9\n{losses.note()}\n{LAST_SEQ}\n10040\n".encode()]

    def attempt(data: bytes) -> bool:
        for old in folder.glob("notes.db*"):
            old.unlink()
        path.write_bytes(sound)
        lines = [line.decode(errors="replace") for line in data.split(b"\n")]
        db = sqlite3.connect(path)
        for name, line in zip(("delivered", "losses", "last_seq"), lines, strict=False):
            write_note(db, name, line)
        db.commit()
        db.close()
        path.with_name("notes.db.seq").write_bytes(b"\n".join(data.split(b"\n")[3:4]))
        return _is_usable(path)

    return Target(seeds, attempt)


def _is_usable(path: Path) -> bool:
    """Open an outbox, have an event put on disk, read it; False where it is refused in a sentence."""
    try:
        with Outbox(path, ORIGIN) as outbox:
            last_seq = outbox.append([FACT])
            assert outbox.flush() >= last_seq, f"not on disk: {outbox.state().fault}"
        reader = OutboxReader(path)
        delivered = reader.delivered()
        seqs = [row.seq for row in reader.rows(1, limit=10_000)]
        reader.close()
    except OutboxError as error:
        assert "the outbox is closed" not in str(error), "the writer died"
        return False
    assert last_seq in seqs, "the event just promised cannot be read"
    assert last_seq not in delivered, "the event just promised would never be sent"
    return True
