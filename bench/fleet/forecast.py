"""`tagsight bench forecast`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np
import numpy.typing as npt

from bench.fleet import streets
from bench.fleet.forecast_scores import Off, covered, floor_of, off, summed
from fleet.errors import FleetError
from fleet.forecast.boosted import Settings
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import Median
from fleet.forecast.run import forecast as run
from fleet.forecast.run import pooled
from fleet.forecast.series import DAY, Floats, Panel

DAYS = 90
MEDIANS = (4, 8, 12)
YOUNG_WEEKS = 2
NET_STEPS = (400, 150)
"""Of the net that is blended, and of each in its ablation: what a shared core does in minutes."""
BEFORE_2025 = ("2023-12-01", "2024-02-15", "2024-05-01", "2024-07-20", "2024-10-01")
"""Settings were chosen on these, without the sensors set aside."""
JUDGED = (
    *("2025-01-01", "2025-02-08", "2025-03-18", "2025-04-25"),
    *("2025-06-02", "2025-07-10", "2025-08-17", "2025-10-02"),
)


class Beginning(NamedTuple):
    """One beginning: how far each was off, the range's hits and hours."""

    begins: str
    by_name: dict[str, Off]
    hits: tuple[int, int]


@click.command()
@click.option("--chosen-on", is_flag=True, help="The beginnings before 2025 that settings are chosen on.")
@click.option("--net", is_flag=True, help="The published net, its ablation and blend, before 2025 (torch).")
@click.option("--judged", is_flag=True, help="With --net: the chosen blend on the beginnings of 2025.")
@click.option("--quick", is_flag=True, help="Two beginnings before 2025, few rows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def forecast(chosen_on: bool, net: bool, judged: bool, quick: bool, as_json: bool) -> None:
    """Footfall 90 days ahead on real counts: lightgbm against medians, thinned counts, young shops.

    A Poisson floor stands beside every figure: what a perfect forecast would still be off.

    \b
    Example:
      tagsight bench forecast --quick
    """
    panel, calendar = streets.streets(), streets.auckland()
    aside = streets.set_aside(panel)
    is_chosen_on = chosen_on or (net and not judged)
    begins: tuple[str, ...] = BEFORE_2025 if is_chosen_on or quick else JUDGED
    if is_chosen_on:
        panel = panel.only(np.setdiff1d(np.arange(len(panel.names)), aside))
    settings = Settings(rows=20_000, rounds=60) if quick else Settings()
    begins = begins[-2:] if quick else begins
    found: dict[str, Any] = {"sensors": len(panel.names), "begins": list(begins), "days": DAYS}

    def told(part: str, result: dict[str, Any]) -> None:
        found[part] = result
        if not as_json:
            for name, value in result.items():
                click.echo(f"{part:15} {name:24} {msgspec.json.encode(value).decode()}")

    if net:
        _net(panel, calendar, begins, settings, quick, judged, told)
        if as_json:
            click.echo(msgspec.json.encode(found).decode())
        return
    told("all", _figures(list(_judged(panel, panel.counts, None, calendar, begins, settings, not as_json))))
    if not chosen_on:
        ours = list(_judged(panel, panel.counts, aside, calendar, begins[::2], settings, False))
        told("set aside", _figures(ours))
        few, expected = streets.thinned(panel)
        told("thinned", _figures(list(_judged(few, expected, None, calendar, begins[::2], settings, False))))
        told("two weeks old", _figures(list(_young(panel, aside, calendar, begins[1::2], settings))))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())


def _net(
    panel: Panel,
    calendar: KnownDays,
    begins: tuple[str, ...],
    settings: Settings,
    is_quick: bool,
    is_judged: bool,
    told: Callable[[str, dict[str, Any]], None],
) -> None:
    """Raises FleetError without torch."""
    try:
        import torch

        from bench.fleet.forecast_blend import compared
    except ImportError as error:
        raise FleetError(f"not run: the net needs torch: pip install 'tagsight[train]' ({error})") from None
    torch.set_num_threads(1)
    compared(panel, calendar, begins, DAYS, settings, (4, 2) if is_quick else NET_STEPS, is_judged, told)


