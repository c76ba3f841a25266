"""Rows of answers become what a page shows. Plain functions; nothing here asks anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fleet.board.asked import Row

PART_S = 60.0
"""An hour in which entrances were not seen for so long together is called seen in part."""
STAGES = ("seen_near", "handled", "tried_on", "bought")
STAGE_WORDS = {"seen_near": "seen near", "handled": "handled", "tried_on": "tried on", "bought": "bought"}


@dataclass(frozen=True)
class Seen:
    """How far counts can be relied on: seconds that cameras were blind, all together, and events lost. None
    where nobody has told."""

    blind_s: float | None
    missing: int | None

    @property
    def level(self) -> str:
        if self.blind_s is None:
            return "unknown"
        return "fair" if self.blind_s or self.missing else "good"


def seen(rows: Iterable[Row]) -> Seen:
    """Of the rows of `dws_coverage_day`."""
    found = list(rows)
    if not found:
        return Seen(None, None)
    return Seen(
        round(sum(row["blind_s"] or 0.0 for row in found), 1),
        sum(row["missing_events"] or 0 for row in found),
    )


@dataclass(frozen=True)
class ShopHour:
    """One local hour of one store. Counts are None where no camera saw anything of it."""

    hour: int
    entered: int | None
    left: int | None
    blind_s: float
    quality: str
    """`good`, `part`, `blind`, or `untold`."""
    persons_max: int | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None


def hours(footfall: Sequence[Row], occupancy: Sequence[Row], coming: Mapping[int, Row]) -> list[ShopHour]:
    """From the first to the last hour that anything says something of."""
    by_hour: dict[int, list[Row]] = defaultdict(list)
    for row in footfall:
        by_hour[row["local_hour"]].append(row)
    most = {row["local_hour"]: row["persons_max"] for row in occupancy if row["zone_name"] == ""}
    opening = {hour for hour, row in coming.items() if (row["high"] or 0) >= 0.5}
    told = sorted({*by_hour, *opening})
    if not told:
        return []
    return [
        _hour(hour, by_hour[hour], most.get(hour), coming.get(hour, {}))
        for hour in range(told[0], told[-1] + 1)
    ]


def _hour(hour: int, rows: Sequence[Row], most: int | None, coming: Mapping[str, Any]) -> ShopHour:
    intervals, blind = sum(row["intervals"] for row in rows), sum(row["blind_intervals"] for row in rows)
    blind_s = round(sum(row["blind_s"] or 0.0 for row in rows), 1)
    if not intervals:
        quality = "untold"
    elif blind == intervals:
        quality = "blind"
    else:
        quality = "part" if blind or blind_s >= PART_S else "good"
    is_known = quality in ("good", "part")
    return ShopHour(
        hour,
        sum(row["entered"] for row in rows) if is_known else None,
        sum(row["went_out"] for row in rows) if is_known else None,
        blind_s,
        quality,
        most,
        coming.get("expected"),
        coming.get("low"),
        coming.get("high"),
    )


@dataclass(frozen=True)
class ShopDay:
    """One day of one store, as the week shows it. None: nothing was told."""

    day: date
    entered: int | None
    visitors: int | None
    handled: int | None
    tried_on: int | None
    bought: int | None
    plan_entered: int | None
    plan_sold: int | None
    seen: Seen
    expected: float | None = None


def days(
    first: date,
    count: int,
    stores: Sequence[Row],
    plans: Sequence[Row],
    coverage: Sequence[Row],
    coming: Mapping[str, float],
) -> list[ShopDay]:
    """So many days from `first`."""
    by_day, plan = _by_day(stores), _by_day(plans)
    holes = defaultdict(list)
    for row in coverage:
        holes[row["local_day"]].append(row)
    found = []
    for at in range(count):
        day = first + timedelta(days=at)
        name = day.isoformat()
        row, planned = by_day.get(name, {}), plan.get(name, {})
        found.append(
            ShopDay(
                day,
                entered=row.get("entered"),
                visitors=row.get("visitors"),
                handled=row.get("handled"),
                tried_on=row.get("tried_on"),
                bought=row.get("bought"),
                plan_entered=planned.get("plan_entered"),
                plan_sold=planned.get("plan_sold"),
                seen=seen(holes[name]),
                expected=coming.get(name),
            )
        )
    return found


def _by_day(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["local_day"]: row for row in rows}


def total(rows: Iterable[Any], key: str) -> int | None:
    """The sum of what is known; None where nothing is."""
    values = [row[key] if isinstance(row, dict) else getattr(row, key) for row in rows]
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@dataclass(frozen=True)
class ArticleWay:
    """An article's way from the rack to the till, here and in the other stores."""

    sku: str
    place: str
    seen_near: int
    handled: int
    tried_on: int
    bought: int
    elsewhere: float | None
    """Handled of 100 seen near, in the other stores that may be seen; None where it is in none."""

    @property
    def handled_share(self) -> float | None:
        return share(self.handled, self.seen_near)


def articles(funnel: Sequence[Row], everywhere: Sequence[Row], places: Mapping[str, str]) -> list[ArticleWay]:
    """By article over the days asked for, the most handled first."""
    here, all_stores = _sums(funnel), _sums(everywhere)
    found = []
    for sku, own in here.items():
        others = {stage: all_stores.get(sku, own)[stage] - own[stage] for stage in STAGES}
        elsewhere = share(others["handled"], others["seen_near"])
        found.append(ArticleWay(sku, places.get(sku, ""), elsewhere=elsewhere, **own))
    return sorted(found, key=lambda one: (-one.handled, -one.bought, -one.seen_near, one.sku))


def _sums(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        own = sums.setdefault(row["sku"], dict.fromkeys(STAGES, 0))
        for stage in STAGES:
            own[stage] += row[stage] or 0
    return sums


def share(part: float | None, whole: float | None) -> float | None:
    """Of 100; None where there is no whole."""
    return 100.0 * (part or 0) / whole if whole else None
