from __future__ import annotations

import csv
import io

import pytest

from web.table import csv_of


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum(a1)", "\tx", "\rx", "\nx", "\uff1d1"])
def test_no_text_becomes_a_formula(text: str) -> None:
    ((_,), (cell,)) = csv.reader(io.StringIO(csv_of(["zone"], [[text]])))
    assert cell == f"'{text}"


@pytest.mark.parametrize("end", [";", ",", "\t", "\n"])
def test_no_part_of_a_text_becomes_a_formula_where_cells_end_otherwise(end: str) -> None:
    ((name,), (cell,)) = csv.reader(io.StringIO(csv_of([f"a{end}=b"], [[f"Rack{end}=1+1{end}x-1"]])))
    assert (name, cell) == (f"a{end}'=b", f"Rack{end}'=1+1{end}x-1")


def test_numbers_stay_numbers_and_texts_texts() -> None:
    assert csv_of(["a", "b"], [[-1.5, 'say "a, b"']]) == 'a,b\r\n-1.5,"say ""a, b"""\r\n'
