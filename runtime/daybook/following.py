"""Events read from the outbox as they are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from contract.envelope import Event, open_event
from contract.errors import PayloadError
from runtime.uplink.outbox.reader import OutboxReader
from tagsight.errors import TagsightError

HEALTH_S = 180.0
"""Older health says nothing about now."""
AT_ONCE = 2_000
MAX_BYTES = 4_000_000


class Following:
    """Reads from the moment on that `begin` says for the present one, UTC seconds; of `kinds`, where they are
    given, and skips others unread. Used by one thread at a time.
    """

    def __init__(
        self, outbox: Path, begin: Callable[[float], float], kinds: Collection[str] | None = None
    ) -> None:
        self._outbox = outbox
        self._kinds = kinds
        self._begin = begin
        self._reader: OutboxReader | None = None
        self._next_seq: int | None = None
        self.fault = ""
        """Why nothing can be read, in a sentence."""

    def news(self, now_s: float) -> Iterator[Event]:
        """What has been written since the last call, oldest first. Health that is old by now is left out."""
        try:
            reader = self._opened(now_s)
            while rows := reader.rows(self._next_seq or 0, limit=AT_ONCE, max_bytes=MAX_BYTES):
                for row in rows:
                    self._next_seq = row.seq + 1
                    wanted = self._kinds is None or row.kind in self._kinds
                    old = row.kind == "health" and row.time_s < now_s - HEALTH_S
                    if wanted and not old and (event := _event(row.body)) is not None:
                        yield event
        except (TagsightError, sqlite3.Error, OSError) as error:
            self.fault = f"the events cannot be read: {error}"
            self.close()
        else:
            self.fault = ""

    def close(self) -> None:
        """Let go of the outbox."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _opened(self, now_s: float) -> OutboxReader:
        if self._reader is not None and self._reader.is_replaced():
            self.close()
            self._next_seq = None
        if self._reader is None:
            self._reader = OutboxReader(self._outbox)
        if self._next_seq is None:
            self._next_seq = self._reader.first_since(self._begin(now_s))
        return self._reader


def _event(body: bytes) -> Event | None:
    try:
        return open_event(body)
    except PayloadError:
        return None
