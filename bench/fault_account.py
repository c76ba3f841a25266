"""The consumer's audit: what came of everything that was promised, from the stored events alone."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import msgspec

from runtime.uplink.events import Gap, open_event
from runtime.uplink.ranges import SeqRanges


class Account(msgspec.Struct, frozen=True):
    """Of `promised` numbers in a row: how many `lost` ones are neither stored nor named in a gap.

    `kept_twice` facts are stored more than once in one revision; `seq_twice` numbers belong to more than one
    event; `out_of_order` pairs of neighbours by `seq` were said the other way round.
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


def take_account(cloud: Path, promised: int, after: int = 0) -> Account:
    """Audit the consumer's database against the last promised number, for the numbers beyond `after`."""
    db = sqlite3.connect(f"file:{cloud}?mode=ro", uri=True)
    query = "SELECT seq, id, kind, key, rev, retracted FROM events WHERE seq > ? ORDER BY seq"
    rows = db.execute(query, (after,)).fetchall()
    gaps = [
        body for (body,) in db.execute("SELECT body FROM events WHERE kind = 'gap' AND seq > ?", (after,))
    ]
    db.close()
    known, named = SeqRanges(), SeqRanges()
    for seq, *_ in rows:
        known.add(seq)
    for body in gaps:
        fact = open_event(body.encode()).fact
        assert isinstance(fact, Gap)
        named.update(fact.ranges)
    received = known.count()
    known.update(named)
    if after:
        known.add(1, after)
    return Account(
        promised=promised - after,
        received=received,
        lost=sum(last - first + 1 for first, last in known.missing(promised)),
        named_in_gaps=named.count(),
        kept_twice=len(rows) - len({row[3:] for row in rows}),
        seq_twice=len(rows) - received,
        out_of_order=sum(_said(one) > _said(other) for one, other in pairwise(_told(rows))),
    )


Row = tuple[int, str, str, str, int, int]


def _told(rows: list[Row]) -> list[Row]:
    """All but gap events, which the outbox tells of itself."""
    return [row for row in rows if row[2] != "gap"]


def _said(row: Row) -> tuple[int, int]:
    """When an event was said: our device's run and count stand in the key, else the id has milliseconds."""
    _, identity, _, key, _, _ = row
    parts = key.split("/")
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2])
    return UUID(identity).int >> 80, 0
