"""What to send next, and what counts as delivered. Pure: time is an argument, rows come from the caller.

Two lanes when there is much to catch up: the backlog oldest first, and beside it what happens now, so that
an outage of a week does not hold back today. Two ways of counting: with `trust_broker` the broker's
acknowledgement delivers; otherwise only the cloud's own cumulative acknowledgement does, and what it does
not acknowledge for `resend_after_s` is sent again, because a broker's acknowledgement does not survive the
broker's crash. The cloud's word counts only for what was sent at least once.

What goes again (overdue, held back, asked for) goes in the backlog's lane, so that it never holds back what
happens now; requests for a replay are collected, and one replay is over before the next begins.

A kind that the broker refuses (an ACL) is held back for `hold_s` while the others go on; then it is tried
again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contract.ranges import SeqRanges
from runtime.uplink.outbox.database import Row


class DeliveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be under way, and when the lanes part.

    `window` counts messages the broker has not acknowledged, `max_unacked` events the cloud has not. More
    than `max_holes` stretches of held-back events stop the flow. Replays begin at most every
    `replay_every_s`.
    """

    window: int = 16
    batch_events: int = 500
    batch_bytes: int = 256_000
    max_unacked: int = 50_000
    live_lane_after: int = 5_000
    resend_after_s: float = 60.0
    max_resend_after_s: float = 3600.0
    hold_s: float = 60.0
    max_holes: int = 5_000
    replay_every_s: float = 10.0


class Span(msgspec.Struct, frozen=True):
    """Read from the outbox: from `from_seq`, to below `until_seq` if given."""

    from_seq: int
    until_seq: int | None
    live: bool


