"""The whole path as the user sees it: real video, LLRP over TCP, a real broker, the real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import msgspec
import pytest

from broker.mosquitto import find_mosquitto
from contract.envelope import open_event
from runtime.demo.plaza import find_clip
from runtime.demo.summary import Summary
from tagsight.errors import TagsightError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A short demo: its folder, and what it printed."""
    try:
        find_clip()
        find_mosquitto()
    except TagsightError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "runtime", "demo", "--seconds", "40", "--out", str(out), "--json"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)
    return out, done


@pytest.fixture(scope="module")
def summary(outcome: tuple[Path, subprocess.CompletedProcess[str]]) -> Summary:
    out, done = outcome
    assert done.returncode == 0, done.stderr + (out / "box/daemon.log").read_text()
    return msgspec.json.decode(done.stdout, type=Summary)


def test_no_event_is_lost_between_the_store_process_and_the_subscriber(
    summary: Summary, outcome: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    lines = (outcome[0] / "events.jsonl").read_bytes().splitlines()
    seqs = [open_event(line).envelope.seq for line in lines]
    assert sorted(seqs) == list(range(1, summary.events_sent + 1))
    assert summary.events_lost == 0


def test_people_are_counted_and_their_stays_told(summary: Summary) -> None:
    assert sum(entered + left for entered, left in summary.gates.values()) >= 2
    assert summary.dwells >= 3
    assert summary.fps > 0


def test_flips_are_found_and_given_to_the_right_person(summary: Summary) -> None:
    assert summary.flips_true >= 3
    assert summary.flips_found >= 1
    assert summary.matches_right > summary.matches_wrong


def test_the_daemon_stops_within_five_seconds(summary: Summary) -> None:
    assert summary.stop_s < 5.0


def test_the_user_is_told_in_words(
    summary: Summary, outcome: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    told = outcome[1].stderr
    assert "came in by" in told or "went out by" in told
    assert "turned over at" in told
    assert f"{summary.events_received} of {summary.events_sent} received" in told
    assert "drawing the film: 100 %" in told
    assert summary.verdict() in told


def test_pictures_and_figures_are_left_behind(
    summary: Summary, outcome: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    out = outcome[0]
    assert json.loads((out / "summary.json").read_text())["events_sent"] == summary.events_sent
    for name in ("floor.png", "heatmap.png"):
        assert cv2.imread(str(out / name)).std() > 10
    video = cv2.VideoCapture(str(out / "annotated.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) >= 0.9 * 10 * summary.seconds
    with av.open(str(out / "annotated.mp4")) as film:
        assert film.streams.video[0].codec_context.name in ("h264", "vp9", "av1")


def test_no_picture_leaves_the_daemon(
    summary: Summary, outcome: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    """What the daemon writes are events and logs: no file of its state begins like a picture or a video."""
    signatures = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"\x00\x00\x00 ftyp")
    for path in (outcome[0] / "box/state").rglob("*"):
        if path.is_file():
            assert not path.read_bytes()[:64].startswith(signatures), path
