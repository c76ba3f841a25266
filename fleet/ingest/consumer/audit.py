"""The verdict on each stream: whether every number is accounted for."""

from __future__ import annotations

import msgspec

from contract.envelope import StreamId
from fleet.ingest.consumer.account import StreamAccount


class Audit(msgspec.Struct, frozen=True):
    """The verdict on one stream: complete if every number up to the last was seen or named in a gap.

    `put_aside` events came and could not be read: they are kept as they came. `clashes` numbers stand for
    two events, of two copies of one outbox; both are kept.
    """

    site: str
    device: str
    last_seq: int
    events: int
    named_in_gaps: int
    duplicates: int
    missing: tuple[tuple[int, int], ...]
    stream: str = ""
    put_aside: int = 0
    clashes: int = 0

    @property
    def complete(self) -> bool:
        return not self.missing


def audit_of(stream: StreamId, account: StreamAccount) -> Audit:
    """What an account says of its stream."""
    return Audit(
        site=stream.site,
        device=stream.device,
        last_seq=max(account.known().last(), account.delivered),
        events=account.seen.count(),
        named_in_gaps=account.named_in_gaps(),
        duplicates=account.duplicates,
        missing=tuple(account.missing()),
        stream=stream.stream,
        put_aside=account.aside.count(),
        clashes=account.clashes,
    )
