"""Every revision of every fact as typed rows: what Flink is given, kind by kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from fleet.ingest.calendar import Calendar, zone_of
from fleet.ingest.columns import HEAD, LISTS
from fleet.ingest.rows import FactRow, RowReader, Unreadable, Value

Row: TypeAlias = tuple[Value, ...]
SITE, REV, TIME, TIMEZONE = 1, 4, 6, len(HEAD)
"""Places in a row: up to its revision it is the fact's name."""


def histories(lines: Sequence[bytes]) -> dict[str, list[Row]]:
    """By kind, and by list of a kind: each revision once, as it came first, and when first.

    Local days are by the time zone that each store told last, so the lines are read twice. What cannot be
    read is left out.
    """
    calendar = Calendar()
    reader = RowReader(calendar)
    zones: dict[str, tuple[float, str]] = {}
    for row in _read(reader, lines):
        if row.kind == "store":
            told = (float(row.values[TIME] or 0.0), str(row.values[TIMEZONE]))
            site = str(row.values[SITE])
            zones[site] = max(zones.get(site, told), told)
    for site, (_, zone) in zones.items():
        calendar.set_zone(site, zone_of(zone))
    found: dict[str, list[Row]] = {}
    places: dict[Row, int] = {}
    tables = {kind: table for (kind, _), table in LISTS.items()}
    for row in _read(reader, lines):
        own = found.setdefault(row.kind, [])
        name = row.values[SITE : REV + 1]
        place = places.setdefault((row.kind, *name), len(own))
        if place < len(own):
            if row.values[SITE:] == own[place][SITE:]:
                own[place] = (_earlier(row.values[0], own[place][0]), *row.values[SITE:])
            continue
        own.append(row.values)
        if row.kind in tables:
            found.setdefault(tables[row.kind], []).extend((*name, *item) for item in row.listed)
    return found


def _earlier(one: Value, other: Value) -> Value:
    """Of two moments at which the same came, where both are known."""
    return min(one, other) if isinstance(one, float) and isinstance(other, float) else other


def _read(reader: RowReader, lines: Sequence[bytes]) -> Iterable[FactRow]:
    for line in lines:
        try:
            yield reader.read(line)
        except Unreadable:
            continue
