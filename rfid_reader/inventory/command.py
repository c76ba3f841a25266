"""`tagsight rfid inventory`: what hangs where, by a recording or by what a box remembers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from rfid_reader.inventory.levels import PERIOD_S, TagLevels
from rfid_reader.inventory.places import PlaceRules, StockChange, TagPlace, TagPlaces
from rfid_reader.inventory.state import load_stock
from rfid_reader.reads import ReadTable, read_chunks
from tagsight.epc_schemes import sgtin

SHORTEST_HOLD_S = 20.0
HOLD_SHARE = 0.6
"""Of a recording that is shorter than the usual rules ask for, so much decides where a tag is."""
AWAY_S = 60.0
"""Without a read for longer a recording says that the reader was away, not what hangs there."""
READER = ""


class RecordedStock(NamedTuple):
    """Where tags are at the end, what was told on the way, and the EPCs of which nothing is said."""

    tags: list[TagPlace]
    changes: list[StockChange]
    nowhere: list[str]


def slots_of(chunks: Iterator[ReadTable]) -> Iterator[tuple[float, ReadTable]]:
    """The end of each PERIOD_S of a recording in time order, and its reads; none of a short silence."""
    end_s = None
    waiting: list[ReadTable] = []
    for chunk in chunks:
        left = chunk
        while len(left):
            if end_s is None:
                end_s = float(left.time_s[0]) + PERIOD_S
            later = np.flatnonzero(left.time_s >= end_s)
            inside = int(later[0]) if len(later) else len(left)
            waiting.append(left.take(slice(0, inside)))
            left = left.take(slice(inside, None))
            if len(left):
                yield end_s, ReadTable.concatenate(waiting)
                away = float(left.time_s[0]) > end_s + AWAY_S
                waiting, end_s = [], PERIOD_S + (float(left.time_s[0]) if away else end_s)
    if end_s is not None:
        yield end_s, ReadTable.concatenate(waiting)


def inventory_of(path: Path, names: dict[int, str]) -> RecordedStock:
    """By a read table; `names` of antenna ports' places, others are called by their port."""
    first_s, last_s, ports = np.inf, -np.inf, set(names)
    for chunk in read_chunks(path):
        if len(chunk):
            first_s, last_s = min(first_s, chunk.time_s.min()), max(last_s, chunk.time_s.max())
            ports |= set(np.unique(chunk.antenna).tolist())
    usual = PlaceRules()
    span_s = max(float(last_s - first_s), 0.0) if ports and np.isfinite(last_s) else 0.0
    hold_s = min(usual.hold_s, max(SHORTEST_HOLD_S, HOLD_SHARE * span_s))
    rules = PlaceRules(usual.margin_db, usual.change_db, hold_s, usual.gone_s)
    places = TagPlaces({(READER, port): names.get(port, f"antenna {port}") for port in sorted(ports)}, rules)
    levels, changes, read = TagLevels(), [], set()
    for end_s, reads in slots_of(read_chunks(path)):
        levels.feed(reads)
        tags = levels.take()
        read |= {epc for epc, _ in tags}
        places.hear(READER, tags, end_s)
        changes += places.judge(end_s)
    told = {change.epc for change in changes}
    return RecordedStock(places.whereabouts(), changes, sorted(read - told))


def _names(given: tuple[str, ...]) -> dict[int, str]:
    names = {}
    for one in given:
        port, _, name = one.partition("=")
        if not port.isdigit() or not 1 <= int(port) <= 255 or not name.strip():
            raise click.BadParameter(f"{one!r} is not like 1=shirts", param_hint="--place")
        names[int(port)] = name.strip()
    return names


def _row(tag: TagPlace) -> dict[str, object]:
    item = sgtin(tag.epc)
    return {
        "epc": tag.epc,
        "place": tag.place,
        "since_s": round(tag.since_s, 3),
        "gtin": None if item is None else item.gtin,
        "serial": None if item is None else item.serial,
    }


def _when(time_s: float) -> str:
    """Local time, or seconds for a moment that no calendar has."""
    try:
        return datetime.fromtimestamp(time_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_s:.0f} s"


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--place", "given", multiple=True, metavar="PORT=NAME", help="What an antenna's place is called."
)
@click.option("--json", "as_json", is_flag=True, help="Print tags, and what changed on the way, as JSON.")
def inventory(source: Path, given: tuple[str, ...], as_json: bool) -> None:
    """Print what hangs where: of a read table, or of a box's stock.json in its state folder.

    A tag is at the place whose antenna reads it best, once that has been so for a while; EPCs that are SGTINs
    are told as GTIN and serial. Several antennas may have one place.

    \b
    Example:
      tagsight rfid inventory reads.csv --place 1=shirts --place 2=coats
      tagsight rfid inventory /var/lib/tagsight/stock.json
    """
    if source.suffix.lower() == ".json":
        found = RecordedStock(load_stock(source).tags, [], [])
    else:
        found = inventory_of(source, _names(given))
    if as_json:
        events = [change._asdict() for change in found.changes]
        rows = [_row(tag) for tag in found.tags]
        click.echo(json.dumps({"tags": rows, "events": events, "nowhere": found.nowhere}))
        return
    for place in sorted({tag.place for tag in found.tags}):
        own = [tag for tag in found.tags if tag.place == place]
        click.echo(f"{place}: {len(own)} tag{'s' if len(own) > 1 else ''}")
        for tag in own:
            item = sgtin(tag.epc)
            what = "" if item is None else f"  GTIN {item.gtin}, serial {item.serial}"
            click.echo(f"  {tag.epc}  since {_when(tag.since_s)}{what}")
    if found.changes:
        told = Counter(change.change for change in found.changes)
        click.echo(", ".join(f"{told[kind]} {kind}" for kind in ("arrived", "moved", "departed")))
    if found.nowhere:
        click.echo(
            f"{len(found.nowhere)} tags are read too seldom, or at no place for long enough "
            f"(first: {found.nowhere[0]})"
        )
    if not found.tags and not found.nowhere:
        click.echo("no tags")
