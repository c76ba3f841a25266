"""What trials are written on keeps its names: `rig_surface.txt` may grow, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import testing.rig
from runtime.uplink.outbox.writer import Outbox
from testing.delivery.device import TrialSender

NAMES = (Path(__file__).parent / "rig_surface.txt").read_text().split()
PRODUCT = {"Outbox": Outbox, "TrialSender": TrialSender}
"""What `Device.outbox` and `Device.sender` are."""


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_trials_use_is_there(name: str) -> None:
    whole, _, part = name.partition(".")
    found = PRODUCT.get(whole) or getattr(testing.rig, whole)
    if part and part not in getattr(found, "__struct_fields__", ()):
        assert hasattr(found, part) or part in getattr(found, "__dataclass_fields__", ())
