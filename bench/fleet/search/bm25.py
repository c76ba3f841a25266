"""The usual baseline for words against titles: BM25, by SQLite's full-text index."""

from __future__ import annotations

import re
import sqlite3

import numpy as np

from bench.fleet.search.lists import Lists
from fleet.search.ranking import Floats
from fleet.search.words import Vocabulary


def bm25(lists: Lists, titles: dict[int, str], vocabulary: Vocabulary | None = None) -> Floats:
    """(lists, candidates): how well each title fits the words; 0 where no word is shared.

    With a `vocabulary` both are read as its concepts first, so that synonyms and languages meet.
    """

    def terms(text: str) -> list[str]:
        words = (
            vocabulary.read(text).concepts
            if vocabulary
            else re.findall(r"[a-z0-9-]+|[\u3400-\u9fff]", text.lower())
        )
        return [f"x{word.encode().hex()}" for word in words]

    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE title USING fts5(words)")
    db.executemany(
        "INSERT INTO title(rowid, words) VALUES (?, ?)",
        [(row, " ".join(terms(t))) for row, t in titles.items()],
    )
    found = np.zeros(lists.candidates.shape)
    for row, (text, candidates) in enumerate(zip(lists.texts, lists.candidates, strict=True)):
        asked = " OR ".join(terms(text))
        if not asked:
            continue
        marks = ",".join("?" * len(candidates))
        scored = dict(
            db.execute(
                f"SELECT rowid, -bm25(title) FROM title WHERE title MATCH ? AND rowid IN ({marks})",
                (asked, *map(int, candidates)),
            ).fetchall()
        )
        found[row] = [scored.get(int(one), 0.0) for one in candidates]
    db.close()
    return found
