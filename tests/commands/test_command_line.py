"""What the `tagsight` command sets up before any of its commands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = """
import os, sys
import runtime.cli
assert "numpy" not in sys.modules
try:
    runtime.cli.main(["--version"])
except SystemExit:
    pass
print(os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize(("given", "wanted"), [(None, "1"), ("4", "4")])
def test_matrix_products_take_one_thread_unless_the_user_says_otherwise(
    given: str | None, wanted: str
) -> None:
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if given is not None:
        env["OPENBLAS_NUM_THREADS"] = given
    found = subprocess.run(
        [sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split()[-1] == wanted
