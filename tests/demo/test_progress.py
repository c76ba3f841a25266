from __future__ import annotations

import io

import pytest
from rich.console import Console

from runtime.demo.progress import progress


@pytest.mark.parametrize("total", [4, 7, 300])
def test_without_a_terminal_a_line_is_printed_for_every_quarter(total: int) -> None:
    out = io.StringIO()
    with progress(Console(file=out), "drawing", total) as step:
        for _ in range(total):
            step()
    lines = out.getvalue().splitlines()
    assert lines[0] == "drawing"
    assert len(lines) == 5
    assert lines[-1] == "drawing: 100 %"
    shares = [int(line.split()[1]) for line in lines[1:]]
    assert [share // 25 for share in shares] == [1, 2, 3, 4]


def test_a_terminal_shows_a_bar_that_leaves_nothing_behind() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=80), "drawing", 10) as step:
        for _ in range(10):
            step()
    assert "100%" in out.getvalue()
    assert "\x1b[2K" in out.getvalue()


def test_a_stretch_that_gives_fewer_steps_than_promised_does_no_harm() -> None:
    out = io.StringIO()
    with progress(Console(file=out), "drawing", 0):
        pass
    assert out.getvalue() == "drawing\n"
