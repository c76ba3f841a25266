"""`tagsight report`: one day in figures, as files."""

from __future__ import annotations

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from runtime.config import load_at_work
from runtime.config.checks.console import missing_packages
from tagsight.errors import TagsightError


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The store's store.yaml."
)
@click.option("--day", default="yesterday", show_default=True, help="2026-11-29, today or yesterday.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the files; here if not given."
)
def report(config_path: Path, day: str, out: Path) -> None:
    """Write one day as a page of its own (HTML), tables (CSV) and a heatmap (PNG).

    Made of the events that this box still has on disk: retention.events_days of them.

    \b
    Example:
      tagsight report --config /etc/tagsight/store.yaml --day yesterday --out reports
    """
    if names := missing_packages():
        raise TagsightError(f"packages are missing ({', '.join(names)}): pip install 'tagsight[console]'")
    from runtime.console.days.past import parse_day, read_day
    from runtime.console.days.report import heat_png, report_html
    from runtime.console.days.tables import tables_of
    from runtime.console.shown import ShownStore
    from web.table import csv_of

    config, now_s = load_at_work(config_path, clips_needed=False), time.time()
    zone, shown = ZoneInfo(config.site.timezone), ShownStore.of(config)
    wanted = parse_day(day, zone, now_s)
    book = read_day(config.outbox_path(), zone, wanted, now_s)
    if book.fault:
        raise TagsightError(book.fault)
    name = wanted.isoformat()
    files = {
        f"report-{name}.html": report_html(config.site.name, wanted, book, shown, zone).encode(),
        f"heat-{name}.png": heat_png(book, shown),
    }
    for table, make in tables_of(book, zone).items():
        files[f"{table}-{name}.csv"] = csv_of(*make()).encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (out / file).write_bytes(data)
    except OSError as error:
        raise TagsightError(
            f"{out}: cannot be written ({error.strerror}); choose a folder of yours"
        ) from error
    entered, left = (sum(counts[side] for counts in book.gates().values()) for side in (0, 1))
    click.echo(f"{name}: {entered} came in, {left} went out; {len(files)} files in {out.absolute()}")
