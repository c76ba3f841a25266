"""Tag reads: the one record type of this room, and its files.

A `ReadTable` holds reads as columns, in the order in which they were heard:

=========== ======== =====================================================
time_s      float64  UTC seconds
epc         str      lower-case hex
antenna     int16    LLRP antenna id, from 1
channel     int16    LLRP ChannelIndex, from 1; 0 = unknown
rssi_dbm    float64  received power; NaN = unknown
phase_rad   float64  0 .. 2 pi; NaN = unknown
=========== ======== =====================================================

The same columns are the header of the CSV files (`.gz`: compressed), and the column names of Parquet files
(which need `pyarrow`). A file is read in chunks, so a long capture needs little memory.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from rfid_reader.errors import ReadTableError
from rfid_reader.read_cells import PARSERS, sound_column, text_of

COLUMNS = ("time_s", "epc", "antenna", "channel", "rssi_dbm", "phase_rad")
CHUNK_ROWS = 16_384
TWO_PI = 2 * math.pi


@dataclass(frozen=True)
class ReadTable:
    """Tag reads as columns of equal length; see the module's docstring for units."""

    time_s: NDArray[np.float64]
    epc: NDArray[np.str_]
    antenna: NDArray[np.int16]
    channel: NDArray[np.int16]
    rssi_dbm: NDArray[np.float64]
    phase_rad: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time_s)

    @classmethod
    def empty(cls) -> ReadTable:
        return cls.from_columns([], [], [], [], [], [])

    @classmethod
    def from_columns(
        cls,
        time_s: Any,
        epc: Any,
        antenna: Any,
        channel: Any,
        rssi_dbm: Any,
        phase_rad: Any,
    ) -> ReadTable:
        """Build a table from any sequences of equal length."""
        return cls(
            np.asarray(time_s, np.float64),
            np.asarray(epc, np.str_),
            np.asarray(antenna, np.int16),
            np.asarray(channel, np.int16),
            np.asarray(rssi_dbm, np.float64),
            np.asarray(phase_rad, np.float64),
        )

    @classmethod
    def concatenate(cls, tables: Sequence[ReadTable]) -> ReadTable:
        if not tables:
            return cls.empty()
        return cls(*(np.concatenate([getattr(t, name) for t in tables]) for name in COLUMNS))

    def take(self, rows: Any) -> ReadTable:
        """The rows of an index array, boolean mask or slice, in that order."""
        return ReadTable(*(getattr(self, name)[rows] for name in COLUMNS))

    def in_time_order(self) -> ReadTable:
        """The same reads ordered by time; reads of the same time keep their order."""
        if len(self) < 2 or bool(np.all(np.diff(self.time_s) >= 0)):
            return self
        return self.take(np.argsort(self.time_s, kind="stable"))


def _open_text(path: Path, mode: str, encoding: str = "utf-8") -> IO[str]:
    """A CSV file; compressed where its name ends in .gz. Raises OSError."""
    if path.suffix.lower() == ".gz":
        return cast(IO[str], gzip.open(path, mode + "t", encoding=encoding, errors="replace", newline=""))
    return path.open(mode, encoding=encoding, errors="replace", newline="")


def _header_fault(header: Sequence[str], missing: str) -> str:
    """Why a first line is none of a read table's."""
    line = ",".join(header)
    right = f"a read table's first line is {','.join(COLUMNS)}"
    if "\0" in line or "\ufffd" in line:
        return f"not text in UTF-8; {right}"
    for other, name in ((";", "semicolons"), ("\t", "tabs")):
        if missing in line.split(other):
            return f"its columns are parted by {name}, commas would be right; {right}"
    return f"column {missing!r} is missing; {right}"


def _csv_header(path: Path, rows: Iterator[list[str]]) -> list[str]:
    """Names of the columns; none where the first line is not CSV."""
    try:
        return [name.strip() for name in next(rows, [])]
    except csv.Error:
        return []
    except (OSError, EOFError, zlib.error) as error:
        raise ReadTableError(f"{path}: cannot be read: {error}") from None


