"""tests/long_tests.txt: what --quick leaves out is there; a test that moved would come back into it."""

from __future__ import annotations

from pathlib import Path


def test_every_long_test_is_where_the_list_says(repo: Path) -> None:
    missing = []
    for entry in (repo / "tests" / "long_tests.txt").read_text().split():
        file, _, name = entry.partition("::")
        path = repo / file
        if not path.exists() or f"def {name}(" not in path.read_text():
            missing.append(entry)
    assert not missing, "moved or renamed, so put its new place into tests/long_tests.txt"
