from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rfid_reader.session.batcher import ReadBatcher
from rfid_reader.simulator.llrp.parameters import tlv, tv, u16, u64

BATCH_S = 0.1
EPOCH_S = 1.7e9
Read = tuple[float, float]
"""When a tag was read, and the reader's stamp of it (s)."""


class Wire:
    """Plays reports into a batcher as a session does; collects the error of every read's time."""

    def __init__(self, kind: int = 4) -> None:
        self.batcher = ReadBatcher((1,))
        self.errors: dict[float, float] = {}
        self._kind = kind
        self._true: dict[str, float] = {}

    def play(self, arrived_s: float, reads: list[Read], a_message: int = 1, tick: bool = True) -> None:
        """Reads arrive in this order, so many in a message; with `tick`, what is due is handed out then."""
        for start in range(0, len(reads), a_message):
            body = b""
            for true_s, stamp_s in reads[start : start + a_message]:
                epc = len(self._true).to_bytes(12, "big")
                self._true[epc.hex()] = true_s
                stamp = u64(max(0, round(stamp_s * 1e6)))
                body += tlv(240, tv(13, epc), tv(1, u16(1)), tv(self._kind, stamp))
            self.batcher.take(body, arrived_s)
        if tick:
            self.tick(arrived_s)

    def tick(self, now_s: float) -> None:
        if self.batcher.due(now_s, 0.0):
            self._collect(now_s)

    def end(self) -> None:
        self._collect(float("inf"))

    def _collect(self, now_s: float) -> None:
        while len(table := self.batcher.hand_out(now_s)):
            for epc, time_s in zip(table.epc.tolist(), table.time_s.tolist(), strict=True):
                true_s = self._true[epc]
                self.errors[true_s] = time_s - true_s

    @property
    def worst_s(self) -> float:
        return max(abs(error) for error in self.errors.values())


def shift(
    offset_s: float, jump_s: float = 0.0, at_s: float = 1e12, drift: float = 0.0
) -> Callable[[float], float]:
    """A reader's clock: true time to stamp."""
    return lambda true_s: true_s + offset_s + drift * (true_s - EPOCH_S) + (jump_s if true_s >= at_s else 0.0)


def played(
    stamp: Callable[[float], float], seconds: float = 60.0, latency_s: float = 0.05, kind: int = 4
) -> Wire:
    """Ten reads a second, each arriving up to latency_s late."""
    rng, wire = random.Random(4), Wire(kind)
    for step in range(int(seconds / BATCH_S)):
        true_s = EPOCH_S + step * BATCH_S
        wire.play(true_s + rng.uniform(0.002, latency_s), [(true_s, stamp(true_s))])
    wire.end()
    assert len(wire.errors) == int(seconds / BATCH_S)
    return wire


@pytest.mark.parametrize("offset_s", [0.0, -7.5e8, 86_400.0, -1.699e9])
def test_any_offset_is_mapped_to_within_the_shortest_latency(offset_s: float) -> None:
    errors = list(played(shift(offset_s), latency_s=0.2).errors.values())
    assert all(-0.01 < error < 0.02 for error in errors[100:])
    assert all(-0.01 < error <= 0.2 for error in errors)


@pytest.mark.parametrize("drift", [5e-5, -5e-5])
def test_drift_is_followed(drift: float) -> None:
    wire = played(shift(1000.0, drift=drift), 300.0)
    assert wire.worst_s < 0.05 and wire.batcher.clock_steps == 0


def test_a_time_is_never_after_the_arrival() -> None:
    wire = Wire()
    wire.play(100.0, [(100.0, 10.0)])
    wire.play(101.0, [(101.0, 12.0)])
    wire.end()
    assert max(wire.errors.values()) <= 0


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0, -1.0, 1.0, -0.3, 0.5, -1e9, 1e9])
@pytest.mark.parametrize("kind", [4, 5])
def test_a_step_of_the_readers_clock_is_found_and_does_not_move_our_times(jump_s: float, kind: int) -> None:
    wire = played(shift(2e9, jump_s, EPOCH_S + 30.0), kind=kind)
    assert wire.batcher.clock_steps == 1
    assert wire.worst_s < 0.11


@pytest.mark.parametrize("jump_s", [-2.0, -40.0, 2.0, 40.0])
def test_a_step_amid_what_is_handed_out_together_spoils_no_read(jump_s: float) -> None:
    wire, stamp = Wire(), shift(0.0, jump_s, EPOCH_S + 10.05)
    for step in range(1000):
        true_s = EPOCH_S + step * 0.02
        wire.play(true_s + 0.004, [(true_s, stamp(true_s))], tick=step % 5 == 0)
    wire.end()
    assert len(wire.errors) == 1000
    assert wire.batcher.clock_steps == 1
    assert wire.worst_s < 0.11


def test_a_reboot_with_uptime_from_nothing_is_one_step() -> None:
    wire = played(lambda true_s: true_s - (EPOCH_S + 30.0 if true_s >= EPOCH_S + 30.0 else 1e9), kind=5)
    assert wire.batcher.clock_steps == 1 and wire.worst_s < 0.11


