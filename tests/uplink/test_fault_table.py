"""A short run of the fault table: each fault once, nothing lost, nothing kept twice."""

from __future__ import annotations

import pytest

from bench.faults import run_fault


@pytest.mark.parametrize(
    ("fault", "times"), [("device-killed", 3), ("disk-full", 1), ("outbox-damaged", 1), ("clock-steps", 1)]
)
def test_after_the_fault_every_promised_event_is_accounted_for(
    mosquitto: None, fault: str, times: int
) -> None:
    outcome = run_fault(fault, times)
    assert outcome.promised > 1_000 or fault == "device-killed"
    assert (outcome.lost, outcome.kept_twice) == (0, 0)
    assert (outcome.named_in_gaps > 0) == (fault == "outbox-damaged")
