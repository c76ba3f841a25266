"""What a power cut may leave of a SQLite database in WAL mode, made out of what a killed process left.

Whatever was not synced may be anything afterwards. In the journal that is all that follows the last commit.
In the database it is every page that has a newer copy in the journal: a checkpoint may just have been writing
it. The shared-memory index is gone. File formats: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


class WriteJournal:
    """The frames of a write-ahead log that belong to its present run: `pages` by number, `end` in bytes."""

    def __init__(self, raw: bytes) -> None:
        self.pages: set[int] = set()
        self.end = min(len(raw), WAL_HEADER_BYTES)
        if len(raw) < WAL_HEADER_BYTES:
            return
        (self.page_bytes,) = struct.unpack(">I", raw[8:12])
        salt = raw[16:24]
        frame_bytes = FRAME_HEADER_BYTES + self.page_bytes
        open_pages: set[int] = set()
        for at in range(WAL_HEADER_BYTES, len(raw) - frame_bytes + 1, frame_bytes):
            page, size_after_commit = struct.unpack(">II", raw[at : at + 8])
            if raw[at + 8 : at + 16] != salt:
                break
            open_pages.add(page)
            if size_after_commit:
                self.pages |= open_pages
                open_pages.clear()
                self.end = at + frame_bytes


def tear(database: Path, chance: random.Random) -> int:
    """Tear everything that a power cut may tear; returns how many bytes were overwritten or cut off."""
    wal = database.with_name(database.name + "-wal")
    database.with_name(database.name + "-shm").unlink(missing_ok=True)
    if not wal.exists():
        return 0
    raw = wal.read_bytes()
    journal = WriteJournal(raw)
    rubbish = chance.randbytes(chance.randrange(1, 3 * 4096))
    wal.write_bytes(raw[: journal.end] + rubbish)
    torn = len(rubbish) + len(raw) - journal.end
    with database.open("r+b") as file:
        last_page = database.stat().st_size // journal.page_bytes if journal.pages else 0
        for page in sorted(journal.pages):
            if page <= last_page and chance.random() < 0.5:
                half = journal.page_bytes // 2
                file.seek((page - 1) * journal.page_bytes + half)
                file.write(chance.randbytes(half))
                torn += half
    return torn