ORDERS: dict[str, Callable[[list[Read]], list[Read]]] = {
    "in order": lambda reads: reads,
    "by tag": lambda reads: [read for tag in range(7) for read in reads[tag::7]],
    "reversed": lambda reads: reads[::-1],
    "shuffled": lambda reads: random.Random(len(reads)).sample(reads, len(reads)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("report_s", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("a_message", [1, 40])
def test_reports_in_any_order_are_no_steps_and_have_their_times(
    order: str, report_s: float, a_message: int
) -> None:
    wire = Wire()
    for number in range(int(60 / report_s)):
        end_s = EPOCH_S + (number + 1) * report_s
        count = max(2, int(report_s * 40))
        times = [end_s - report_s * (count - each - 1) / count for each in range(count)]
        reads = [(true_s, true_s + 1e6) for true_s in times]
        wire.play(end_s + 0.003, ORDERS[order](reads), a_message)
    wire.end()
    assert wire.batcher.clock_steps == 0
    assert wire.worst_s < 0.02


@pytest.mark.parametrize("report_s", [0.3, 1.0])
def test_a_report_that_overtakes_another_is_no_step(report_s: float) -> None:
    wire, rng = Wire(), random.Random(2)
    reports = []
    for number in range(int(60 / report_s)):
        end_s = EPOCH_S + (number + 1) * report_s
        times = [end_s - report_s * each / 30 for each in range(30)]
        reports.append((end_s, [(true_s, true_s - 1e9) for true_s in times]))
    for (_, one), (end_s, other) in zip(reports[::2], reports[1::2], strict=False):
        pair = [one, other] if rng.random() < 0.5 else [other, one]
        wire.play(end_s + 0.005, pair[0])
        wire.tick(end_s + 0.06)
        wire.play(end_s + 0.09, pair[1])
    wire.end()
    assert wire.batcher.clock_steps == 0
    assert wire.worst_s < 0.02


def test_a_small_step_of_a_reader_whose_reports_are_out_of_order_is_found_in_time() -> None:
    wire, rng = Wire(), random.Random(3)
    stamp = shift(0.0, -0.5, EPOCH_S + 30.0)
    for number in range(300):
        end_s = EPOCH_S + (number + 1) * 0.2
        times = [end_s - 0.3 * each / 10 for each in range(10)]
        wire.play(end_s + 0.01, [(true_s, stamp(true_s)) for true_s in rng.sample(times, 10)])
    wire.end()
    assert wire.batcher.clock_steps == 1
    late = [abs(error) for true_s, error in wire.errors.items() if true_s > EPOCH_S + 46.0]
    assert max(late) < 0.05


@pytest.mark.parametrize("off_s", [7200.0, -7200.0, 1e9])
def test_a_stamp_that_is_far_off_moves_neither_the_clock_nor_its_neighbours(off_s: float) -> None:
    wire, rng = Wire(), random.Random(5)
    for step in range(600):
        true_s = EPOCH_S + step * BATCH_S
        off = off_s if step > 60 and rng.random() < 0.05 else 0.0
        wire.play(true_s + 0.01, [(true_s, true_s + off)])
    wire.end()
    assert wire.batcher.clock_steps == 0
    assert wire.worst_s < 0.05
    assert any("fits no other" in text for text in wire.batcher.remarks.sentences())


def test_a_clock_that_stands_is_said_and_the_arrival_counts() -> None:
    wire = played(lambda _: 12345.0)
    assert wire.batcher.clock_steps == 0
    errors = list(wire.errors.values())
    assert max(map(abs, errors[20:])) < 0.06 and max(map(abs, errors)) < 1.2
    assert any("stands still" in text for text in wire.batcher.remarks.sentences())


def test_reads_held_up_for_a_while_keep_their_own_times() -> None:
    wire = Wire()
    for step in range(100):
        wire.play(EPOCH_S + step * 0.1 + 0.01, [(EPOCH_S + step * 0.1, step * 0.1)])
    wire.play(EPOCH_S + 13.0, [(EPOCH_S + step * 0.1, step * 0.1) for step in range(100, 130)])
    wire.end()
    assert wire.batcher.clock_steps == 0 and wire.worst_s < 0.02


def test_reads_in_doubt_are_not_held_for_long() -> None:
    wire = Wire()
    for step in range(100):
        wire.play(EPOCH_S + step * 0.1 + 0.01, [(EPOCH_S + step * 0.1, step * 0.1)])
    wire.play(EPOCH_S + 10.0, [(EPOCH_S + 9.05, 8.95)])
    assert len(wire.errors) == 100 and len(wire.batcher) == 1
    wire.tick(EPOCH_S + 11.0)
    assert len(wire.batcher) == 1
    wire.tick(EPOCH_S + 11.6)
    assert len(wire.errors) == 101 and len(wire.batcher) == 0
