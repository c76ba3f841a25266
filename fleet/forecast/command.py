"""`tagsight fleet forecast`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
import msgspec

from fleet.errors import FleetError

FILE = click.Path(dir_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--db", type=FILE, required=True, help="The warehouse's file.")
@click.option("--days", type=click.IntRange(1, 180), default=90, show_default=True, help="How far.")
@click.option("--out", type=FILE, required=True, help="The Parquet file to write.")
@click.option(
    "--model",
    type=click.Choice(["lightgbm", "blend", "median"]),
    default="lightgbm",
    show_default=True,
    help="How it is forecast; blend adds a net (extra train).",
)
@click.option("--country", help="Whose public holidays count, ISO 3166: NZ.")
@click.option("--subdivision", help="A part of the country: AUK.")
@click.option("--closed", type=DAY, multiple=True, help="A day on which all shops are shut; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def forecast(
    db: Path,
    days: int,
    out: Path,
    model: str,
    country: str | None,
    subdivision: str | None,
    closed: tuple[datetime, ...],
    as_json: bool,
) -> None:
    """Footfall of every entrance for the days to come, hour by hour, with the range that holds in 80 %.

    One sentence says of each entrance that has no forecast why.

    \b
    Example:
      tagsight fleet forecast --db warehouse.db --days 90 --country NZ --out forecast.parquet
    """
    from fleet.forecast.calendar import of_country
    from fleet.forecast.files import footfall, write
    from fleet.forecast.run import forecast as run

    history = footfall(db)
    first = history.first_day.astype("datetime64[Y]").astype(int) + 1970
    last = (history.first_day + history.days + days).astype("datetime64[Y]").astype(int) + 1970
    calendar = of_country(country, subdivision, range(first - 1, last + 2), [day.date() for day in closed])
    found = run(history, calendar, days, model)
    if not found.parts:
        raise FleetError(f"{db}: no entrance can be forecast. {'; '.join(found.sentences)}")
    rows = write(found, history, out)
    if as_json:
        begins = str(history.first_day + history.days)
        models = {part.model: len(part.columns) for part in found.parts}
        told = {"file": str(out), "rows": rows, "begins": begins, "entrances": models}
        click.echo(msgspec.json.encode({**told, "sentences": found.sentences}).decode())
        return
    for sentence in found.sentences:
        click.echo(sentence)
    click.echo(f"{out}: {rows} hours of {sum(len(part.columns) for part in found.parts)} entrances")
