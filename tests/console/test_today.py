"""The day in figures: unknown is not zero."""

from __future__ import annotations

from contract.facts import Cell, Dwell, Flow, Footfall, Heatmap, Quality
from runtime.console.days.figures import flows, heat, hours, stays

DAY_S = (1_000_800.0, 1_000_800.0 + 86_400)
HOUR_S = 3_600.0


def footfall(hour: float, seconds: float, quality: Quality = "good", entrance: str = "door") -> Footfall:
    start_s = DAY_S[0] + hour * HOUR_S
    return Footfall(
        key=f"{entrance}{start_s}",
        time_s=start_s + seconds,
        entrance=entrance,
        start_s=start_s,
        end_s=start_s + seconds,
        entered=3,
        left=1,
        quality=quality,
    )


def test_an_hour_of_which_nothing_was_told_is_unknown() -> None:
    found = hours([footfall(1, HOUR_S)], DAY_S, DAY_S[0] + 2.5 * HOUR_S)
    assert [(hour.entered, hour.quality) for hour in found] == [(None, None), (3, "good"), (None, None)]


def test_an_hour_is_as_good_as_its_worst_entrance() -> None:
    facts = [footfall(0, HOUR_S), footfall(0, HOUR_S, "blind", "back")]
    (hour,) = hours(facts, DAY_S, DAY_S[0] + HOUR_S - 1)
    assert (hour.entered, hour.quality) == (6, "blind")


def test_an_hour_of_which_half_was_not_told_is_degraded_once_it_is_over() -> None:
    facts = [footfall(0, HOUR_S / 2)]
    assert hours(facts, DAY_S, DAY_S[0] + 2_000)[0].quality == "good"
    assert hours(facts, DAY_S, DAY_S[0] + 2 * HOUR_S)[0].quality == "degraded"


def test_stays_and_ways_and_heat_are_added_up() -> None:
    dwells = [
        Dwell(key=str(n), time_s=0, visitor="v", zone=zone, enter_s=0, leave_s=s, dwell_s=s)
        for n, (zone, s) in enumerate((("a", 10.0), ("a", 30.0), ("b", 100.0)))
    ]
    assert [(one.zone, one.stays, one.median_s, one.total_s) for one in stays(dwells)] == [
        ("b", 1, 100.0, 100.0),
        ("a", 2, 20.0, 40.0),
    ]
    ways = [
        Flow(key=str(n), time_s=0, origin="a", destination=to, start_s=0, end_s=1, transitions=n)
        for n, to in enumerate(("b", "b", "c"))
    ]
    assert flows(ways) == [("a", "c", 2), ("a", "b", 1)]
    maps = [
        Heatmap(
            key=str(n),
            time_s=0,
            start_s=n * 10.0,
            end_s=0,
            zones={},
            cells=(Cell(1, 2, 4.0),),
            origin_m=(-1.0, 0.0),
            cell_m=0.5,
        )
        for n in range(2)
    ]
    assert heat(maps) == {(-0.5, 1.0, 0.5): 8.0}
    assert heat(maps, lambda start_s: start_s >= 10) == {(-0.5, 1.0, 0.5): 4.0}
