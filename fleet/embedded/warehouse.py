"""The warehouse in one SQLite file: lines in, every layer exact after each batch.

Of a fact the highest revision holds, and of two that claim the same revision and differ, the one that came
first: the other is refused and counted. So a line may come twice, late, and in any order.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fleet.embedded import retention, schema
from fleet.embedded.partitions import Stale
from fleet.embedded.progress import Mark, forget_window, note
from fleet.errors import FleetError
from fleet.ingest.calendar import Calendar, zone_of
from fleet.ingest.columns import HEAD, KEY, KINDS, LIST_COLUMNS, LISTS
from fleet.ingest.records import RECORD_TYPES
from fleet.ingest.rows import FactRow, RowReader, UnknownKind, Unreadable
from fleet.ingest.sources import Line

log = logging.getLogger(__name__)

MAX_REFUSED = 10_000
"""So many refused facts are listed; beyond that the oldest go. All are counted."""
MOST_SAID = 10
"""Unreadable lines of a batch that the log names."""
RECORDS = frozenset(str(record.__struct_config__.tag) for record in RECORD_TYPES)
LISTED_IN = {kind: table for (kind, _), table in LISTS.items()}
NAMES = [column.name for column in HEAD]
SITE, DEVICE, FACT_KEY, REV = (NAMES.index(name) for name in (*KEY, "rev"))
RETRACTED, TIME, DAY, HOUR = map(NAMES.index, ("retracted", "time_s", "local_day", "local_hour"))
RECEIVED = NAMES.index("received_s")
OWN_FROM = len(HEAD)
BUSY_S = 30.0


class Warehouse:
    """One writer at a time; any number may read the file meanwhile."""

    def __init__(self, path: Path | str, *, highest_holds: bool = True) -> None:
        """Open or make the file. Without `highest_holds` the last to come holds, which is wrong: by that a
        comparison shows that it would notice. Raises FleetError for a file that is no warehouse of ours."""
        self.path = path
        self._highest_holds = highest_holds
        self._calendar = Calendar()
        self._reader = RowReader(self._calendar)
        self._stale = Stale()
        self._counts: Counter[str] = Counter()
        try:
            self.db = self._opened(path)
        except sqlite3.Error as error:
            raise FleetError(f"{path}: cannot be used as a warehouse ({error})") from error
        self._erased: dict[str, str] = {}
        self._zones: dict[str, str] = {}
        self._sites: set[str] = set()
        self._version = -1
        for size, function in (("day", 0), ("hour", 1)):
            self.db.create_function(
                f"local_{size}_of",
                2,
                lambda site, time_s, at=function: self._calendar.local(site, time_s)[at],
            )
        self._find, self._put = {}, {}
        for kind in KINDS.values():
            marks = ", ".join("?" * len(kind.columns))
            self._put[kind.name] = f"INSERT OR REPLACE INTO ods_{kind.name} VALUES ({marks})"
            self._find[kind.name] = f"SELECT rev, local_day FROM ods_{kind.name} WHERE {AT_KEY}"

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, cached_statements=512)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA cache_size=-32000")
            db.execute("BEGIN IMMEDIATE")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                schema.create(db)
            elif not 0 < version <= schema.VERSION or not _is_ours(db):
                raise FleetError(f"{path}: no warehouse of this version of tagsight; give another --db")
            elif version < schema.VERSION:
                schema.upgrade(db, version)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _look(self) -> None:
        """What another writer has settled since: time zones, closed days."""
        (version,) = self.db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        self._erased = dict(self.db.execute("SELECT site, before_day FROM erased"))
        zones = dict(self.db.execute("SELECT site, timezone FROM zones"))
        for site, name in zones.items() - self._zones.items():
            self._calendar.set_zone(site, zone_of(name))
        self._zones = zones

    def progress(self, source: str) -> int:
        """The last position of a source that was taken in; 0 for a new one."""
        row = self.db.execute("SELECT position FROM progress WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def mark(self, source: str) -> str:
        """What was noted beside the progress of a source."""
        row = self.db.execute("SELECT mark FROM progress WHERE source = ?", (source,)).fetchone()
        return "" if row is None else str(row[0])

    def close_window(self, source: str, position: int, mark: str) -> None:
        """All parts of a window are in, up to a position. Raises FleetError where the disk refuses."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                forget_window(self.db, source)
                note(self.db, source, position, mark)
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise FleetError(f"{self.path}: events cannot be stored ({error})") from error

    def take(self, source: str, lines: Iterable[Line], mark: Mark = "") -> int:
        """Take in a batch, refresh every layer and note the progress, all or nothing; returns how many lines.

        `mark` is noted beside it: by it a source that was replaced by another is noticed. Raises
        FleetError where the disk refuses.
        """
        count = 0
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self._look()
                for line in lines:
                    count += 1
                    position = line.position
                    self._take_line(line)
                if count:
                    self._stale.rebuild(self.db, self._erased)
                    self._note(source, position, mark)
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                self._forget()
                raise
        except sqlite3.Error as error:
            raise FleetError(f"{self.path}: events cannot be stored ({error})") from error
        return count

    def erase(self, now_s: float, visitor_days: int, fact_days: int | None = None) -> int:
        """Erase rows of single visitors, and of all facts, after so many days; sums stay. Returns how many.

        Raises FleetError where the disk refuses.
        """
        try:
            self.db.execute("PRAGMA secure_delete=ON")
            self.db.execute("BEGIN IMMEDIATE")
            count = retention.erase(self.db, now_s, visitor_days, fact_days)
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise FleetError(f"{self.path}: visitors' rows cannot be erased ({error})") from error
        self._erased = dict(self.db.execute("SELECT site, before_day FROM erased"))
        return count

    def _forget(self) -> None:
        """What a batch that failed had settled holds no more."""
        self._stale, self._version = Stale(), -1
        self._sites.clear()
        self._counts.clear()
        for site in self._zones:
            self._calendar.set_zone(site, zone_of("UTC"))
        self._zones = {}

    def counters(self) -> dict[str, int]:
        """What became of the lines that came."""
        return dict(self.db.execute("SELECT name, value FROM counters ORDER BY name"))

    def close(self) -> None:
        self.db.close()

    def _note(self, source: str, position: int, mark: Mark) -> None:
        note(self.db, source, position, mark)
        self.db.executemany(
            "UPDATE counters SET value = value + ? WHERE name = ?",
            [(value, name) for name, value in self._counts.items()],
        )
        self._counts.clear()
        self.db.execute(
            "DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - ?", (MAX_REFUSED,)
        )

    def _take_line(self, line: Line) -> None:
        try:
            row = self._reader.read(line.body, line.received_s)
        except UnknownKind:
            self._counts["unknown_kind"] += 1
        except Unreadable as error:
            self._counts["unreadable"] += 1
            self._say_left_out(line.position, error)
        else:
            self._counts["records" if row.kind in RECORDS else "events"] += 1
            self._take_row(row)

    def _say_left_out(self, position: int, error: Unreadable) -> None:
        left_out = self._counts["unreadable"]
        if left_out <= MOST_SAID:
            log.warning("line %d is left out: %s", position, error)
        if left_out == MOST_SAID:
            log.warning("further ones of this batch are left out and counted without a word")

    def _take_row(self, row: FactRow) -> None:
        values = row.values
        key = values[SITE : FACT_KEY + 1]
        site, day = str(values[SITE]), str(values[DAY])
        if site not in self._sites:
            self._sites.add(site)
            self.db.execute("INSERT OR IGNORE INTO sites VALUES (?)", (site,))
        closed_before = self._erased.get(site, "")
        known = self.db.execute(self._find[row.kind], key).fetchone()
        days = (day,) if known is None else (day, known[1])
        if row.kind != "store" and any("" < one < closed_before for one in days):
            self._counts["after_erasure"] += 1
            return
        if known is not None:
            rev, known_day = known
            if values[REV] < rev and self._highest_holds:
                self._counts["older"] += 1
                return
            if values[REV] == rev:
                self._count_again(row)
                return
            self._stale.add(row.kind, site, known_day)
        self.db.execute(self._put[row.kind], values)
        self._stale.add(row.kind, site, day)
        if row.kind in LISTED_IN:
            self._list(LISTED_IN[row.kind], row)
        if row.kind == "interaction":
            self._mark_flip(values)
        elif row.kind == "store":
            self._settle_zone(site)

    def _count_again(self, row: FactRow) -> None:
        """A revision that is here already: the same again, or another that claims its number."""
        key = row.values[SITE : FACT_KEY + 1]
        (stored,) = self.db.execute(f"SELECT * FROM ods_{row.kind} WHERE {AT_KEY}", key)
        same = _said(stored) == _said(row.values)
        if same and row.kind in LISTED_IN:
            table = LISTED_IN[row.kind]
            names = ", ".join(column.name for column in LIST_COLUMNS[table])
            listed = self.db.execute(f"SELECT {names} FROM ods_{table} WHERE {AT_KEY}", key)
            same = sorted(map(repr, listed)) == sorted(map(repr, row.listed))
        self._counts["duplicates" if same else "refused"] += 1
        came_s, known_s = row.values[RECEIVED], stored[RECEIVED]
        if same and isinstance(came_s, float) and known_s is not None and came_s < known_s:
            self.db.execute(f"UPDATE ods_{row.kind} SET received_s = ? WHERE {AT_KEY}", (came_s, *key))
            self._stale.add(row.kind, str(stored[SITE]), stored[DAY])
        if not same:
            why = "another fact came before under this key and revision"
            self.db.execute(
                "INSERT INTO refused (kind, site, device, fact_key, rev, why) VALUES (?, ?, ?, ?, ?, ?)",
                (row.kind, *key, row.values[REV], why),
            )

    def _list(self, table: str, row: FactRow) -> None:
        """What the fact lists now takes the place of what its last revision listed."""
        places = (*row.values[SITE : FACT_KEY + 1], row.values[DAY], row.values[HOUR])
        self.db.execute(f"DELETE FROM ods_{table} WHERE {AT_KEY}", places[:3])
        marks = ", ".join("?" * (len(places) + len(LIST_COLUMNS[table])))
        self.db.executemany(
            f"INSERT INTO ods_{table} VALUES ({marks})", [(*places, *one) for one in row.listed]
        )

    def _mark_flip(self, values: tuple[object, ...]) -> None:
        """An interaction changes the day of its flip, which may be another than its own."""
        for (day,) in self.db.execute(
            f"SELECT local_day FROM ods_flip WHERE {AT_KEY}",
            (values[SITE], values[DEVICE], values[FLIP_KEY]),
        ):
            self._stale.add("interaction", str(values[SITE]), day)

    def _settle_zone(self, site: str) -> None:
        """A store's newest setup says its time zone; where that is another, all its days are settled anew."""
        row = self.db.execute(
            "SELECT timezone FROM dwd_store WHERE site = ? ORDER BY time_s DESC, device, fact_key LIMIT 1",
            (site,),
        ).fetchone()
        name = "UTC" if row is None else str(row[0])
        if name == self._zones.get(site, "UTC"):
            return
        try:
            zone = zone_of(name)
        except FleetError as error:
            log.warning("%s: its days stay as they are: %s", site, error)
            return
        self._calendar.set_zone(site, zone)
        self._zones[site] = name
        self.db.execute("INSERT OR REPLACE INTO zones VALUES (?, ?)", (site, name))
        for kind in KINDS.values():
            if kind.begins is not None:
                self._resettle(kind.name, kind.begins, site)

    def _resettle(self, kind: str, begins: str, site: str) -> None:
        since = self._erased.get(site, "")
        days = f"SELECT DISTINCT local_day FROM ods_{kind} WHERE site = ? AND local_day >= ?"
        before = {day for (day,) in self.db.execute(days, (site, since))}
        self.db.execute(
            f"UPDATE ods_{kind} SET local_day = local_day_of(site, {begins}),"
            f" local_hour = local_hour_of(site, {begins}) WHERE site = ? AND local_day >= ?",
            (site, since),
        )
        if kind in LISTED_IN:
            table = LISTED_IN[kind]
            same = " AND ".join(f"fact.{name} = ods_{table}.{name}" for name in KEY)
            self.db.execute(
                f"UPDATE ods_{table} SET (local_day, local_hour) = (SELECT local_day, local_hour"
                f" FROM ods_{kind} AS fact WHERE {same}) WHERE site = ?",
                (site,),
            )
        for day in before | {day for (day,) in self.db.execute(days, (site, since))}:
            self._stale.add(kind, site, day)


def _said(values: tuple[object, ...]) -> tuple[object, ...]:
    """What a row says of its fact, whenever it came and whatever the store's time zone."""
    return values[RETRACTED], values[TIME], *values[OWN_FROM:]


AT_KEY = " AND ".join(f"{name} = ?" for name in KEY)
FLIP_KEY = OWN_FROM + [column.name for column in KINDS["interaction"].own].index("flip_key")


def _is_ours(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'progress'").fetchone() is not None
