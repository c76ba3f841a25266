"""Try-ons as they are written: from a box's own outbox, which needs no uplink, or a consumer's store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from contract.envelope import open_event
from contract.errors import UNREADABLE
from contract.facts import TryOn
from fleet.errors import FleetError

AT_ONCE = 500
OF_OUTBOX = "SELECT seq, body FROM events WHERE seq > ? AND kind = 'tryon' ORDER BY seq LIMIT ?"
OF_STORE = (
    "SELECT number, body FROM arrivals JOIN events USING (site, device, id)"
    " WHERE number > ? AND kind = 'tryon' ORDER BY number LIMIT ?"
)
LAST = {OF_OUTBOX: "SELECT max(seq) FROM events", OF_STORE: "SELECT max(number) FROM arrivals"}
LOOKED_BACK = 5000
"""Events that are read again at a start, so that who is in a room then is seen."""


class TryOnFollower:
    """`site` leaves out other shops' events of a consumer's store. Raises FleetError without a file.

    A file that was replaced (a damaged outbox set aside) is opened anew.
    """

    def __init__(self, file: Path, site: str | None = None) -> None:
        self.unreadable = 0
        self._file, self._site = file, site
        self._open()

    def _open(self) -> None:
        if not self._file.exists():
            raise FleetError(
                f"{self._file}: no events there; give a box's outbox, or the store of tagsight uplink receive"
            )
        try:
            self._inode = self._file.stat().st_ino
            self._db = sqlite3.connect(
                f"file:{self._file}?mode=ro", uri=True, timeout=1.0, check_same_thread=False
            )
            tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
            self._rows = OF_STORE if "arrivals" in tables else OF_OUTBOX
            (last,) = self._db.execute(LAST[self._rows]).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise FleetError(f"{self._file}: holds no events that can be read ({error})") from error
        self._at = max(0, (last or 0) - LOOKED_BACK)

    def new(self) -> list[TryOn]:
        """What was written since, lower revisions first. Raises FleetError where it cannot be read."""
        try:
            if self._file.stat().st_ino != self._inode:
                self._db.close()
                self._open()
            rows = self._db.execute(self._rows, (self._at, AT_ONCE)).fetchall()
        except (OSError, sqlite3.Error) as error:
            raise FleetError(f"{self._file}: cannot be read ({error})") from error
        found = []
        for number, body in rows:
            self._at = number
            try:
                event = open_event(bytes(body) if not isinstance(body, str) else body.encode())
            except UNREADABLE:
                self.unreadable += 1
                continue
            if isinstance(event.fact, TryOn) and self._site in (None, event.envelope.site):
                found.append(event.fact)
        return sorted(found, key=lambda fact: fact.rev)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
