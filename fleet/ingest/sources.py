"""Where lines come from: files of JSON lines or CSV, and the store of `tagsight uplink receive`."""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from contract.errors import UNREADABLE
from contract.wire import MAX_PAYLOAD_BYTES
from fleet.errors import FleetError
from fleet.ingest.records import RECORD_TYPES, Record

MAX_LINE_BYTES = MAX_PAYLOAD_BYTES
"""No event is longer than what a box may send at once."""
SHOWN_BYTES = 100


class Line(NamedTuple):
    """A line as its source has it: its position there, and when it came, where that is known."""

    position: int
    body: bytes | str
    received_s: float | None = None


def lines_of(file: Path, after: int = 0) -> Iterator[Line]:
    """The lines of a file after number `after`: JSON lines, or CSV with a header where it is called so.

    Raises FleetError for a file that cannot be read, or a CSV whose header is none of a record.
    """
    try:
        if file.suffix.lower() == ".csv":
            yield from _of_csv(file, after)
            return
        with file.open("rb") as opened:
            for number, body in enumerate(_bounded(opened), 1):
                if not body.endswith(b"\n") and not _is_whole(body):
                    return  # somebody is still writing it
                if number > after and body.strip():
                    yield Line(number, body)
    except OSError as error:
        raise FleetError(f"{file}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FleetError(
            f"{file}: cannot be read as CSV ({error}); UTF-8 with commas would be right"
        ) from error


def _bounded(opened: BinaryIO) -> Iterator[bytes]:
    """Its lines; of one that no event can have, as much as shows that, and an end."""
    while body := opened.readline(MAX_LINE_BYTES):
        if len(body) == MAX_LINE_BYTES and not body.endswith(b"\n"):
            while (rest := opened.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            body = body[:SHOWN_BYTES] + b"...\n"
        yield body


def _is_whole(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except UNREADABLE:
        return False
    return True


def mark_of(file: Path) -> str:
    """What tells a file from another that has taken its place: its first line. Raises FleetError."""
    try:
        with file.open("rb") as opened:
            return hashlib.sha256(opened.readline(MAX_LINE_BYTES)).hexdigest()[:16]
    except OSError as error:
        raise FleetError(f"{file}: cannot be read ({error.strerror})") from error


def _of_csv(file: Path, after: int) -> Iterator[Line]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = csv.DictReader(opened)
        struct = _record_with(file, frozenset(rows.fieldnames or ()))
        for number, row in enumerate(rows, 1):
            if number > after:
                given = {name: value for name, value in row.items() if value not in (None, "")}
                yield Line(number, _line(file, number, struct, given))


def _record_with(file: Path, names: frozenset[str]) -> type[Record]:
    """The record that a CSV's header is of: all that it needs are there, and nothing else."""
    for struct in RECORD_TYPES:
        fields = msgspec.structs.fields(struct)
        needed = {one.name for one in fields if one.required}
        if needed <= names and names - {"kind"} <= {one.name for one in fields}:
            return struct
    wanted = "; or ".join(", ".join(struct.__struct_fields__) for struct in RECORD_TYPES)
    raise FleetError(f"{file}: its header is {', '.join(sorted(names)) or 'empty'}; give one of {wanted}")


def _line(file: Path, number: int, struct: type[Record], given: dict[str, Any]) -> bytes:
    given.pop("kind", None)
    if None in given:
        raise FleetError(f"{file}: row {number}: has more cells than the header has names")
    try:
        return msgspec.json.encode(msgspec.convert(given, struct, strict=False))
    except msgspec.ValidationError as error:
        raise FleetError(f"{file}: row {number}: {error}") from error


class EventStore:
    """The database that `tagsight uplink receive` fills, read beside it in the order of arrival."""

    def __init__(self, path: Path) -> None:
        """Raises FleetError where there is none, or one of another version."""
        self.path = path
        if not path.exists():
            raise FleetError(f"{path}: no event store there; tagsight uplink receive --db {path} makes one")
        try:
            self._db = sqlite3.connect(
                f"file:{path}?mode=ro", uri=True, timeout=10.0, check_same_thread=False
            )
            found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'arrivals'").fetchone()
        except sqlite3.Error as error:
            raise FleetError(f"{path}: cannot be read as an event store ({error})") from error
        if found is None:
            raise FleetError(
                f"{path}: no event store of this version; start tagsight uplink receive --db {path} once"
            )

    def after(self, position: int, limit: int) -> list[Line]:
        """The next events after a position. Raises FleetError where it cannot be read."""
        try:
            rows = self._db.execute(
                "SELECT number, body, received_s FROM arrivals JOIN events USING (site, device, id)"
                " WHERE number > ? ORDER BY number LIMIT ?",
                (position, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise FleetError(f"{self.path}: cannot be read ({error})") from error
        return [Line(*row) for row in rows]

    def mark(self, position: int) -> str:
        """Which event is at a position: another one there says that the database was put back from a copy.

        Raises FleetError where it cannot be read.
        """
        try:
            row = self._db.execute(
                "SELECT site || '/' || device || '/' || id FROM arrivals WHERE number = ?", (position,)
            ).fetchone()
        except sqlite3.Error as error:
            raise FleetError(f"{self.path}: cannot be read ({error})") from error
        return "" if row is None else str(row[0])

    def close(self) -> None:
        self._db.close()