def _judged(
    panel: Panel,
    expected: Floats,
    columns: npt.NDArray[np.intp] | None,
    calendar: KnownDays,
    begins: tuple[str, ...],
    settings: Settings,
    is_told: bool,
) -> Iterator[Beginning]:
    """All models at each beginning, all learning from all sensors; scores of some columns or all.

    `expected` is the true expectation of thinned counts, else the counts themselves.
    """
    shown = np.arange(len(panel.names)) if columns is None else columns
    for begin in begins:
        day = np.datetime64(begin)
        history = panel.until(day)
        ahead = slice(history.days * DAY, (history.days + DAYS) * DAY)
        counts = panel.counts[ahead][:, shown]
        is_holiday = np.repeat(calendar.days(day, DAYS).holiday > 0, DAY)
        by_name = {}
        for weeks in MEDIANS:
            median = Median(weeks)
            said = median.fit(history, calendar, DAYS).forecast(history, calendar, DAYS)
            by_name[median.name] = off(counts, said[:, shown], is_holiday)
        (ours,) = run(history, calendar, DAYS, settings=settings).parts
        by_name["lightgbm"] = off(counts, ours.expected[:, shown], is_holiday)
        if expected is panel.counts:
            by_name["floor"] = floor_of(ours.expected[:, shown], counts, is_holiday)
        else:
            by_name["floor"] = off(counts, expected[ahead][:, shown], is_holiday)
        one = Beginning(begin, by_name, covered(counts, ours.low[:, shown], ours.high[:, shown]))
        if is_told:
            wapes = "  ".join(f"{name} {each.wape:.3f}" for name, each in by_name.items())
            click.echo(f"{begin}  WAPE: {wapes}  range {one.hits[0] / one.hits[1]:.3f}")
        yield one


def _young(
    panel: Panel,
    columns: npt.NDArray[np.intp],
    calendar: KnownDays,
    begins: tuple[str, ...],
    settings: Settings,
) -> Iterator[Beginning]:
    """The sensors set aside as if they were two weeks old; the others are all that is learnt from."""
    others = np.setdiff1d(np.arange(len(panel.names)), columns)
    for begin in begins:
        day = np.datetime64(begin)
        history = panel.until(day)
        known = history.counts.copy()
        known[: -YOUNG_WEEKS * 7 * DAY, columns] = np.nan
        young = history._replace(counts=known)
        counts = panel.counts[history.days * DAY : (history.days + DAYS) * DAY][:, columns]
        is_holiday = np.repeat(calendar.days(day, DAYS).holiday > 0, DAY)
        by_name = {}
        for weeks in (2,):
            said = Median(weeks).forecast(young, calendar, DAYS)[:, columns]
            by_name[Median(weeks).name] = off(counts, said, is_holiday)
        ours = pooled(young, calendar, DAYS, others, columns, YOUNG_WEEKS, settings)
        by_name["lightgbm"] = off(counts, ours.expected, is_holiday)
        by_name["floor"] = floor_of(ours.expected, counts, is_holiday)
        yield Beginning(begin, by_name, covered(counts, ours.low, ours.high))


def _figures(judged: list[Beginning]) -> dict[str, Any]:
    names = list(judged[0].by_name)
    parts: dict[str, list[Off]] = defaultdict(list)
    for one in judged:
        for name, each in one.by_name.items():
            parts[name].append(each)
    sums = {name: summed(parts[name]) for name in names}
    medians = [name for name in names if name.startswith("median")]
    best = min(medians, key=lambda name: sums[name].wape)
    ratios = [
        round(one.by_name["lightgbm"].wape / min(one.by_name[name].wape for name in medians), 3)
        for one in judged
    ]
    hits, hours = (sum(one.hits[part] for one in judged) for part in (0, 1))
    return {
        **{name: each._asdict() for name, each in sums.items()},
        "best median": best,
        "wape to best median": round(sums["lightgbm"].wape / sums[best].wape, 3),
        "to best at each": ratios,
        "beaten everywhere": max(ratios) < 1,
        "holidays to first median": round(sums["lightgbm"].wape_holidays / sums[medians[0]].wape_holidays, 3),
        "range covers": round(hits / hours, 3),
        "range at each": [round(one.hits[0] / one.hits[1], 3) for one in judged],
    }
