"""The one file that a mirror needs: garments, pictures, what looks like them, what goes with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from contract.errors import UNREADABLE
from fleet.errors import FleetError

VERSION = 1
TABLES = """
CREATE TABLE garment (sku TEXT PRIMARY KEY, body BLOB NOT NULL, picture BLOB, taken REAL NOT NULL)
  WITHOUT ROWID;
CREATE TABLE beside (sku TEXT NOT NULL, relation TEXT NOT NULL, place INTEGER NOT NULL, other TEXT NOT NULL,
  PRIMARY KEY (sku, relation, place)) WITHOUT ROWID;
CREATE TABLE item (epc TEXT PRIMARY KEY, sku TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE said (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""
ALIKE, WITH = "alike", "with"
MOST_MONEY = 1e12


class CatalogueGarment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An article as the catalogue describes it. `discount` is what is taken off, in percent."""

    sku: str
    title: str
    price: Annotated[float, Meta(ge=0, le=MOST_MONEY)] | None = None
    currency: str = ""
    discount: Annotated[float, Meta(ge=0, le=100)] = 0.0
    sizes: tuple[str, ...] = ()
    kind: str = ""
    in_stock: bool = True

    @property
    def price_now(self) -> float | None:
        """After the discount."""
        return None if self.price is None else round(self.price * (1 - self.discount / 100), 2)


def write(
    file: Path,
    garments: Sequence[CatalogueGarment],
    *,
    pictures: Mapping[str, bytes],
    taken: Mapping[str, float],
    beside: Iterable[tuple[str, str, Sequence[str]]],
    items: Mapping[str, str],
) -> None:
    """A new file in the place of the old one, in one step: a mirror that reads the old one goes on with it.

    `beside` gives (sku, ALIKE or WITH, other skus best first), `items` EPC -> sku. Raises FleetError.
    """
    new = file.with_name(f".{file.name}.new")
    try:
        new.unlink(missing_ok=True)
        db = sqlite3.connect(new)
        try:
            with db:
                db.executescript(TABLES)
                db.executemany(
                    "INSERT INTO garment VALUES (?, ?, ?, ?)",
                    (
                        (one.sku, msgspec.json.encode(one), pictures.get(one.sku), taken.get(one.sku, 0.0))
                        for one in garments
                    ),
                )
                db.executemany(
                    "INSERT INTO beside VALUES (?, ?, ?, ?)",
                    (
                        (sku, relation, place, other)
                        for sku, relation, others in beside
                        for place, other in enumerate(others)
                    ),
                )
                db.executemany("INSERT INTO item VALUES (?, ?)", items.items())
                db.execute("INSERT INTO said VALUES ('version', ?)", (VERSION,))
        finally:
            db.close()
        new.replace(file)
    except (OSError, sqlite3.Error) as error:
        new.unlink(missing_ok=True)
        raise FleetError(f"{file}: the catalogue cannot be written ({error}); the old one stays") from error


class _FileVersion(NamedTuple):
    """What tells a file from another in its place, and from what was copied over it."""

    inode: int
    written_ns: int
    size: int

    @classmethod
    def of(cls, file: Path) -> _FileVersion:
        """Raises OSError."""
        found = file.stat()
        return cls(found.st_ino, found.st_mtime_ns, found.st_size)


class Catalogue:
    """Read-only. `refresh` looks whether the file is another. All raise FleetError where it cannot be read:
    it may be half copied, over the old one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._db, self._version = self._opened()

    def _opened(self) -> tuple[sqlite3.Connection, _FileVersion]:
        try:
            found = _FileVersion.of(self._file)
            db = sqlite3.connect(f"file:{self._file}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            (version,) = db.execute("SELECT value FROM said WHERE name = 'version'").fetchone()
        except (OSError, sqlite3.Error, TypeError) as error:
            raise FleetError(
                f"{self._file}: no catalogue there ({error}); tagsight fleet catalogue makes one"
            ) from None
        if version != VERSION:
            db.close()
            raise FleetError(f"{self._file}: a catalogue of version {version}; {VERSION} is read here")
        return db, found

    def refresh(self) -> bool:
        """Whether another file is read from now on; one that cannot be read leaves the old one in use."""
        try:
            if _FileVersion.of(self._file) == self._version:
                return False
            db, version = self._opened()
        except (OSError, FleetError):
            return False
        self._db.close()
        self._db, self._version = db, version
        return True

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise FleetError(
                f"{self._file}: the catalogue cannot be read ({error}); copy it beside, then move it there"
            ) from error

    def garment(self, sku: str) -> CatalogueGarment | None:
        """None where the catalogue has it not."""
        rows = self._rows("SELECT body FROM garment WHERE sku = ?", sku)
        try:
            return msgspec.json.decode(rows[0][0], type=CatalogueGarment) if rows else None
        except UNREADABLE as error:
            raise FleetError(f"{self._file}: what it says of {sku!r} cannot be read ({error})") from error

    def garments(self) -> list[CatalogueGarment]:
        """All, by their sku."""
        try:
            rows = self._rows("SELECT body FROM garment ORDER BY sku")
            return [msgspec.json.decode(body, type=CatalogueGarment) for (body,) in rows]
        except UNREADABLE as error:
            raise FleetError(f"{self._file}: a garment in it cannot be read ({error})") from error

    def picture(self, sku: str) -> bytes | None:
        """JPEG or PNG; None where there is none."""
        rows = self._rows("SELECT picture FROM garment WHERE sku = ? AND picture IS NOT NULL", sku)
        return bytes(rows[0][0]) if rows else None

    def has_picture(self, sku: str) -> bool:
        """Without reading it."""
        return bool(self._rows("SELECT 1 FROM garment WHERE sku = ? AND picture IS NOT NULL", sku))

    def sku_of(self, epc: str) -> str | None:
        """By the item table."""
        rows = self._rows("SELECT sku FROM item WHERE epc = ?", epc.lower())
        return str(rows[0][0]) if rows else None

    def beside(self, sku: str, relation: str) -> list[str]:
        """ALIKE or WITH: other skus, best first."""
        rows = self._rows(
            "SELECT other FROM beside WHERE sku = ? AND relation = ? ORDER BY place", sku, relation
        )
        return [str(other) for (other,) in rows]

    def popular(self, most: int) -> list[str]:
        """What is taken most often, most first."""
        rows = self._rows("SELECT sku FROM garment ORDER BY taken DESC, sku LIMIT ?", most)
        return [str(sku) for (sku,) in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
