"""`tagsight fleet`."""

from __future__ import annotations

import hashlib
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

import click
import msgspec

from fleet.errors import FleetError
from fleet.forecast.command import forecast
from fleet.guide.command import guide
from fleet.mirror.command import catalogue, embeddings, mirror

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def fleet() -> None:
    """Many shops' events in one warehouse: load test, answers, history.

    \b
    Example:
      tagsight fleet load --stores 8 --days 2 --seed 1 --json
      tagsight fleet answers footfall --db warehouse.db
    """


@fleet.command()
@click.option(
    "--stores", type=click.IntRange(1, 10_000), default=8, show_default=True, help="How many shops."
)
@click.option("--days", type=click.IntRange(1, 366), default=2, show_default=True, help="How many days.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--engine",
    type=click.Choice(["embedded", "flink"]),
    default="embedded",
    show_default=True,
    help="Which engine takes the lines in.",
)
@click.option("--visitors", type=click.IntRange(1), default=60, show_default=True, help="A day and shop.")
@click.option(
    "--events",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take these lines of real events instead of making some up.",
)
@click.option("--shuffled", is_flag=True, help="Lines arrive in random order.")
@click.option("--last-holds", is_flag=True, help="Break the rule of revisions, to see that it is noticed.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep lines and warehouse there."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def load(
    stores: int,
    days: int,
    seed: int,
    engine: str,
    visitors: int,
    events: Path | None,
    shuffled: bool,
    last_holds: bool,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Make up a day of many shops, run it through, compare every answer with an independent one.

    Ends with 1 where a row differs.

    \b
    Example:
      tagsight fleet load --stores 50 --days 7 --seed 3 --json
    """
    from fleet.load.run import run, run_on

    if engine == "flink":
        raise FleetError(
            "no Flink runs in this version: tagsight fleet flink-sql prints its job; take --engine embedded"
        )
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-fleet-")))
        else:
            folder = keep
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise FleetError(f"{folder}: not empty; give a new folder for --keep")
        if events is not None:
            result = run_on(events, folder)
        else:
            result = run(
                folder,
                stores=stores,
                days=days,
                seed=seed,
                visitors=visitors,
                shuffled=shuffled,
                highest_holds=not last_holds,
            )
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    else:
        for name, value in msgspec.structs.asdict(result).items():
            click.echo(f"{name:18} {value}")
    if result.differing_rows:
        sys.exit(1)


@fleet.command()
@click.argument("name", required=False)
@click.option("--db", type=FILE, help="The warehouse's file.")
@click.option("--site", "sites", multiple=True, help="Only this store; repeatable.")
@click.option("--from", "first_day", default="0000-01-01", help="First local day, YYYY-MM-DD.")
@click.option("--to", "last_day", default="9999-12-31", help="Last local day, YYYY-MM-DD.")
@click.option(
    "--minutes", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Of time-outs."
)
@click.option("--now", "now_s", type=float, help="As of this moment, UTC seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def answers(
    name: str | None,
    db: Path | None,
    sites: tuple[str, ...],
    first_day: str,
    last_day: str,
    minutes: float,
    now_s: float | None,
    as_json: bool,
) -> None:
    """Answer the question NAME; without one, list them.

    \b
    Example:
      tagsight fleet answers footfall --db warehouse.db --site plaza --from 2026-11-01 --json
    """
    from fleet.serve.asking import Asked, ask, opened, questions

    if name is None:
        for each, question in questions().items():
            click.echo(f"{each:22} {question.about}")
        return
    if db is None:
        raise click.UsageError("--db is needed: the warehouse's file")
    with ExitStack() as stack:
        opened_db = opened(db)
        stack.callback(opened_db.close)
        rows = ask(opened_db, name, Asked(sites or None, first_day, last_day, minutes, now_s))
    if as_json:
        click.echo(msgspec.json.encode({"answer": name, "rows": rows}).decode())
        return
    for row in rows:
        click.echo("  ".join(f"{column} {'-' if value is None else value}" for column, value in row.items()))


@fleet.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--db", type=FILE, default=Path("warehouse.db"), show_default=True, help="The warehouse's file."
)
@click.option("--json", "as_json", is_flag=True, help="Print what became of the lines as JSON.")
def backfill(files: tuple[Path, ...], db: Path, as_json: bool) -> None:
    """Take in FILES: JSON lines of events and records, or CSV of sales, stock or plans.

    In any order, also while live events come, and more than once: of each fact the highest revision holds.

    \b
    Example:
      tagsight fleet backfill demo-out/events.jsonl sales.csv --db warehouse.db
    """
    from fleet.embedded.feeding import ROOM_S, feed_file
    from fleet.embedded.warehouse import Warehouse

    warehouse = Warehouse(db)
    try:
        lines = {str(file): feed_file(warehouse, file, told=lambda _: time.sleep(ROOM_S)) for file in files}
        counters = warehouse.counters()
    finally:
        warehouse.close()
    if as_json:
        click.echo(msgspec.json.encode({"lines": lines, "counters": counters}).decode())
        return
    for file, count in lines.items():
        click.echo(f"{file}: {count} lines")
    click.echo("in the warehouse by now: " + ", ".join(f"{count} {name}" for name, count in counters.items()))


@fleet.command()
def schema() -> None:
    """Print the JSON Schema of what tills and planners hand in: a sale, a line of a stock list, a plan's day.

    \b
    Example:
      tagsight fleet schema > records.schema.json
    """
    from fleet.ingest.records import schema_of_records

    click.echo(msgspec.json.format(msgspec.json.encode(schema_of_records()), indent=2))


@fleet.command()
@click.option("--config", type=FILE, required=True, help="fleet.yaml.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
@click.option(
    "--standby", is_flag=True, help="Wait until the one that serves there is gone, then go on for it."
)
def serve(config: Path, seconds: float | None, standby: bool) -> None:
    """Fill a warehouse from the consumer's store and files; pages and answers over HTTP.

    Ends on SIGINT or SIGTERM. A second one with --standby takes over within seconds where the first one dies.

    \b
    Example:
      tagsight fleet serve --config fleet.yaml
      tagsight fleet serve --config fleet.yaml --standby
    """
    from fleet.serve.service import serve as run_service
    from fleet.serve.settings import load as load_settings

    run_service(load_settings(config), seconds, standby=standby)


@fleet.command()
@click.option("--db", type=FILE, help="The warehouse's file, as it is.")
@click.option("--events", type=FILE, help="A consumer's store; with --known, as it was known then.")
@click.option("--known", type=click.DateTime(), help="End of what was known, UTC.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "epcis", "cloudevents"]),
    default="parquet",
    show_default=True,
    help="Tables; or of --events (a store, or JSON lines) what happened to garments, or all as CloudEvents.",
)
@click.option("--places", help="EPCIS: the URI that readers and racks are named below.")
def export(
    db: Path | None, events: Path | None, known: datetime | None, out: Path, form: str, places: str | None
) -> None:
    """Write every table as a Parquet file, as it is or as it was known at a moment; or events in other forms.

    \b
    Example:
      tagsight fleet export --db warehouse.db --out tables
      tagsight fleet export --events events.db --known 2026-11-02 --out tables
      tagsight fleet export --format epcis --events demo-out/events.jsonl --out exchange
    """
    if form != "parquet":
        _export_events(form, events, known, out, places)
        return
    from fleet.serve.export import export as write_tables
    from fleet.serve.export import export_as_known

    if events is not None and known is not None and db is None:
        files = export_as_known(events, known.replace(tzinfo=timezone.utc).timestamp(), out)
    elif db is not None and events is None and known is None:
        if not db.exists():
            raise FleetError(f"{db}: no warehouse there; give the file of one with --db")
        files = write_tables(db, out)
    else:
        raise click.UsageError("give --db, or --events with --known")
    click.echo(f"{out}: {len(files)} tables")


def _export_events(
    form: str, events: Path | None, known: datetime | None, out: Path, places: str | None
) -> None:
    from fleet.exchange import epcis, files

    if events is None:
        raise click.UsageError(f"--format {form} is made of events: give --events")
    until_s = None if known is None else known.replace(tzinfo=timezone.utc).timestamp()
    bodies = files.bodies(events, until_s)
    if form == "epcis":
        file = out / "garments.jsonld"
        count, strange = files.write_epcis(bodies, file, places or epcis.PLACES, time.time())
    else:
        file = out / "cloudevents.jsonl"
        count, strange = files.write_cloud_events(bodies, file)
    click.echo(f"{file}: {count} events" + (f"; {strange} lines are no events of ours" if strange else ""))


@fleet.command("flink-sql")
@click.option("--kafka", default="localhost:9092", show_default=True, help="Where the rows' topics are.")
@click.option(
    "--jdbc", default="jdbc:postgresql://localhost/fleet", show_default=True, help="Where tables go."
)
def flink_sql(kafka: str, jdbc: str) -> None:
    """Print the models as one Flink SQL job: a Kafka topic a kind in, a table a model out.

    \b
    Example:
      tagsight fleet flink-sql --kafka kafka:9092 > job.sql
    """
    from fleet.flink.script import script

    source = {
        "connector": "kafka",
        "topic": "tagsight.fleet.{name}",
        "properties.bootstrap.servers": kafka,
        "scan.startup.mode": "earliest-offset",
        "format": "json",
    }
    click.echo(script(source, {"connector": "jdbc", "url": jdbc, "table-name": "{name}"}), nl=False)


@fleet.command()
def token() -> None:
    """Draw a token for a user of the service, and print it with the line for fleet.yaml.

    \b
    Example:
      tagsight fleet token
    """
    drawn = secrets.token_urlsafe(32)
    digest = hashlib.sha256(drawn.encode()).hexdigest()
    click.echo(f"token         {drawn} (to the user; it is kept nowhere)\ntoken_sha256  {digest}")


for command in (forecast, catalogue, embeddings, mirror, guide):
    fleet.add_command(command)
