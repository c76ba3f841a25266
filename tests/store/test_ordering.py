from __future__ import annotations

from runtime.store.ordering import ReorderWindow


def test_records_come_out_in_the_order_in_which_things_happened() -> None:
    window: ReorderWindow[str] = ReorderWindow(0.3)
    for time_s, record in [(10.2, "b"), (10.0, "a"), (10.4, "c")]:
        window.push(time_s, record)
    assert window.release(10.55) == [(10.0, "a"), (10.2, "b")]
    assert window.release(10.75) == [(10.4, "c")]


def test_a_late_record_is_counted_and_still_let_through() -> None:
    window: ReorderWindow[str] = ReorderWindow(0.3)
    window.push(10.0, "on time")
    window.release(10.5)
    window.push(9.5, "late")
    assert window.release(10.5) == [(9.5, "late")]
    assert window.counts["late"] == 1


def test_a_full_window_lets_the_oldest_out_early_and_loses_nothing() -> None:
    window: ReorderWindow[int] = ReorderWindow(0.3, capacity=3)
    for number in range(5):
        window.push(10.0 + number / 100, number)
    assert [number for _, number in window.release(10.0)] == [0, 1]
    assert window.counts["crowded"] == 2
    assert [number for _, number in window.drain()] == [2, 3, 4]
