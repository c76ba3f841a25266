from __future__ import annotations

from contract.envelope import Origin, encode_event, open_event
from contract.facts import Fact, Flip, Footfall, ProcessHealth
from runtime.demo.tally import EventTally


def heard(*facts: Fact) -> EventTally:
    tally = EventTally()
    for seq, fact in enumerate(facts, 1):
        tally.receive(open_event(encode_event(fact, Origin("plaza", "box"), seq, 1_000_000.0)))
    return tally


def flip(rev: int, score: float, retracted: bool = False) -> Flip:
    return Flip(
        key="f1", time_s=10.0, rev=rev, retracted=retracted, reader="r", antenna=1, epc="e", sku=None,
        fixture=None, start_s=9.0, end_s=10.0, score=score,
    )  # fmt: skip


def count(start_s: float, entered: int, left: int) -> Footfall:
    return Footfall(
        key=f"door/{start_s}", time_s=start_s + 10, entrance="door", start_s=start_s, end_s=start_s + 10,
        entered=entered, left=left,
    )  # fmt: skip


def test_the_highest_revision_of_a_fact_stands_whatever_the_order() -> None:
    tally = heard(flip(1, 0.9), flip(0, 0.5))
    assert [fact.score for fact in tally.of(Flip)] == [0.9]


def test_a_retracted_fact_is_gone() -> None:
    assert heard(flip(0, 0.5), flip(1, 0.5, retracted=True)).of(Flip) == []


def test_counts_of_an_entrance_add_up_over_intervals() -> None:
    assert heard(count(0.0, 2, 1), count(10.0, 3, 0)).gates() == {"door": (5, 1)}


def test_the_line_tells_what_flows() -> None:
    vision = ProcessHealth(
        key="h", time_s=1.0, process="vision", state="live", progress_s=1.0, values={"fps": 9.5}
    )
    tally = heard(vision, flip(0, 0.7))
    assert tally.fps() == 9.5
    assert "9.5 frames/s" in tally.line()
    assert "1 flips, 0 with a visitor | 2 events" in tally.line()
