"""What a state of health means."""

from __future__ import annotations

import pytest

from runtime.daybook.states import SILENT_S, STATES, is_bad, seeing
from runtime.messages import HealthState
from tests.neighbours.written import health

NOW_S = 1_000_000.0


def test_every_state_of_health_has_words() -> None:
    assert set(STATES) == {state.value for state in HealthState}


@pytest.mark.parametrize(
    ("state", "bad"), [("live", False), ("starting", False), ("frozen", True), ("a state of later", False)]
)
def test_a_process_in_between_or_of_an_unknown_state_is_not_bad(state: str, bad: bool) -> None:
    assert is_bad(health("vision", NOW_S, state)) is bad


@pytest.mark.parametrize(
    ("process", "state", "ago_s", "sees"),
    [
        ("vision", "live", 1.0, True),
        ("vision", "live", SILENT_S + 1, False),
        ("vision", "stalled", 1.0, False),
        ("camera:square", "live", 1.0, False),
    ],
)
def test_somebody_looks_only_while_vision_says_that_it_works(
    process: str, state: str, ago_s: float, sees: bool
) -> None:
    assert seeing({process: health(process, NOW_S - ago_s, state)}, NOW_S) is sees
