"""Runs the command line on bad input.

A row of the tables here is what is wrong, the input, and what the user reads (its beginning, where the
sentence goes on): one sentence, exit code 1, no traceback.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.cli import main

Says = Callable[[list[str]], str]


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Says:
    """Runs the command line in this process; what it says on stderr when it fails as it should."""

    def run(arguments: list[str]) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        output = capsys.readouterr()
        assert ended.value.code == 1, output
        assert "Traceback" not in output.out + output.err
        said = output.err.rpartition("tagsight: ")
        assert not said[0] or said[0].endswith("\n"), "the sentence begins a line of its own"
        return said[2].rstrip("\n")

    return run
