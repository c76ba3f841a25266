"""The day in figures, made of the day's facts (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, Quality, TryOn

HOUR_S = 3600.0
ENOUGH = 0.95
"""Of an hour's time that is to be well seen for the hour to be called good."""
QUALITIES: tuple[Quality, ...] = ("good", "degraded", "blind")


@dataclass(frozen=True)
class HourOfDay:
    """One hour of the local day. `entered` and `left` are None where no interval of it was told: unknown."""

    begin_s: float
    entered: int | None = None
    left: int | None = None
    quality: Quality | None = None


@dataclass(frozen=True)
class ZoneStays:
    """How long people stayed in a zone."""

    zone: str
    stays: int
    median_s: float
    total_s: float


@dataclass(frozen=True)
class ArticleCounts:
    """How often the tags of an article were turned over, by somebody who was seen, and tried on."""

    sku: str
    turned: int
    by_somebody: int
    tried_on: int


def hours(facts: Iterable[Footfall], day_s: tuple[float, float], now_s: float) -> list[HourOfDay]:
    """Every hour of the day that has begun."""
    by_hour: dict[int, list[Footfall]] = defaultdict(list)
    for fact in facts:
        by_hour[int((fact.start_s - day_s[0]) // HOUR_S)].append(fact)
    count = int(max(0.0, min(now_s, day_s[1]) - day_s[0]) // HOUR_S) + 1
    return [_hour(day_s[0] + number * HOUR_S, by_hour.get(number, []), now_s) for number in range(count)]


def _hour(begin_s: float, facts: list[Footfall], now_s: float) -> HourOfDay:
    if not facts:
        return HourOfDay(begin_s)
    by_entrance: dict[str, dict[Quality, float]] = defaultdict(lambda: dict.fromkeys(QUALITIES, 0.0))
    for fact in facts:
        by_entrance[fact.entrance][fact.quality] += max(0.0, fact.end_s - fact.start_s)
    is_over = now_s >= begin_s + HOUR_S
    qualities = [_quality(seconds, is_over) for seconds in by_entrance.values()]
    worst: Quality = max(qualities, key=QUALITIES.index)
    return HourOfDay(begin_s, sum(fact.entered for fact in facts), sum(fact.left for fact in facts), worst)


def _quality(seconds: dict[Quality, float], is_over: bool) -> Quality:
    """Of one entrance in one hour, by how long it was seen how well; what was not told was not seen."""
    told_s = sum(seconds.values())
    if seconds["good"] >= ENOUGH * (HOUR_S if is_over else told_s):
        return "good"
    return "blind" if seconds["blind"] >= told_s else "degraded"


def stays(facts: Iterable[Dwell]) -> list[ZoneStays]:
    """By zone, the longest first."""
    by_zone: dict[str, list[float]] = defaultdict(list)
    for fact in facts:
        by_zone[fact.zone].append(fact.dwell_s)
    found = [
        ZoneStays(zone, len(lengths), median(lengths), sum(lengths)) for zone, lengths in by_zone.items()
    ]
    return sorted(found, key=lambda stay: -stay.total_s)


def flows(facts: Iterable[Flow]) -> list[tuple[str, str, int]]:
    """From, to, how many; the most first, by name where they are as many."""
    counts: Counter[tuple[str, str]] = Counter()
    for fact in facts:
        counts[fact.origin, fact.destination] += fact.transitions
    return [(*way, counts[way]) for way in sorted(counts, key=lambda way: (-counts[way], way)) if counts[way]]


def garments(
    flips: Iterable[Flip], interactions: Iterable[Interaction], tried: Iterable[TryOn]
) -> list[ArticleCounts]:
    """By article, the most handled first; tags that the shop does not list are one."""

    def name(fact: Flip | Interaction | TryOn) -> str:
        return fact.sku or "not listed"

    turned = Counter(map(name, flips))
    handled = Counter(name(fact) for fact in interactions if fact.visitor is not None)
    worn = Counter(map(name, tried))
    skus = sorted({*turned, *handled, *worn}, key=lambda sku: (-turned[sku], sku))
    return [ArticleCounts(sku, turned[sku], handled[sku], worn[sku]) for sku in skus]


def heat(
    facts: Sequence[Heatmap], wanted: Callable[[float], bool] = lambda _: True
) -> dict[tuple[float, float, float], float]:
    """Person-seconds by cell (left, top, side in metres), of intervals whose begin is `wanted`."""
    cells: dict[tuple[float, float, float], float] = defaultdict(float)
    for fact in facts:
        if wanted(fact.start_s):
            x0, y0 = fact.origin_m
            for cell in fact.cells:
                place = (x0 + cell.column * fact.cell_m, y0 + cell.row * fact.cell_m, fact.cell_m)
                cells[place] += cell.person_s
    return dict(cells)
