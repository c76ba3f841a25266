"""A careful measurement of a camera with a lens predicts its floor to a quarter of a metre."""

from __future__ import annotations

import pytest

from bench.vision import floor_map


def test_what_was_left_out_is_predicted_to_25_cm() -> None:
    for found in floor_map.measure_all(4):
        assert found.refused < 4 and found.p95_cm <= 25.0, found


def test_careless_clicks_are_seen_in_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor_map, "CLICK_PX", 25.0)
    assert max(found.p95_cm for found in floor_map.measure_all(2)) > 25.0