def _csv_chunks(path: Path, chunk_rows: int) -> Iterator[ReadTable]:
    with _open_text(path, "r", "utf-8-sig") as file:
        rows = csv.reader(file)
        header = _csv_header(path, rows)
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise ReadTableError(f"{path}: {_header_fault(header, missing[0])}")
        places = [header.index(name) for name in COLUMNS]
        columns: list[list[Any]] = [[] for _ in COLUMNS]
        try:
            for row in rows:
                if not row:
                    continue
                for values, name, place in zip(columns, COLUMNS, places, strict=True):
                    try:
                        values.append(PARSERS[name](row[place]))
                    except (ValueError, IndexError) as error:
                        reason = "the value is missing" if isinstance(error, IndexError) else str(error)
                        raise ReadTableError(f"{path}: line {rows.line_num}: {name}: {reason}") from None
                if len(columns[0]) >= chunk_rows:
                    yield ReadTable.from_columns(*columns)
                    columns = [[] for _ in COLUMNS]
        except csv.Error as error:
            raise ReadTableError(f"{path}: line {rows.line_num}: not CSV: {error}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise ReadTableError(f"{path}: line {rows.line_num}: cannot be read further: {error}") from None
        if columns[0]:
            yield ReadTable.from_columns(*columns)


def _pyarrow(path: Path) -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ReadTableError(f"{path}: Parquet needs the package pyarrow; install it or use CSV") from None


def _parquet_chunks(path: Path, chunk_rows: int) -> Iterator[ReadTable]:
    parquet = _pyarrow(path)
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow's errors derive from these
        raise ReadTableError(f"{path}: not a Parquet file: {error}") from None
    missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise ReadTableError(
            f"{path}: column {missing[0]!r} is missing; a read table has {', '.join(COLUMNS)}"
        )
    row = 0
    batches = file.iter_batches(batch_size=chunk_rows, columns=list(COLUMNS))
    while True:
        try:
            batch = next(batches, None)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ReadTableError(f"{path}: row {row + 1}: cannot be read further: {reason}") from None
        if batch is None:
            return
        columns = [_parquet_column(path, name, batch.column(name), row) for name in COLUMNS]
        row += len(batch)
        yield ReadTable.from_columns(*columns)


def _parquet_column(path: Path, name: str, column: Any, before: int) -> Any:
    """One column of a batch that begins after `before` rows of the file."""
    values = sound_column(name, column)
    if values is not None:
        return values
    cells: list[Any] = []
    for row, value in enumerate(column.to_pylist(), start=before + 1):
        try:
            cells.append(PARSERS[name](text_of(value)))
        except ValueError as error:
            raise ReadTableError(f"{path}: row {row}: {name}: {error}") from None
    return cells


def read_chunks(path: str | Path, chunk_rows: int = CHUNK_ROWS) -> Iterator[ReadTable]:
    """Yield a file's reads in chunks of at most `chunk_rows`, in file order.

    Raises ReadTableError with the file, line, column and what would be right.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise ReadTableError(f"{path}: {what}; a read table is a CSV or Parquet file")
    if path.suffix.lower() == ".parquet":
        return _parquet_chunks(path, chunk_rows)
    return _csv_chunks(path, chunk_rows)


def load_reads(path: str | Path) -> ReadTable:
    """Read a whole read table (CSV, or Parquet by its suffix)."""
    return ReadTable.concatenate(list(read_chunks(path)))


def _csv_lines(reads: ReadTable) -> Iterator[str]:
    columns = (getattr(reads, name).tolist() for name in COLUMNS)
    for time_s, epc, antenna, channel, rssi_dbm, phase_rad in zip(*columns, strict=True):
        rssi = "" if math.isnan(rssi_dbm) else f"{rssi_dbm:.2f}"
        phase = "" if math.isnan(phase_rad) else f"{phase_rad:.5f}"
        yield f"{time_s:.6f},{epc},{antenna},{channel},{rssi},{phase}\n"


class CaptureFile:
    """Writes reads to a CSV or Parquet read table as they come.

    `max_rows` bounds the file: reads beyond it are counted in `dropped`, not written.
    """

    def __init__(self, path: str | Path, max_rows: int = 500_000_000) -> None:
        self.path = Path(path)
        self.max_rows = max_rows
        self.rows = 0
        self.dropped = 0
        self._csv: IO[str] | None = None
        self._parquet: Any = None
        if self.path.suffix.lower() == ".parquet":
            self._parquet_module = _pyarrow(self.path)
            return
        try:
            self._csv = _open_text(self.path, "w")
        except OSError as error:
            raise ReadTableError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._csv.write(",".join(COLUMNS) + "\n")

    def write(self, reads: ReadTable) -> None:
        room = self.max_rows - self.rows
        if len(reads) > room:
            self.dropped += len(reads) - room
            reads = reads.take(slice(0, room))
        self.rows += len(reads)
        if self._csv is not None:
            self._csv.writelines(_csv_lines(reads))
            self._csv.flush()
        else:
            self._write_parquet(reads)

    def _write_parquet(self, reads: ReadTable) -> None:
        arrow = importlib.import_module("pyarrow")
        table = arrow.table({name: getattr(reads, name) for name in COLUMNS})
        if self._parquet is None:
            self._parquet = self._parquet_module.ParquetWriter(self.path, table.schema)
        self._parquet.write_table(table)

    def close(self) -> None:
        if self._csv is not None:
            self._csv.close()
        elif self._parquet is None:
            self._write_parquet(ReadTable.empty())
        if self._parquet is not None:
            self._parquet.close()

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def save_reads(path: str | Path, reads: ReadTable | Iterable[ReadTable]) -> int:
    """Write a read table and return its number of rows."""
    tables = [reads] if isinstance(reads, ReadTable) else reads
    with CaptureFile(path) as file:
        for table in tables:
            file.write(table)
    return file.rows
