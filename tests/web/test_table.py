from __future__ import annotations

import csv
import io

import pytest

from web.table import csv_of


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum(a1)", "\tx", "\rx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    ((_,), (cell,)) = csv.reader(io.StringIO(csv_of(["zone"], [[text]])))
    assert cell == f"'{text}"


def test_numbers_stay_numbers_and_texts_texts() -> None:
    assert csv_of(["a", "b"], [[-1.5, 'say "a, b"']]) == 'a,b\r\n-1.5,"say ""a, b"""\r\n'
