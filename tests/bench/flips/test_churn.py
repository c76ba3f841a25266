from __future__ import annotations

import pytest

from bench.flips import churn
from rfid_reader.flips import tag_rows


def test_tags_that_come_and_go_leave_memory_as_it_was_and_are_all_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(churn, "HOUR_S", 150.0)
    monkeypatch.setattr(churn, "HANGING", 60)
    monkeypatch.setattr(churn, "STAY_S", 60.0)
    monkeypatch.setattr(churn, "READ_HZ", 2.0)
    monkeypatch.setattr(tag_rows, "FREE_ROWS", 80)
    hours = churn.churn(3, "production")
    assert [hour.hour for hour in hours] == [1, 2, 3]
    assert hours[-1].garments > 400 and hours[-1].ghosts > 150
    assert hours[-1].overlooked == 0
    assert max(hour.rows for hour in hours) < 250
    assert hours[-1].memory_mb < hours[0].memory_mb + 12
