"""What is numbered and not on disk yet: bounded; what had to go is remembered until a gap has named it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from contract.envelope import Origin, encode_event
from contract.facts import Fact
from contract.gaps import Gap
from runtime.uplink.outbox.database import Row
from runtime.uplink.outbox.losses import DISK_REFUSED, DROP_RANK, Losses

MAX_WAITING = 20_000
"""While the disk refuses writes, so many events are in memory, those that the writer tries with included;
beyond that the lowest rank goes."""
DROPPED_AT_ONCE = 1_000


class Memory:
    """The rows that wait, those in the writer's hand, the last number given, and losses nobody was told of.

    `clock` gives UTC seconds. The outbox's lock is held around every call.
    """

    def __init__(
        self, origin: Origin, clock: Callable[[], float], stream: str, last_seq: int, losses: Losses
    ) -> None:
        self._origin = origin
        self._clock = clock
        self.stream = stream
        self.appended = last_seq
        self.losses = losses
        self.waiting: list[Row] = []
        self.waiting_since_s = 0.0
        self.in_hand: list[Row] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.waiting) + len(self.in_hand)

    def is_full(self) -> bool:
        """The next event would drive another one out."""
        return len(self.waiting) + len(self.in_hand) >= MAX_WAITING

    def take(self, fact: Fact) -> None:
        """Number a fact and keep its event."""
        waiting, kind = self.waiting, fact.kind
        if not waiting:
            self.waiting_since_s = time.monotonic()
        seq = self.appended + 1
        body = encode_event(fact, self._origin, seq, self._clock(), self.stream)
        waiting.append(Row(seq, DROP_RANK[kind], kind, fact.time_s, body))
        self.appended = seq
        if len(waiting) + len(self.in_hand) > MAX_WAITING:
            self._drop_some()

    def lose(self, kinds: Mapping[str, int]) -> None:
        """Number so many facts of each kind that could not be kept."""
        for kind, count in kinds.items():
            self.losses.add(DISK_REFUSED, self.appended + 1, self.appended + count, kind)
            self.appended += count
            self.dropped += count

    def told(self) -> list[Gap]:
        """The gap events that name all losses so far; from now on they count as told."""
        gaps = self.losses.gaps(self._clock())
        self.losses = Losses()
        return gaps

    def hand_over(self, most: int | None = None) -> int:
        """Take what is to be written now; returns the number up to which all will be on disk or dropped.

        A disk that refuses is tried with `most` rows: what stays waiting can still be chosen from when the
        memory is full.
        """
        taken = len(self.waiting) if most is None else most
        self.in_hand, self.waiting = self.waiting[:taken], self.waiting[taken:]
        return self.waiting[0].seq - 1 if self.waiting else self.appended

    def take_back(self) -> None:
        """The disk did not take what was in hand."""
        self.waiting[:0], self.in_hand = self.in_hand, []

    def renewed(self, stream: str, last_seq: int) -> None:
        """The disk goes on as a new stream and has taken all that waited with it."""
        self.waiting, self.losses, self.stream, self.appended = [], Losses(), stream, last_seq

    def _drop_some(self) -> None:
        by_rank = sorted(self.waiting, key=lambda row: (row.rank, row.seq))
        dropped, kept = by_rank[:DROPPED_AT_ONCE], by_rank[DROPPED_AT_ONCE:]
        for row in dropped:
            self.losses.add(DISK_REFUSED, row.seq, row.seq, row.kind)
        self.waiting = sorted(kept)
        self.dropped += len(dropped)
