"""The tests leave the home of who runs them alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.catalogue import user_store


@pytest.fixture(scope="module")
def seen_by_a_module() -> Path:
    """What a fixture of a wider scope than one test is given."""
    return user_store()


def test_engines_and_verdicts_are_kept_in_a_store_of_the_tests(
    seen_by_a_module: Path, store_of_engines: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert user_store() == seen_by_a_module == store_of_engines
    assert store_of_engines.is_relative_to(tmp_path_factory.getbasetemp())
