"""`tagsight bench identity`: one visitor across cameras that do not overlap, on shops whose truth is known.

The product's identity code sees what `visitors` simulates, three times: with all it has, without
transit times, and with looks alone. Figures are by stage, for transit times are learned on the way.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from bench.vision.identity.plot import draw
from bench.vision.identity.visitors import AREA_M2, ENTRANCE, SimulatedSights, frames, simulate
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.entrances import EntranceCounter
from runtime.store.people.arrivals import Arrivals
from runtime.store.people.identity import GlobalTracks, Source
from runtime.store.people.links import LINK, Links

STAGE_TRACKS = 250
METHODS = {
    "place, transit, looks": (True, True),
    "place, looks": (True, False),
    "looks": (False, False),
}
MIB = 2**20


class MethodFigures(msgspec.Struct, frozen=True):
    """What one method made of the shops. `idf1` weighs tracks by their length; by stage of `STAGE_TRACKS`."""

    method: str
    idf1: float
    idf1_by_stage: tuple[float, ...]
    links: int
    false_links: float
    """Share of links that join two visitors."""
    false_merges: float
    """Share of tracks that are with a person who is another visitor for the most part."""
    visits_error: float
    """Relative error of how many came in."""
    persons_per_visitor: float
    ms_a_second: float
    """CPU time by second of shop time."""
    grown_mb: float
    """Resident memory at the end over that after the first quarter."""


class IdentityReport(msgspec.Struct, frozen=True):
    """All methods on the same shops."""

    seeds: int
    first_seed: int
    link: float
    tracks: int
    shop_seconds: float
    methods: tuple[MethodFigures, ...]


@dataclass
class _Played:
    """One shop as one method saw it."""

    person_of: dict[Source, int] = field(default_factory=dict)
    points: Counter[Source] = field(default_factory=Counter)
    told: Counter[tuple[int, Source]] = field(default_factory=Counter)
    into: dict[int, int] = field(default_factory=dict)
    links: list[tuple[int, int]] = field(default_factory=list)
    came_in: int = 0
    busy_s: float = 0.0
    quarter_mb: float = 0.0
    end_mb: float = 0.0

    def person(self, source: Source) -> int | None:
        """Whose a track is in the end."""
        number = self.person_of.get(source)
        while number in self.into:
            number = self.into[number]
        return number


def play(shop: SimulatedSights, uses_place: bool, learns_transit: bool, link: float = LINK) -> _Played:
    """Let the product's code see a shop."""
    arrivals = Arrivals(AREA_M2, (ENTRANCE,))
    links = Links(AREA_M2, arrivals, uses_place=uses_place, learns_transit=learns_transit, link=link)
    people = GlobalTracks(AREA_M2, entrances=(ENTRANCE,), links=links)
    coverage = CoverageMeter(("0",), 0.0, 60.0)
    counter = EntranceCounter(replace(ENTRANCE, cameras=("0",)), coverage)
    played, linked = _Played(), 0
    begun_s = time.process_time()
    for records in frames(shop):
        time_s, points = records[0].time_s, []
        coverage.frame("0", time_s)
        for record in records:
            points += people.observe(record.camera, time_s, record.persons, record.ended)
        points += people.advance(time_s)
        crossings = [*counter.observe(points), *counter.advance(time_s)]
        for gone, into in people.joinings():
            crossings += counter.join(gone, into)
            played.into[gone] = into
            if people.counts["linked"] > linked:
                played.links.append((gone, into))
        linked = people.counts["linked"]
        for crossing in crossings:
            people.went(crossing.person, crossing.direction == "out" and not crossing.retracted)
            if crossing.direction == "in":
                played.came_in += -1 if crossing.retracted else 1
        for point in points:
            played.person_of[point.source] = point.person
            played.points[point.source] += 1
            played.told[point.person, point.source] += 1
        if not played.quarter_mb and time_s > shop.seconds / 4:
            played.quarter_mb = _resident_mb()
    played.busy_s = time.process_time() - begun_s
    played.end_mb = _resident_mb()
    return played


def idf1(shop: SimulatedSights, played: _Played, sources: Sequence[Source]) -> float:
    """Identity F1 over these tracks, each weighing as many points as it has."""
    hits: defaultdict[tuple[int, int], int] = defaultdict(int)
    total = told = 0
    for source in sources:
        weight, person = played.points[source], played.person(source)
        total += weight
        if person is not None:
            told += weight
            hits[shop.whose[source], person] += weight
    visitors, persons = sorted({one for one, _ in hits}), sorted({other for _, other in hits})
    table = np.zeros((len(visitors), len(persons)))
    for (one, other), weight in hits.items():
        table[visitors.index(one), persons.index(other)] = weight
    rows, columns = linear_sum_assignment(table, maximize=True)
    return 2 * float(table[rows, columns].sum()) / max(1, total + told)


