"""What is sent next and what counts as delivered, without a broker or a clock."""

from __future__ import annotations

import pytest

from contract.ranges import SeqRanges
from runtime.uplink.delivery.window import DeliveryBook, DeliveryLimits
from runtime.uplink.outbox.database import Row


class Bench:
    """An outbox of integers and a broker that takes what it is told to take."""

    def __init__(self, seqs: list[int], delivery: DeliveryBook, kinds: dict[int, str] | None = None) -> None:
        self.seqs = seqs
        self.delivery = delivery
        self.kinds = kinds or {}
        self.messages: dict[int, list[int]] = {}
        self.sent: list[int] = []

    @property
    def last_seq(self) -> int:
        return self.seqs[-1] if self.seqs else 0

    def send(self, now_s: float = 0.0, limit: int = 10) -> list[int]:
        """Send one chunk, as one message a kind; returns its numbers."""
        span = self.delivery.next_span(self.last_seq, now_s)
        if span is None:
            return []
        until = span.until_seq or 10**9
        found = [seq for seq in self.seqs if span.from_seq <= seq < until][:limit]
        self.delivery.read(
            span, [Row(seq, 0, self.kinds.get(seq, "visit"), 0.0, b"") for seq in found], self.last_seq
        )
        by_kind: dict[str, list[int]] = {}
        for seq in found:
            kind = self.kinds.get(seq, "visit")
            if not self.delivery.is_held(kind):
                by_kind.setdefault(kind, []).append(seq)
        for kind, group in by_kind.items():
            message = len(self.messages) + 1
            self.messages[message] = group
            self.delivery.sent(message, kind, group, now_s)
            self.sent += group
        return found

    def send_all(self, now_s: float = 0.0) -> list[int]:
        """Send and have acknowledged until nothing is due."""
        found: list[int] = []
        while chunk := self.send(now_s):
            found += chunk
            for message in list(self.delivery._in_flight):
                self.delivery.acknowledged(message)
        return found


def fresh(trust_broker: bool = True, **limits: float) -> DeliveryBook:
    return DeliveryBook(SeqRanges(), trust_broker, DeliveryLimits(**limits))  # type: ignore[arg-type]


def test_everything_goes_out_in_order_and_is_delivered_once_the_broker_has_it() -> None:
    bench = Bench(list(range(1, 96)), fresh())
    bench.delivery.connected(95, 0.0)
    assert bench.send_all() == list(range(1, 96))
    assert list(bench.delivery.delivered) == [(1, 95)]


def test_what_the_broker_did_not_acknowledge_goes_again_after_a_reconnect() -> None:
    bench = Bench(list(range(1, 31)), fresh())
    bench.delivery.connected(30, 0.0)
    for _ in range(3):
        bench.send()
    bench.delivery.acknowledged(2)
    bench.delivery.connected(30, 1.0)
    assert bench.send_all() == [*range(1, 11), *range(21, 31)]


def test_no_more_than_the_window_is_under_way() -> None:
    bench = Bench(list(range(1, 1001)), fresh(window=4))
    bench.delivery.connected(1000, 0.0)
    while bench.send():
        pass
    assert bench.delivery.in_flight() == 4


def test_after_a_long_outage_what_happens_now_goes_out_beside_the_backlog() -> None:
    bench = Bench(list(range(1, 101)), fresh(live_lane_after=50, window=1000))
    bench.delivery.connected(100, 0.0)
    bench.seqs += list(range(101, 106))
    assert bench.send() == list(range(101, 106))
    assert bench.send() == list(range(1, 11))
    bench.seqs += [106]
    assert 106 in bench.send() + bench.send()
    bench.send_all()
    assert sorted(bench.sent) == list(range(1, 107))
    bench.seqs += [107, 108]
    assert bench.send_all() == [107, 108]


def test_numbers_that_the_outbox_no_longer_has_do_not_hold_up_the_rest() -> None:
    bench = Bench([3, 4, 9, 10], fresh())
    bench.delivery.connected(10, 0.0)
    assert bench.send_all() == [3, 4, 9, 10]
    assert bench.delivery.delivered.prefix_end() == 10


def test_without_trust_only_the_clouds_word_delivers() -> None:
    bench = Bench(list(range(1, 21)), fresh(trust_broker=False))
    bench.delivery.connected(20, 0.0)
    bench.send_all()
    assert bench.delivery.delivered.prefix_end() == 0
    assert bench.delivery.confirmed(15, 1.0) == 15
    assert bench.delivery.confirmed(12, 1.0) == 0
    assert bench.delivery.delivered.prefix_end() == 15


@pytest.mark.parametrize("seq", [10**9, 6, 4])
def test_the_cloud_cannot_confirm_what_was_never_sent(seq: int) -> None:
    bench = Bench(list(range(1, 6)), fresh(trust_broker=False))
    bench.delivery.connected(5, 0.0)
    assert bench.send(limit=3) == [1, 2, 3]
    assert bench.delivery.confirmed(seq, 0.0) == 0
    assert bench.delivery.delivered.prefix_end() == 0
    assert bench.delivery.confirmed(3, 0.0) == 3
    bench.seqs += [6]
    assert bench.send_all() == [4, 5, 6]


def test_what_was_sent_before_a_restart_may_be_confirmed_after_it() -> None:
    bench = Bench(list(range(1, 6)), fresh(trust_broker=False))
    bench.delivery.connected(5, 0.0)
    bench.send(limit=4)
    later = DeliveryBook(SeqRanges(), False, DeliveryLimits(), SeqRanges(bench.delivery.sent_once))
    later.connected(5, 0.0)
    assert later.confirmed(5, 0.0) == 0
    assert later.confirmed(4, 0.0) == 4