class DeliveryBook:
    """The book of one outbox: `delivered` is what need not be sent again."""

    def __init__(
        self,
        delivered: SeqRanges,
        trust_broker: bool,
        limits: DeliveryLimits | None = None,
        sent: SeqRanges | None = None,
    ) -> None:
        self.delivered = delivered
        self.sent_once = SeqRanges() if sent is None else sent
        self.limits = limits or DeliveryLimits()
        self._trust_broker = trust_broker
        self._in_flight: dict[int, tuple[str, tuple[tuple[int, int], ...]]] = {}
        self._held_until_s: dict[str, float] = {}
        self._sent_last = 0
        self._rewind = False
        self._replay_from: int | None = None
        self._replaying = False
        self._replay_due_s = 0.0
        self._cursor = 1
        self._live_start: int | None = None
        self._live_cursor = 0
        self._live_turn = False
        self._confirmed_s = 0.0
        self._resend_after_s = self.limits.resend_after_s
        self._unanswered_since_s: float | None = None
        self.resends = 0
        self.replays = 0

    def connected(self, last_seq: int, now_s: float) -> None:
        """A new connection: whatever was under way has to be sent again."""
        self._in_flight.clear()
        self._held_until_s.clear()
        self._rewind = self._replaying = False
        self._sent_last = 0
        self._confirmed_s = now_s
        self._cursor = self.delivered.prefix_end() + 1
        behind = last_seq - self._cursor + 1
        self._live_start = last_seq + 1 if behind > self.limits.live_lane_after else None
        self._live_cursor = last_seq + 1
        self._live_turn = True

    def next_span(self, last_seq: int, now_s: float) -> Span | None:
        """What to read and send next; None where nothing is due or enough is under way."""
        self._notice_overdue(now_s)
        self._begin_replay(now_s)
        if self._rewind and not self._in_flight:
            self._go_back()
        if self._rewind or len(self._in_flight) >= self.limits.window:
            return None
        live = self._live_span(last_seq)
        backlog = self._backlog_span(last_seq)
        first, second = (live, backlog) if self._live_turn else (backlog, live)
        self._live_turn = not self._live_turn
        return first or second

    def _go_back(self) -> None:
        """From the first event that is not delivered again; what was never sent becomes the live lane."""
        frontier = self._cursor if self._live_start is None else self._live_cursor
        self._cursor, self._rewind = self.delivered.prefix_end() + 1, False
        self._live_start = self._live_cursor = max(frontier, self._cursor)

    def _live_span(self, last_seq: int) -> Span | None:
        if self._live_start is None or self._live_cursor > last_seq:
            return None
        return Span(self._live_cursor, None, True)

    def _backlog_span(self, last_seq: int) -> Span | None:
        if self._live_start is not None and self._cursor >= self._live_start:
            self._cursor, self._live_start, self._replaying = self._live_cursor, None, False
        cursor = self._skip_delivered(self._cursor)
        if cursor > last_seq or (self._live_start is not None and cursor >= self._live_start):
            self._cursor = cursor
            return None
        unacked = cursor - self.delivered.prefix_end() - 1
        if not self._trust_broker and unacked > self.limits.max_unacked:
            return None
        if len(self.delivered) > self.limits.max_holes:
            return None
        return Span(cursor, self._until(cursor), False)

    def _skip_delivered(self, seq: int) -> int:
        for first, last in self.delivered:
            if first <= seq <= last:
                return last + 1
            if first > seq:
                break
        return seq

    def _until(self, seq: int) -> int | None:
        """Where the next delivered stretch or the live lane begins."""
        starts = [first for first, _ in self.delivered if first > seq]
        if self._live_start is not None:
            starts.append(self._live_start)
        return min(starts, default=None)

    def read(self, span: Span, rows: Sequence[Row], last_seq: int) -> None:
        """The outbox had `rows` for `span`: move on, and count what is no longer there as dealt with."""
        span_end = last_seq if span.until_seq is None else span.until_seq - 1
        end = rows[-1].seq if rows else span_end
        expected = span.from_seq
        has_holes = end - expected + 1 != len(rows)
        for row in rows if has_holes else ():
            if row.seq > expected:
                self.delivered.add(expected, row.seq - 1)
            expected = row.seq + 1
        if not rows and end >= expected:
            self.delivered.add(expected, end)
        if span.live:
            self._live_cursor = end + 1
        else:
            self._cursor = end + 1

    def is_held(self, kind: str) -> bool:
        """The broker refuses this kind for now: leave its events where they are."""
        return kind in self._held_until_s

    def sent(self, message: int, kind: str, seqs: Sequence[int], now_s: float) -> None:
        """Events of one kind went out as one message."""
        ranges = tuple(SeqRanges.of(seqs))
        self._in_flight[message] = kind, ranges
        self.sent_once.update(ranges)
        if self._sent_last <= self.delivered.prefix_end():
            self._confirmed_s = now_s
        if self._unanswered_since_s is None and not self._trust_broker:
            self._unanswered_since_s = now_s
        self._sent_last = max(self._sent_last, seqs[-1])

    def acknowledged(self, message: int) -> int:
        """The broker has the message; returns how many events that delivered."""
        _, ranges = self._in_flight.pop(message, ("", ()))
        if not self._trust_broker:
            return 0
        self.delivered.update(ranges)
        return sum(last - first + 1 for first, last in ranges)

    def refused(self, message: int, now_s: float) -> str:
        """The broker does not take the message; its kind, which is returned, is held back for a while."""
        kind, _ = self._in_flight.pop(message, ("", ()))
        self._held_until_s[kind] = now_s + self.limits.hold_s
        return kind

    def returned(self, message: int) -> None:
        """The broker does not take the message as it is: its events go again, in another form."""
        self._in_flight.pop(message, None)
        self._rewind = True

    def dropped(self, seq: int) -> None:
        """This event will never be sent: a gap event names it."""
        self.delivered.add(seq)

    def was_sent(self, seq: int) -> bool:
        """Everything up to `seq` was sent at least once, or is no longer there."""
        if seq <= self.delivered.prefix_end():
            return True
        known = SeqRanges(self.sent_once)
        known.update(self.delivered)
        return seq <= known.prefix_end()

    def confirmed(self, seq: int, now_s: float) -> int:
        """The cloud has everything up to `seq`; returns how many events that delivered.

        Nothing where `seq` was never sent.
        """
        before = self.delivered.prefix_end()
        if seq <= before or not self.was_sent(seq):
            return 0
        self.delivered.add(1, seq)
        self._confirmed_s = now_s
        self._unanswered_since_s = now_s if seq < self._sent_last else None
        self._resend_after_s = self.limits.resend_after_s
        return self.delivered.prefix_end() - before

    def replay(self, from_seq: int) -> None:
        """The cloud wants `from_seq` and later again; what still exists of them goes in a while."""
        if self._replaying and from_seq >= self._cursor:
            return
        asked = self._replay_from
        self._replay_from = from_seq if asked is None else min(asked, from_seq)

    def _begin_replay(self, now_s: float) -> None:
        """Forget that what the cloud asks for was delivered; one replay after the other."""
        if self._replay_from is None or self._replaying or now_s < self._replay_due_s:
            return
        from_seq, self._replay_from = self._replay_from, None
        self.sent_once.update(self.delivered)
        self.delivered = SeqRanges(
            (first, min(last, from_seq - 1)) for first, last in self.delivered if first < from_seq
        )
        self._rewind = self._replaying = True
        self._replay_due_s = now_s + self.limits.replay_every_s
        self.replays += 1

    def _notice_overdue(self, now_s: float) -> None:
        """Go back to the last delivered event where a hold is over or the cloud has long been silent."""
        over = [kind for kind, until_s in self._held_until_s.items() if until_s <= now_s]
        for kind in over:
            del self._held_until_s[kind]
            self._rewind = True
        if self._trust_broker or now_s - self._confirmed_s < self._resend_after_s:
            return
        self._confirmed_s = now_s
        if self._sent_last > self.delivered.prefix_end():
            self.resends += 1
            self._rewind = True
            self._resend_after_s = min(2 * self._resend_after_s, self.limits.max_resend_after_s)

    def unanswered_s(self, now_s: float) -> float:
        """How long the cloud has acknowledged nothing of what waits for its word; 0 with `trust_broker`."""
        return 0.0 if self._unanswered_since_s is None else now_s - self._unanswered_since_s

    def in_flight(self) -> int:
        """Messages the broker has not acknowledged."""
        return len(self._in_flight)
