"""Facts to put into an outbox, and what is found in it."""

from __future__ import annotations

from pathlib import Path

from contract.envelope import Origin, open_event
from contract.facts import Fact, Flip, ProcessHealth, Visit
from contract.gaps import Gap
from contract.ranges import SeqRanges
from runtime.uplink.outbox.reader import OutboxReader

ORIGIN = Origin("plaza", "box-1")


def visit(number: int) -> Visit:
    return Visit(
        key=f"visit/{number}",
        time_s=1_700_000_000.0 + number,
        visitor=f"v{number}",
        direction="in",
        entrance="door",
    )


def flip(number: int) -> Flip:
    return Flip(
        key=f"flip/{number}",
        time_s=1_700_000_000.0,
        reader="r",
        antenna=1,
        epc=f"{number:024x}",
        sku=None,
        fixture=None,
        start_s=0.0,
        end_s=1.0,
        score=0.5,
    )


def health(number: int, padding: int = 0) -> ProcessHealth:
    return ProcessHealth(
        key=f"health/{number}",
        time_s=1_700_000_000.0,
        process="vision",
        state="ok",
        progress_s=0.0,
        detail="x" * padding,
    )


def stored(path: Path) -> list[tuple[int, Fact]]:
    reader = OutboxReader(path)
    events = [open_event(row.body) for row in reader.rows(1, limit=1_000_000, max_bytes=1 << 40)]
    reader.close()
    return [(event.envelope.seq, event.fact) for event in events]


def accounted(path: Path) -> SeqRanges:
    """Every seq that is in the outbox or named by a gap in it."""
    found = SeqRanges()
    for seq, fact in stored(path):
        found.add(seq)
        if isinstance(fact, Gap):
            found.update(fact.ranges)
    return found
