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
    return FollowedFile(file).lines(after)


class FollowedFile:
    """A file that is looked at again and again: what was read of it before is not read again.

    It is as long as a shop has told things, and is looked at every second.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._same: tuple[str, int] = ("", 0)
        """Its mark and its inode."""
        self._number, self._offset = 0, 0
        """The last line that has ended and is not empty, and where it ends."""
        self._read_whole: tuple[int, int] | None = None
        """Size and time of a CSV of which no row is left."""

    def lines(self, after: int, mark: str = "") -> Iterator[Line]:
        """As `lines_of`. `mark` is what `mark_of` says of the file now."""
        try:
            state = self.file.stat()
            if (mark, state.st_ino) != self._same or after < self._number or state.st_size < self._offset:
                self._same = (mark, state.st_ino)
                self._number, self._offset, self._read_whole = 0, 0, None
            if self.file.suffix.lower() == ".csv":
                yield from self._of_csv(after, (state.st_size, state.st_mtime_ns))
            else:
                yield from self._of_json(after)
        except OSError as error:
            raise FleetError(f"{self.file}: cannot be read ({error.strerror})") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise FleetError(
                f"{self.file}: cannot be read as CSV ({error}); UTF-8 with commas would be right"
            ) from error

    def _of_json(self, after: int) -> Iterator[Line]:
        with self.file.open("rb") as opened:
            opened.seek(max(0, self._offset - 1))
            if self._offset and opened.read(1) != b"\n":
                opened.seek(0)
                self._number, self._offset = 0, 0
            number, offset = self._number, self._offset
            for length, body in _bounded(opened):
                has_ended = body.endswith(b"\n")
                if not has_ended and not _is_whole(body):
                    return  # somebody is still writing it
                number, offset = number + 1, offset + length
                if not body.strip():
                    continue
                if has_ended:
                    self._number, self._offset = number, offset
                if number > after:
                    yield Line(number, body)

    def _of_csv(self, after: int, state: tuple[int, int]) -> Iterator[Line]:
        """A row may have line ends within: what has changed is read from its beginning."""
        if state == self._read_whole:
            return
        for line in _of_csv(self.file, after):
            self._number = line.position
            yield line
        self._read_whole = state


def _bounded(opened: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Its lines with their lengths; of one that no event can have, as much as shows that, and an end."""
    while body := opened.readline(MAX_LINE_BYTES):
        length = len(body)
        if length == MAX_LINE_BYTES and not body.endswith(b"\n"):
            while rest := opened.readline(MAX_LINE_BYTES):
                length += len(rest)
                if rest.endswith(b"\n"):
                    break
            body = body[:SHOWN_BYTES] + b"...\n"
        yield length, body


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
