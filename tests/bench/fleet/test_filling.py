"""The join that fills missing hours: refused without Spark, true with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.fleet.filling.command import SHARE, expected, filling, measure
from fleet.errors import FleetError


def test_without_spark_it_is_said_what_fetches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_PYTHON", raising=False)
    error = CliRunner().invoke(filling, []).exception
    assert isinstance(error, FleetError) and "scripts/fetch-spark" in str(error)


def test_a_python_without_spark_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named pyspark' >&2\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(FleetError, match="PySpark has ended with 3: No module named pyspark"):
        measure(str(python), 1000, tmp_path)


def test_the_sum_is_known_without_a_join() -> None:
    assert expected(SHARE * 9) == sum(range(1, 10))


@pytest.mark.slow
def test_three_joins_fill_the_same_hours(tmp_path: Path) -> None:
    python = os.environ.get("SPARK_PYTHON")
    if not python:
        pytest.skip("no Spark here: scripts/fetch-spark has one, then set SPARK_PYTHON and JAVA_HOME")
    found = measure(python, 200_000, tmp_path)
    assert found.differing == 0 and [way.way for way in found.ways] == ["shuffled", "broadcast", "hashed"]
