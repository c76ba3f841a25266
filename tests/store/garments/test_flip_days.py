"""Flips per visitor are compared from one day to the next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contract.facts import Fact, Flip, Visit
from runtime.store.garments.flip_days import DAYS_KEPT, FlipDay, FlipDays

MONDAY_S = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


def visit(number: int, time_s: float, **changes: object) -> Visit:
    fields = {"direction": "in", "entrance": "door", "rev": 0, "retracted": False, **changes}
    return Visit(key=f"visit:{number}", time_s=time_s, visitor=f"{number}", **fields)  # type: ignore[arg-type]


def flip(number: int, time_s: float) -> Flip:
    return Flip(
        key=f"flip:{number}:{time_s}",
        time_s=time_s,
        reader="r",
        antenna=1,
        epc="E28011600000000000000001",
        sku=None,
        fixture=None,
        start_s=time_s - 2,
        end_s=time_s - 1,
        score=0.9,
    )


def a_day(begin_s: float, visitors: int, flips: int) -> list[Fact]:
    came: list[Fact] = [visit(int(begin_s) + number, begin_s + number) for number in range(visitors)]
    return came + [flip(number, begin_s + 3 * number) for number in range(flips)]


def test_a_day_with_far_fewer_flips_a_visitor_is_said_the_next_day() -> None:
    days = FlipDays(UTC)
    days.take(a_day(MONDAY_S, 100, 80))
    days.take(a_day(MONDAY_S + DAY_S, 90, 20))
    assert days.remark(MONDAY_S + DAY_S) == ""
    said = days.remark(MONDAY_S + 2 * DAY_S)
    assert said.startswith(
        "fewer flips: 0.22 a visitor on 2026-03-03 (20 of 90 visitors), 0.80 on 2026-03-02"
    )
    assert days.remark(MONDAY_S + 3 * DAY_S) == ""


def test_more_flips_than_visitors_explain_are_said_too() -> None:
    days = FlipDays(UTC)
    days.take([*a_day(MONDAY_S, 100, 30), *a_day(MONDAY_S + DAY_S, 100, 120)])
    assert days.remark(MONDAY_S + 2 * DAY_S).startswith("more flips: 1.20 a visitor on 2026-03-03")


def test_what_chance_or_few_visitors_explain_is_not_said() -> None:
    for before, visitors, flips in ((48, 60, 35), (48, 60, 60), (48, 19, 0), (48, 0, 0), (10, 60, 4)):
        days = FlipDays(UTC)
        days.take([*a_day(MONDAY_S, 60, before), *a_day(MONDAY_S + DAY_S, visitors, flips)])
        assert days.remark(MONDAY_S + 2 * DAY_S) == ""


def test_a_closed_day_is_passed_over() -> None:
    days = FlipDays(UTC)
    days.take([*a_day(MONDAY_S, 100, 80), *a_day(MONDAY_S + 2 * DAY_S, 100, 10)])
    assert "0.80 on 2026-03-02" in days.remark(MONDAY_S + 3 * DAY_S)


def test_visits_taken_back_and_told_again_count_once_and_leavings_not_at_all() -> None:
    days = FlipDays(UTC)
    days.take(
        [
            visit(1, MONDAY_S),
            visit(1, MONDAY_S, rev=1),
            visit(2, MONDAY_S),
            visit(2, MONDAY_S, rev=1, retracted=True),
            visit(3, MONDAY_S, direction="out"),
            visit(4, MONDAY_S),
            visit(5, MONDAY_S),
            visit(5, MONDAY_S, rev=1, retracted=True),
            visit(5, MONDAY_S, rev=2),
        ]
    )
    assert days.days() == [FlipDay("2026-03-02", 3, 0)]


def test_days_are_local_and_only_the_last_are_kept() -> None:
    late_s = datetime(2026, 3, 2, 23, 30, tzinfo=UTC).timestamp()
    days = FlipDays(ZoneInfo("Europe/Berlin"), [FlipDay("2026-03-03", 5, 4)])
    days.take([visit(1, late_s)])
    assert days.days() == [FlipDay("2026-03-03", 6, 4)]
    for number in range(2 * DAYS_KEPT):
        days.take(a_day(late_s + number * DAY_S, 1, 0))
    assert [len(days.days()), days.days()[-1].day] == [DAYS_KEPT, "2026-03-18"]