def false_links(shop: SimulatedSights, played: _Played) -> int:
    """Links whose two persons were different visitors for the most part."""
    main = _visitor_of(shop, ((person, source, n) for (person, source), n in played.told.items()))
    return sum(main.get(gone) != main.get(into) for gone, into in played.links)


def false_merges(shop: SimulatedSights, played: _Played) -> float:
    """Share of tracks that are with a person who is another visitor for the most part."""
    persons = {source: played.person(source) for source in played.person_of}
    main = _visitor_of(shop, ((person, each, played.points[each]) for each, person in persons.items()))
    return sum(main[person] != shop.whose[each] for each, person in persons.items()) / len(shop.whose)


def _visitor_of(
    shop: SimulatedSights, parts: Iterable[tuple[int | None, Source, int]]
) -> dict[int | None, int]:
    """Whom a person shows for the most part, of tracks with their weights."""
    whose: defaultdict[int | None, Counter[int]] = defaultdict(Counter)
    for person, source, weight in parts:
        whose[person][shop.whose[source]] += weight
    return {person: count.most_common(1)[0][0] for person, count in whose.items()}


def figures(method: str, shops: Sequence[SimulatedSights], link: float = LINK) -> MethodFigures:
    """One method on all shops."""
    runs = [(shop, play(shop, *METHODS[method], link)) for shop in shops]
    order = [sorted(shop.whose, key=lambda each, shop=shop: shop.begun_s[each]) for shop in shops]  # type: ignore[misc]
    stages = max(1, min(len(each) for each in order) // STAGE_TRACKS)
    by_stage = [
        np.mean(
            [
                idf1(shop, run, mine[stage * STAGE_TRACKS : (stage + 1) * STAGE_TRACKS])
                for (shop, run), mine in zip(runs, order, strict=True)
            ]
        )
        for stage in range(stages)
    ]
    links = sum(len(run.links) for _, run in runs)
    wrong = sum(false_links(shop, run) for shop, run in runs)
    persons = [len({run.person(each) for each in run.person_of}) / shop.visits for shop, run in runs]
    return MethodFigures(
        method=method,
        idf1=round(float(np.mean([idf1(shop, run, list(shop.whose)) for shop, run in runs])), 4),
        idf1_by_stage=tuple(round(float(each), 4) for each in by_stage),
        links=links,
        false_links=round(wrong / max(1, links), 4),
        false_merges=round(float(np.mean([false_merges(shop, run) for shop, run in runs])), 4),
        visits_error=round(max(abs(run.came_in - shop.visits) / shop.visits for shop, run in runs), 4),
        persons_per_visitor=round(float(np.mean(persons)), 3),
        ms_a_second=round(1e3 * sum(run.busy_s for _, run in runs) / sum(shop.seconds for shop in shops), 2),
        grown_mb=round(max(run.end_mb - run.quarter_mb for _, run in runs), 2),
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


@click.command()
@click.option("--seeds", type=click.IntRange(1, 100), default=10, show_default=True, help="So many shops.")
@click.option(
    "--first-seed", type=int, default=11, show_default=True, help="Of the first; 1 to 3 were tuned on."
)
@click.option(
    "--link", type=click.FloatRange(0.5, 1), default=LINK, show_default=True, help="Probability that links."
)
@click.option("--tracks", type=click.IntRange(50, 200_000), default=1500, show_default=True, help="Of each.")
@click.option("--people", type=click.IntRange(1, 200), default=30, show_default=True, help="At a time.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw IDF1 by stage (.png).")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def identity(
    seeds: int, first_seed: int, link: float, tracks: int, people: int, plot: Path | None, as_json: bool
) -> None:
    """One visitor across eight cameras: identities against looks alone, false merges, visits, cost.

    \b
    Example:
      tagsight bench identity --json
    """
    shops = [simulate(seed, tracks, people) for seed in range(first_seed, first_seed + seeds)]
    seconds = round(float(np.mean([shop.seconds for shop in shops])), 1)
    report = IdentityReport(
        seeds, first_seed, link, tracks, seconds, tuple(figures(method, shops, link) for method in METHODS)
    )
    if plot is not None:
        draw({each.method: each.idf1_by_stage for each in report.methods}, STAGE_TRACKS, plot)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
        return
    table = Table(title=f"{seeds} shops, {tracks} tracks each, {people} people at a time, {seconds:.0f} s")
    for name in (
        "",
        "IDF1",
        "by stage",
        "links",
        "false",
        "merged",
        "visits off",
        "persons a visitor",
        "ms/s",
        "MB",
    ):
        table.add_column(name)
    for each in report.methods:
        table.add_row(
            each.method,
            f"{each.idf1:.3f}",
            " ".join(f"{stage:.2f}" for stage in each.idf1_by_stage),
            str(each.links),
            f"{each.false_links:.1%}",
            f"{each.false_merges:.1%}",
            f"{each.visits_error:.1%}",
            f"{each.persons_per_visitor:.2f}",
            f"{each.ms_a_second:.2f}",
            f"{each.grown_mb:.1f}",
        )
    Console().print(table)
