"""tests/long_tests.txt: what --quick leaves out is there; a test that moved would come back into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import takes_long


def test_every_long_test_is_where_the_list_says(repo: Path) -> None:
    missing = []
    for entry in (repo / "tests" / "long_tests.txt").read_text().split():
        file, _, name = entry.partition("::")
        path = repo / file
        if not path.exists() or f"def {name}(" not in path.read_text():
            missing.append(entry)
    assert not missing, "moved or renamed, so put its new place into tests/long_tests.txt"


@pytest.mark.parametrize(
    ("test", "fixtures", "long"),
    [
        ("tests/a/test_b.py::test_c", (), True),
        ("tests/a/test_b.py::test_c[1-x::y]", (), True),
        ("tests/a/test_b.py::test_cd", (), False),
        ("tests/a/test_b.py::test_e", ("seen", "repo"), True),
        ("tests/a/deeper/test_f.py::test_e", ("seen",), True),
        ("tests/ab/test_b.py::test_e", ("seen",), False),
        ("tests/g/test_h.py::test_e", ("staged",), True),
        ("tests/g/test_i.py::test_e", ("staged",), False),
    ],
)
def test_whoever_uses_what_takes_long_takes_long(test: str, fixtures: tuple[str, ...], long: bool) -> None:
    entries = {"tests/a/test_b.py::test_c", "tests/a/conftest.py::seen", "tests/g/test_h.py::staged"}
    assert takes_long(test, fixtures, entries) is long
