"""docs/field-cases.md: every case names a test, and every test that is named is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROW = re.compile(r"^\| (?P<case>[^|]+) \| (?P<right>[^|]+) \| `(?P<test>test_\w+)(?:\[(?P<id>[^`]+)\])?` \|$")


@pytest.fixture(scope="module")
def rows(repo: Path) -> list[re.Match[str]]:
    lines = (repo / "docs" / "field-cases.md").read_text().splitlines()
    cells = [line for line in lines if line.startswith("|") and not line.startswith(("| ---", "| case"))]
    found = [ROW.match(line) for line in cells]
    assert None not in found, f"no row of three cells with a test: {cells[found.index(None)]}"
    return [row for row in found if row is not None]


def test_every_case_names_a_test_that_is_there(repo: Path, rows: list[re.Match[str]]) -> None:
    files = [path.read_text() for path in (repo / "tests").rglob("test_*.py") if path != Path(__file__)]
    for row in rows:
        homes = [text for text in files if f"def {row['test']}(" in text]
        assert homes, f"{row['case']}: there is no {row['test']}"
        if row["id"]:
            named = [f'"{row["id"]}"' in text for text in homes]
            assert any(named), f"{row['case']}: {row['test']} has no case {row['id']}"


def test_the_cases_are_as_many_as_is_said(repo: Path, rows: list[re.Match[str]]) -> None:
    cases = [row["case"] for row in rows]
    said = re.search(r"^(\d+) situations", (repo / "docs" / "field-cases.md").read_text(), re.MULTILINE)
    assert said is not None and int(said[1]) == len(cases) >= 58
    in_readme = re.search(r"(\d+) cases from the field", (repo / "README.md").read_text())
    assert in_readme is not None and int(in_readme[1]) == len(cases)
