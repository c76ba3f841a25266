"""One seed through Flink itself, once as a batch and once as a stream, every row compared with the oracle.

    eval "$(scripts/fetch-flink)"; "$FLINK_PYTHON" -m bench.fleet.flink --seed 1

Not a command of tagsight: it needs a Python with PyFlink, which needs packages of its own. Flink reads the
typed rows from files and prints each change of each model; the changes are added up here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from fleet.flink.histories import Row, histories
from fleet.flink.script import SETTINGS, sources, views
from fleet.ingest.columns import HEAD, KINDS, LIST_COLUMNS
from fleet.load import arrivals, oracle
from fleet.load.compare import differing_rows
from fleet.models.texts import tables

TAKEN_BACK = ("-U", "-D")
KEY = ("site", "device", "fact_key", "rev")


@click.command()
@click.option("--stores", type=click.IntRange(1), default=4, show_default=True)
@click.option("--days", type=click.IntRange(1), default=2, show_default=True)
@click.option("--visitors", type=click.IntRange(1), default=25, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--mode", type=click.Choice(["batch", "streaming"]), help="Only this one, in this process.")
@click.option("--rows", type=click.Path(path_type=Path), hidden=True)
@click.option("--reserved", is_flag=True, help="Print the words that Flink's parser keeps for itself.")
def flink(
    stores: int, days: int, visitors: int, seed: int, mode: str | None, rows: Path | None, reserved: bool
) -> None:
    """Compare Flink's answers with the oracle's; ends with 1 where a row differs."""
    if reserved:
        click.echo("\n".join(_reserved()))
        return
    if mode is not None and rows is not None:
        _run(rows, mode)
        return
    with tempfile.TemporaryDirectory(prefix="tagsight-flink-") as name:
        folder = Path(name)
        lines = folder / "lines.jsonl"
        events = arrivals.write(lines, stores=stores, days=days, seed=seed, visitors=visitors, shuffled=True)
        _write(folder / "rows", histories(lines.read_bytes().splitlines()))
        expected = oracle.answers(lines)
        worst = 0
        for each in [mode] if mode else ["batch", "streaming"]:
            began_s = time.monotonic()
            changes, found = _answers(folder / "rows", each)
            differing = {
                model: differing_rows(model, found[model], wanted) for model, wanted in expected.items()
            }
            told = {
                "mode": each,
                "events": events,
                "answers": len(expected),
                "rows": sum(map(len, expected.values())),
                "changes": changes,
                "differing_rows": sum(differing.values()),
                "differing": {model: count for model, count in differing.items() if count},
                "took_s": round(time.monotonic() - began_s, 1),
            }
            click.echo(json.dumps(told))
            worst = max(worst, sum(differing.values()))
    sys.exit(1 if worst else 0)


def _write(folder: Path, found: dict[str, list[Row]]) -> None:
    """A folder a table, with one file of JSON lines."""
    names = {kind.name: [column.name for column in kind.columns] for kind in KINDS.values()}
    head = [column.name for column in HEAD if column.name in KEY]
    names |= {table: head + [column.name for column in own] for table, own in LIST_COLUMNS.items()}
    for table, columns in names.items():
        (folder / table).mkdir(parents=True)
        with (folder / table / "rows.json").open("w") as file:
            for row in found.get(table, []):
                file.write(json.dumps(dict(zip(columns, row, strict=True))) + "\n")


def _run(folder: Path, mode: str) -> None:
    """In a process of its own: what Flink prints is its stdout."""
    from pyflink.table import EnvironmentSettings, TableEnvironment

    is_batch = mode == "batch"
    settings = EnvironmentSettings.in_batch_mode() if is_batch else EnvironmentSettings.in_streaming_mode()
    environment = TableEnvironment.create(settings)
    environment.get_config().set("parallelism.default", "1")
    for name, value in SETTINGS.items():
        if name.startswith("table.") and not is_batch:
            environment.get_config().set(name, value)
    source = {"connector": "filesystem", "path": f"file://{folder}/{{name}}", "format": "json"}
    for statement in [*sources(source), *views()]:
        environment.execute_sql(statement)
    job = environment.create_statement_set()
    for name, model in tables().items():
        columns = ", ".join(f"CAST({column} AS STRING)" for column in model.columns)
        texts = ", ".join(f"{column} STRING" for column in model.columns)
        environment.execute_sql(
            f"CREATE TEMPORARY TABLE out_{name} ({texts})"
            f" WITH ('connector' = 'print', 'print-identifier' = '{name}')"
        )
        job.add_insert_sql(f"INSERT INTO out_{name} SELECT {columns} FROM {name}")
    job.execute().wait()


def _answers(folder: Path, mode: str) -> tuple[int, dict[str, list[Any]]]:
    """How many changes Flink told, and each model's rows when they are added up."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "bench.fleet.flink",
        "--mode",
        mode,
        "--rows",
        str(folder),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    models = tables()
    counts: dict[str, dict[tuple[Any, ...], int]] = {name: {} for name in models}
    changes = 0
    for line in done.stdout.splitlines():
        name, mark, rest = line.partition("> ")
        if not mark or name not in models:
            continue
        changes += 1
        kind, values = rest[:2], rest[3:-1].split(", ")
        row = tuple(map(_value, values, models[name].columns.values()))
        counts[name][row] = counts[name].get(row, 0) + (-1 if kind in TAKEN_BACK else 1)
    return changes, {
        name: [row for row, count in found.items() for _ in range(count)] for name, found in counts.items()
    }


def _value(text: str, kind: str) -> Any:
    if text == "null":
        return None
    if kind == "BOOLEAN":
        return text.upper() == "TRUE"
    return float(text) if kind == "REAL" else int(text) if kind == "INTEGER" else text


def _reserved() -> list[str]:
    """From the parser's own table of words."""
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    module = jvm.org.apache.flink.table.planner.loader.PlannerModule.getInstance()
    loaded = module.getClass().getDeclaredField("submoduleClassLoader")
    loaded.setAccessible(True)
    parser_class = loaded.get(module).loadClass("org.apache.flink.sql.parser.impl.FlinkSqlParserImpl")
    parser = parser_class.getField("FACTORY").get(None).getParser(jvm.java.io.StringReader("SELECT 1"))
    metadata = parser.getMetadata()
    return sorted(word for word in metadata.getTokens() if metadata.isReservedWord(word))


if __name__ == "__main__":
    flink()
