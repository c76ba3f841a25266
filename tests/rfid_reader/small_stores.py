"""Small simulated stores for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from rfid_reader.settings import Timing
from rfid_reader.simulator.scenarios.files import Scenario, ScenarioFile

IMPATIENT = Timing(
    keepalive_s=0.3,
    missed_keepalives=2.5,
    connect_s=1.0,
    answer_s=1.0,
    backoff_first_s=0.1,
    backoff_highest_s=0.4,
    batch_s=0.02,
    link_down_s=3.0,
)
"""Timing for tests: every fault is noticed within half a second."""


def small_store(**changes: Any) -> ScenarioFile:
    """Two racks of four tags under an antenna each; `changes` replace top-level keys of the scenario."""
    plan: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "hop_plan": "etsi",
        "duration_s": 60.0,
        "reader": {"antennas": 4, "mode": 2},
        "antennas": [{"port": 1, "at": [0, 0]}, {"port": 2, "at": [4, 0]}],
        "racks": [
            {"name": "shirts", "at": [0, 0.5], "tags": {"count": 4, "prefix": "e28011"}},
            {"name": "coats", "at": [4, 0.5], "tags": {"count": 4, "prefix": "e28012"}},
        ],
    }
    return ScenarioFile(msgspec.convert({**plan, **changes}, Scenario), Path())
