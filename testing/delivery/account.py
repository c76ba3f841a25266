"""What came of everything that was promised, from the stored events alone.

A device promises an event when it is on its disk. The events of a stream are numbered from 1; numbers of
different streams of one device have nothing to do with each other.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec

from contract.ranges import SeqRanges
from testing.waiting import until


class Account(msgspec.Struct, frozen=True):
    """Of so many `promised` events how many `lost` ones are neither stored nor named in a gap.

    `kept_twice` facts are stored more than once in one revision; `seq_twice` numbers belong to more than one
    event; `out_of_order` pairs of neighbours by `seq` were said the other way round: all within a stream.
    """

    promised: int
    received: int
    lost: int
    named_in_gaps: int
    kept_twice: int
    seq_twice: int
    out_of_order: int

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, the order recoverable."""
        return self.lost == self.kept_twice == self.seq_twice == self.out_of_order == 0


class Stream(NamedTuple):
    """Where a number counts; `name` is empty for events of devices that have no streams."""

    site: str
    device: str
    name: str


class Told(msgspec.Struct, frozen=True):
    """What an account needs of an event's JSON."""

    id: str
    site: str
    device: str
    seq: int
    kind: str
    key: str = ""
    rev: int = 0
    retracted: bool = False
    stream: str = ""
    of_stream: str = ""
    ranges: msgspec.Raw = msgspec.Raw(b"[]")
    from_seq: int = 0
    to_seq: int = 0

    @property
    def counted_in(self) -> Stream:
        return Stream(self.site, self.device, self.stream)


class Promises:
    """The events that outboxes had on disk, by id, whenever somebody looked."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def note(self, outbox: Path | sqlite3.Connection) -> int:
        """Read an outbox's file, also while it is in use; returns how many events are known to be promised.

        A connection that was opened before reads a file that has lost its name. Raises sqlite3.Error where it
        cannot be read.
        """
        query = "SELECT body FROM events"
        told = _bodies(outbox, query) if isinstance(outbox, Path) else _read(outbox, query)
        self._told.update((one.id, one) for one in told)
        return len(self._told)

    def account(self, cloud: Path) -> Account:
        """Audit a consumer's database against them."""
        stored = _bodies(cloud, "SELECT body FROM events")
        named = _named(stored)
        have = {told.id for told in stored}
        absent = [told for told in self._told.values() if told.id not in have]
        lost = [told for told in absent if told.seq not in named[told.counted_in]]
        twice, disorder, numbers = 0, 0, 0
        for events in _by_stream(stored).values():
            twice += len(events) - len({(one.key, one.rev, one.retracted) for one in events})
            numbers += len(events) - len({one.seq for one in events})
            disorder += _disorder(events)
        return Account(
            promised=len(self._told),
            received=len(stored),
            lost=len(lost),
            named_in_gaps=sum(ranges.count() for ranges in named.values()),
            kept_twice=twice,
            seq_twice=numbers,
            out_of_order=disorder,
        )

    def settle(self, cloud: Path, timeout_s: float = 30.0) -> Account:
        """The account once nothing is lost, or when that has not come true in time."""
        until(lambda: cloud.exists() and self.account(cloud).lost == 0, timeout_s)
        return self.account(cloud)


def take_account(cloud: Path, promised: int, after: int = 0) -> Account:
    """Audit a consumer's database that holds one stream, for its numbers from `after` + 1 to `promised`."""
    events = [told for told in _bodies(cloud, "SELECT body FROM events ORDER BY seq") if told.seq > after]
    known, named = SeqRanges(), SeqRanges()
    for told in events:
        known.add(told.seq)
    for ranges in _named(events).values():
        named.update(ranges)
    received = known.count()
    known.update(named)
    if after:
        known.add(1, after)
    return Account(
        promised=promised - after,
        received=received,
        lost=sum(last - first + 1 for first, last in known.missing(promised)),
        named_in_gaps=named.count(),
        kept_twice=len(events) - len({(one.key, one.rev, one.retracted) for one in events}),
        seq_twice=len(events) - received,
        out_of_order=_disorder(events),
    )


def _bodies(path: Path, query: str) -> list[Told]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
        return _read(db, query)


def _read(db: sqlite3.Connection, query: str) -> list[Told]:
    return [msgspec.json.decode(body, type=Told) for (body,) in db.execute(query)]


def _by_stream(events: Iterable[Told]) -> dict[Stream, list[Told]]:
    found = defaultdict(list)
    for told in sorted(events, key=lambda one: one.seq):
        found[told.counted_in].append(told)
    return found


def _named(events: Iterable[Told]) -> defaultdict[Stream, SeqRanges]:
    """The numbers that gap events name, by the stream they count in."""
    named: defaultdict[Stream, SeqRanges] = defaultdict(SeqRanges)
    for gap in events:
        if gap.kind == "gap":
            stream = Stream(gap.site, gap.device, gap.of_stream or gap.stream)
            ranges = msgspec.json.decode(gap.ranges, type=list[tuple[int, int]])
            named[stream].update(ranges or [(gap.from_seq, gap.to_seq)])
    return named


def _disorder(events: list[Told]) -> int:
    """Neighbours by number that were said the other way round, without the gaps, which an outbox adds."""
    said = [_said(one) for one in events if one.kind != "gap"]
    return sum(one > other for one, other in pairwise(said))


def _said(told: Told) -> tuple[int, int]:
    """When an event was said: our device's run and count stand in the key, else the id has milliseconds."""
    parts = told.key.split("/")
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2])
    return UUID(told.id).int >> 80, 0
