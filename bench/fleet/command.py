"""`tagsight bench fleet`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from bench.fleet import parts
from bench.fleet.sizes import draw, measure
from fleet.errors import FleetError

VISITORS = 10
"""A day, of most shops of `--sizes`."""


@click.command()
@click.option("--seeds", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
@click.option("--stores", type=click.IntRange(2, 200), default=12, show_default=True, help="Of a seed.")
@click.option("--days", type=click.IntRange(1, 30), default=3, show_default=True, help="Of a seed.")
@click.option("--quick", is_flag=True, help="Two small seeds and small parts.")
@click.option("--sizes", help="Only this: cost an event with so many shops in one warehouse, as 10,100,1000.")
@click.option("--take-over", type=click.IntRange(1), help="Only this: kill -9 the service so many times.")
@click.option("--batch", type=click.IntRange(1), help="With --sizes: so many lines at a time.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="With --sizes: draw it there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fleet(
    seeds: int,
    stores: int,
    days: int,
    quick: bool,
    sizes: str | None,
    take_over: int | None,
    batch: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """The warehouse: every row on many seeds, cost against plain inserts, kills, slow queries, backfill.

    Ends with 1 where a row differs.

    \b
    Example:
      tagsight bench fleet --quick
      tagsight bench fleet --sizes 10,100,1000 --plot sizes.png
    """
    if sizes is not None:
        _sizes(sizes, batch, plot)
        return
    if take_over is not None:
        click.echo(msgspec.json.encode(_killed(take_over)).decode())
        return
    if quick:
        seeds, stores, days = 2, 3, 1
    found: dict[str, Any] = {}

    def told(part: str, result: Any) -> None:
        found[part] = result
        if not as_json:
            click.echo(f"{part:22} {msgspec.json.encode(result).decode()}")

    runs = parts.seeds(seeds, stores, days)
    told(
        "seeds",
        {
            "seeds": len(runs),
            "answers": runs[0].answers,
            "events": sum(one.events for one in runs),
            "rows_compared": sum(one.rows for one in runs),
            "differing_rows": sum(one.differing_rows for one in runs),
            "least_events_per_cpu_s": min(one.events_per_cpu_s for one in runs),
            "most_peak_mb": max(one.peak_mb for one in runs),
            "revised_share": min(one.revised_share for one in runs),
        },
    )
    told("without the rule", {"differing_rows": parts.without_the_rule(stores, days)})
    told("plain inserts", parts.against_plain_inserts(stores, days))
    told("one large shop", parts.giant_refresh(60 if quick else 2000))
    told("kills", parts.kills(3 if quick else 10, 2 if quick else 4))
    try:
        told("slow query", parts.slow_query(1.0))
    except FleetError as error:
        click.echo(f"slow query             not run: {error}", err=True)
    if not quick:
        told("take over", _killed(4))
    told("backfill beside live", parts.backfill_beside_live(2 if quick else stores, 1 if quick else days))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    rows = sum(one.get("differing_rows", 0) for part, one in found.items() if part != "without the rule")
    if rows or not found["without the rule"]["differing_rows"]:
        sys.exit(1)


def _killed(times: int) -> dict[str, Any]:
    """What it needs is in a checkout only."""
    from bench.fleet.takeover import take_over

    return take_over(times)


def _sizes(told: str, batch: int | None, plot: Path | None) -> None:
    try:
        counts = [int(one) for one in told.split(",")]
    except ValueError as error:
        raise click.UsageError(f"--sizes {told}: numbers of shops, as 10,100,1000, would be right") from error
    found = []
    for count in counts:
        found.append(measure(count, VISITORS, batch=batch))
        click.echo(msgspec.json.encode(found[-1]).decode())
    if plot is not None:
        draw(found, plot)
        click.echo(plot)
