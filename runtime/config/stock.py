"""A stock list beside store.yaml (`epcs_file`): CSV or Parquet with the columns epc, sku and fixture.

Large lists belong here: a table is quick to write from the store's own system and to read. Other columns are
left alone. `name` stands for `fixture` where there is no column of that name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime.config.mistakes import Mistake, did_you_mean
from runtime.config.parsing.draft import Draft, StockRow
from runtime.config.sections import Sku

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 500_000
MAX_SKU = 64
MOST_NOTED = 1_000
COLUMNS = "the columns epc, sku and, where the store has several fixtures, fixture"

Cells = tuple[str, str, str]
"""EPC, SKU and fixture as they are written; empty where a column is not there."""


class StockFault(Exception):
    """A list that cannot be read; caught where it is noted."""

    def __init__(self, wrong: str, right: str, line: int = 0) -> None:
        super().__init__(wrong)
        self.mistake = (wrong, right, line)


def read_stock(draft: Draft) -> None:
    """Fills `draft.stock` from every `epcs_file`, noting each mistake at its file and line."""
    if draft.epcs_file is not None:
        alone = draft.fixtures[0][0] if len(draft.fixtures) == 1 else None
        _read(draft, "epcs_file", draft.epcs_file, alone)
    for index, fixture in draft.fixtures:
        if fixture.epcs_file is not None:
            _read(draft, f"fixtures[{index}].epcs_file", fixture.epcs_file, index)


def place_stock(draft: Draft) -> None:
    """Gives every fixture the articles that the stock lists have for it, after those of store.yaml."""
    found: dict[int, dict[str, list[str]]] = {}
    for row in draft.stock:
        found.setdefault(row.fixture, {}).setdefault(row.sku, []).append(row.epc)
    draft.fixtures = [
        (
            index,
            msgspec.structs.replace(
                fixture,
                skus=[*fixture.skus, *(Sku(sku=sku, epcs=epcs) for sku, epcs in found[index].items())],
            )
            if index in found
            else fixture,
        )
        for index, fixture in draft.fixtures
    ]


class _Wanted(NamedTuple):
    """What rows may name: fixtures by name, None for one that has mistakes itself; and whose the list is."""

    fixtures: dict[str, int | None]
    alone: int | None
    """The fixture of rows that name none."""
    is_its_own: bool
    """The list is that fixture's, so rows may not name another."""


def _read(draft: Draft, path: str, file: Path, alone: int | None) -> None:
    fixtures: dict[str, int | None] = dict.fromkeys(draft.names["fixtures"])
    fixtures.update({fixture.name: index for index, fixture in draft.fixtures})
    wanted = _Wanted(fixtures, alone, is_its_own=path != "epcs_file")
    found: list[tuple[str, str, int]] = []
    try:
        for line, cells in _rows(file):
            wrong = _judge(cells, wanted)
            if wrong is not None:
                found.append((*wrong, line))
                continue
            epc, sku, name = cells
            place = wanted.fixtures[name] if name else alone
            if place is not None:
                draft.stock.append(StockRow(file, line, place, sku, epc))
    except StockFault as fault:
        found.append(fault.mistake)
    if len(found) > MOST_NOTED:
        found[MOST_NOTED:] = [(f"{len(found) - MOST_NOTED} more mistakes", "mend those first", 0)]
    draft.notes.mistakes += [Mistake(path, *one, file=file) for one in found]


def _judge(cells: Cells, wanted: _Wanted) -> tuple[str, str] | None:
    """What is wrong with a row and what would be right; None for one that is sound."""
    epc, sku, name = cells
    if not sku or len(sku) > MAX_SKU or not sku.isprintable():
        wrong = f"{sku[:MAX_SKU]!r} is no article number" if sku else "no article number"
        return wrong, f"sku has 1 to {MAX_SKU} characters"
    if not epc:
        return "no EPC", "epc has hex digits such as 3034257BF7194E4000001A85"
    if name and name not in wanted.fixtures:
        known = list(wanted.fixtures)
        listed = f"one of {', '.join(known[:10])}" if known else "no fixture is configured under fixtures"
        return f"there is no fixture {name!r}", did_you_mean(name, known, otherwise=listed)
    if name and wanted.is_its_own and wanted.fixtures[name] != wanted.alone:
        return f"this list is not that of fixture {name!r}", "leave the column fixture out"
    if not name and wanted.alone is None:
        return "no fixture is named", "give the column fixture, for the store has not just one"
    return None


def _rows(file: Path) -> Iterator[tuple[int, Cells]]:
    """Every row with its line. Raises StockFault."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise StockFault(f"larger than {MAX_BYTES // 2**20} MiB", "split it, one list a fixture")
        found = _parquet_rows(file) if file.suffix.lower() == ".parquet" else _csv_rows(file)
        for count, row in enumerate(found, start=1):
            if count > MAX_ROWS:
                raise StockFault(
                    f"more than {MAX_ROWS} rows", "give patterns with * for whole series", row[0]
                )
            yield row
    except OSError as error:
        raise StockFault(
            (error.strerror or "cannot be read").lower(), "a CSV or Parquet file beside store.yaml"
        ) from error


def _csv_rows(file: Path) -> Iterator[tuple[int, Cells]]:
    """Commas, semicolons or tabs, as the header has them."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        try:
            header = stream.readline()
            delimiter = max(",;\t", key=header.count)
            columns = _columns(next(csv.reader([header], delimiter=delimiter), []))
            reader = csv.reader(stream, delimiter=delimiter)
            for cells in reader:
                if any(cells):
                    yield reader.line_num + 1, _cells(columns, cells)
        except UnicodeDecodeError as error:
            raise StockFault(f"byte {error.start} is not UTF-8 text", "save the file as UTF-8") from error
        except csv.Error as error:
            raise StockFault(f"no CSV ({error})", "one row a tag") from error


def _parquet_rows(file: Path) -> Iterator[tuple[int, Cells]]:
    """Rows are numbered from 1, without a header."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise StockFault(
            "a Parquet file is read with pyarrow, which is not installed", "install it, or save a CSV"
        ) from error
    try:
        with ParquetFile(file) as table:
            names = [str(name) for name in table.schema_arrow.names]
            columns = _columns(names)
            line = 0
            for batch in table.iter_batches(columns=[names[at] for at in columns if at is not None]):
                empty = [None] * batch.num_rows
                values = (empty if at is None else batch.column(names[at]).to_pylist() for at in columns)
                for epc, sku, name in zip(*values, strict=True):
                    line += 1
                    yield line, (_text(epc), _text(sku), _text(name))
    except ArrowException as error:
        raise StockFault(f"no Parquet ({str(error).splitlines()[0]})", "one row a tag") from error


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _columns(names: Iterable[str]) -> tuple[int | None, int | None, int | None]:
    """Where epc, sku and fixture are. Raises StockFault where one of the first two is missing."""
    at = {name.strip().lower(): index for index, name in reversed(list(enumerate(names)))}
    for wanted in ("epc", "sku"):
        if wanted not in at:
            raise StockFault(f"no column {wanted}", f"a header with {COLUMNS}", 1)
    return at["epc"], at["sku"], at.get("fixture", at.get("name"))


def _cells(columns: tuple[int | None, int | None, int | None], cells: list[str]) -> Cells:
    epc, sku, name = (cells[at].strip() if at is not None and at < len(cells) else "" for at in columns)
    return epc, sku, name
