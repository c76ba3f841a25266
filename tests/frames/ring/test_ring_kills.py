from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 200


@pytest.mark.slow
def test_two_hundred_kills_of_readers_and_cameras_lose_no_slot_tear_no_frame_and_leak_nothing(
    repo: Path,
) -> None:
    """The program fails by itself where a slot does not come back or frames do not flow again."""
    program = [sys.executable, str(repo / "tests" / "frames" / "ring" / "ring_kills.py"), str(KILLS), "7"]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    ended = subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["kills"] == KILLS
    assert seen["torn"] == 0
    before, after = seen["own"]
    assert after["fds"] == before["fds"]
    marks = seen["marks"]
    for survivor in ("camera", "reader"):
        early, late = marks[f"{survivor} False"], marks[f"{survivor} True"]
        assert late["fds"] == early["fds"]
        assert late["rings"] == early["rings"] == 1
        assert late["unique_kb"] < early["unique_kb"] + 1024