def test_what_the_cloud_does_not_confirm_goes_again_later_and_later() -> None:
    bench = Bench(list(range(1, 6)), fresh(trust_broker=False, resend_after_s=60.0))
    bench.delivery.connected(5, 0.0)
    bench.send_all(0.0)
    assert bench.send_all(59.0) == []
    assert bench.send_all(61.0) == [1, 2, 3, 4, 5]
    assert bench.send_all(150.0) == []
    assert bench.send_all(185.0) == [1, 2, 3, 4, 5]
    bench.delivery.confirmed(5, 186.0)
    assert bench.send_all(10_000.0) == []


def test_how_long_the_cloud_has_been_silent_counts_from_the_first_event_it_owes_a_word_for() -> None:
    bench = Bench(list(range(1, 6)), fresh(trust_broker=False, resend_after_s=60.0))
    bench.delivery.connected(5, 0.0)
    assert bench.delivery.unanswered_s(10.0) == 0.0
    bench.send_all(20.0)
    bench.send_all(90.0)
    assert bench.delivery.unanswered_s(100.0) == 80.0
    bench.delivery.confirmed(3, 110.0)
    assert bench.delivery.unanswered_s(115.0) == 5.0
    bench.delivery.confirmed(5, 120.0)
    assert bench.delivery.unanswered_s(500.0) == 0.0


def test_a_trusted_broker_leaves_the_cloud_nothing_to_answer() -> None:
    bench = Bench(list(range(1, 6)), fresh())
    bench.delivery.connected(5, 0.0)
    bench.send_all(0.0)
    assert bench.delivery.unanswered_s(1000.0) == 0.0


def test_a_trickle_of_new_events_does_not_put_off_the_resend() -> None:
    bench = Bench([1], fresh(trust_broker=False, resend_after_s=60.0))
    bench.delivery.connected(1, 0.0)
    again_at_s = None
    for second in range(100):
        if 1 in bench.send_all(float(second)) and second > 0:
            again_at_s = second
            break
        bench.seqs.append(bench.last_seq + 1)
    assert again_at_s is not None and 60 <= again_at_s <= 62


def test_without_a_word_from_the_cloud_only_so_much_is_sent_ahead() -> None:
    bench = Bench(list(range(1, 1001)), fresh(trust_broker=False, max_unacked=100, live_lane_after=10**6))
    bench.delivery.connected(1000, 0.0)
    assert len(bench.send_all()) <= 120
    bench.delivery.confirmed(50, 1.0)
    assert bench.send_all(1.0)


def test_a_replay_sends_again_from_where_the_cloud_wants_it() -> None:
    bench = Bench(list(range(1, 31)), fresh())
    bench.delivery.connected(30, 0.0)
    bench.send_all()
    bench.delivery.replay(17)
    assert bench.send_all() == list(range(17, 31))
    assert bench.delivery.delivered.prefix_end() == 30


def test_requests_for_a_replay_are_met_one_after_the_other_and_hold_back_nothing_new() -> None:
    bench = Bench(list(range(1, 101)), fresh(replay_every_s=10.0))
    bench.delivery.connected(100, 0.0)
    bench.send_all(0.0)
    bench.sent.clear()
    for tenth in range(200):
        now_s = 1.0 + tenth / 10
        bench.delivery.replay(1)
        bench.seqs.append(bench.last_seq + 1)
        bench.send_all(now_s)
        assert bench.seqs[-1] in bench.sent, "a replay held back what is new"
    assert bench.delivery.replays == 2
    assert 2 <= bench.sent.count(1) <= 3 and set(range(1, 301)) == set(bench.sent)


def test_a_replay_asked_for_while_another_runs_begins_after_it() -> None:
    bench = Bench(list(range(1, 101)), fresh(replay_every_s=0.0))
    bench.delivery.connected(100, 0.0)
    bench.send_all(0.0)
    bench.delivery.replay(50)
    bench.send(1.0)
    bench.delivery.replay(70)
    bench.delivery.replay(10)
    bench.sent.clear()
    bench.send_all(2.0)
    bench.send_all(3.0)
    assert bench.sent == [*range(60, 101), *range(10, 101)]


def test_a_refused_kind_waits_while_the_others_go_on_and_is_tried_again() -> None:
    kinds = {seq: "health" for seq in range(1, 31) if seq % 3 == 0}
    bench = Bench(list(range(1, 31)), fresh(hold_s=60.0), kinds)
    bench.delivery.connected(30, 0.0)
    bench.send(0.0, limit=6)
    refused = next(message for message, seqs in bench.messages.items() if 3 in seqs)
    assert bench.delivery.refused(refused, 0.0) == "health"
    bench.send_all(1.0)
    assert not bench.delivery._in_flight
    assert set(bench.sent) - {3, 6} == set(range(1, 31)) - set(kinds)
    bench.sent.clear()
    bench.send_all(61.0)
    assert bench.sent == sorted(kinds)
    assert bench.delivery.delivered.prefix_end() == 30


def test_too_many_stretches_of_held_back_events_stop_the_flow() -> None:
    kinds = dict.fromkeys(range(1, 2001, 2), "health")
    bench = Bench(list(range(1, 2001)), fresh(hold_s=1e9, max_holes=100, live_lane_after=10**6), kinds)
    bench.delivery.connected(2000, 0.0)
    bench.send(0.0)
    refused = next(message for message, seqs in bench.messages.items() if 1 in seqs)
    bench.delivery.refused(refused, 0.0)
    bench.send_all()
    assert len(bench.delivery.delivered) <= 110
