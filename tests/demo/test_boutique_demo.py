"""The boutique as the user sees it: three films, LLRP over TCP, a real broker, the real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import pytest

from broker.mosquitto import find_mosquitto
from runtime.demo.boutique.show import RESULTS, BoutiqueSummary
from runtime.demo.summary import LEAST_SHARE
from tagsight.errors import TagsightError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BoutiqueSummary]:
    """One turn of the films: the folder of results, and the summary."""
    try:
        find_mosquitto()
    except TagsightError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("boutique")
    command = [sys.executable, "-m", "runtime", "demo", "--store", "boutique", "--out", str(out), "--json"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr + (out / "box/daemon.log").read_text()
    return out, msgspec.json.decode(done.stdout, type=BoutiqueSummary)


def test_no_event_is_lost(outcome: tuple[Path, BoutiqueSummary]) -> None:
    out, summary = outcome
    assert summary.events_lost == 0
    assert len((out / "events.jsonl").read_bytes().splitlines()) == summary.events_received > 100


def test_people_garments_and_hands_are_told(outcome: tuple[Path, BoutiqueSummary]) -> None:
    _, summary = outcome
    assert (summary.counted.in_true, summary.counted.out_true, summary.flips_true) == (6, 6, 8)
    assert summary.flips_found >= 1
    if summary.managed >= LEAST_SHARE:
        assert abs(summary.counted.in_found - 6) <= 2
        assert abs(summary.counted.out_found - 6) <= 2
        assert summary.stays.found >= 2
        assert summary.matches_right >= 2, "of eight garments turned by six people"
        assert summary.matches_wrong <= 3, "two at one rack are somebody, not either of them"


def test_what_was_promised_lies_in_the_folder(outcome: tuple[Path, BoutiqueSummary]) -> None:
    out, _ = outcome
    assert {path.name for path in out.iterdir()} >= set(RESULTS)
    for name in ("floor.png", "heatmap.png"):
        assert cv2.imread(str(out / name)) is not None
