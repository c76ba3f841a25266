"""What a plan of the job must not have.

Flink 2.3.0 plans `ROW_NUMBER() ... ORDER BY rev DESC, seq DESC` with `= 1` as a rank that never takes a row
back: the old revision and the new one are both counted, and nothing is said.
"""

from __future__ import annotations

import re

RANK = re.compile(r"Rank\(.*changelogMode=\[(?P<mode>[A-Z,]+)\]")


def insert_only_ranks(explained: str) -> list[str]:
    """The ranks of an `EXPLAIN CHANGELOG_MODE` that are planned as insert-only."""
    return [
        line.strip()
        for line in explained.splitlines()
        if (found := RANK.search(line)) is not None and found["mode"] == "I"
    ]
