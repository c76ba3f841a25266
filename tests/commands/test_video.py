"""`tagsight video` on real pictures: the first seconds of PETS09-S2L1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from runtime import cli

FRAMES = 30
NANO = "det-yolox-nano/yolox_nano.onnx"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line; gives the exit status and what was printed, errors included."""

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            cli.main([str(each) for each in arguments])
        printed = capfd.readouterr()
        return int(end.value.code or 0), printed.out + printed.err

    return run


@pytest.fixture(scope="module")
def clip(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of the plaza."""
    path = tmp_path_factory.mktemp("clip") / "plaza.avi"
    source = cv2.VideoCapture(str(shared_data / "video-mot15-pets09-s2l1" / "PETS09-S2L1.mp4"))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (768, 576))
    for _ in range(FRAMES):
        found, picture = source.read()
        assert found
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture(scope="module")
def plaza(repo: Path) -> Path:
    """The store of the demo."""
    return repo / "runtime" / "demo" / "plaza.yaml"


def test_the_same_clip_gives_the_same_bytes(
    run: Run, clip: Path, plaza: Path, shared_data: Path, tmp_path: Path
) -> None:
    outputs = []
    for name in ("first", "second"):
        tracks, counts = tmp_path / f"{name}.txt", tmp_path / f"{name}.json"
        status, _ = run(
            "video", clip, "--config", plaza, "--detector", shared_data / NANO, "--tracks", tracks,
            "--counts", counts, "--overlay", tmp_path / f"{name}.mp4",
        )  # fmt: skip
        assert status == 0
        outputs.append((tracks.read_bytes(), counts.read_bytes()))
    assert outputs[0] == outputs[1]

    rows = [line.split(",") for line in outputs[0][0].decode().splitlines()]
    assert {len(row) for row in rows} == {10}
    assert {row[7:] == ["-1", "-1", "-1"] for row in rows} == {True}
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    assert {int(row[0]) for row in rows} <= set(range(1, FRAMES + 1))
    assert 3 <= len({row[1] for row in rows}) <= 6

    counts = json.loads(outputs[0][1])
    assert counts["clip"]["frames"] == FRAMES
    assert [gate["entrance"] for gate in counts["entrances"]] == ["road gate", "east gate", "south gate"]
    person_s = sum(cell[2] for part in counts["heatmap"] for cell in part["cells"])
    assert 4 < person_s < 18

    overlay = cv2.VideoCapture(str(tmp_path / "first.mp4"))
    assert int(overlay.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES


def test_without_a_store_persons_in_view_are_counted(
    run: Run, clip: Path, shared_data: Path, tmp_path: Path
) -> None:
    status, printed = run(
        "video", clip, "--detector", shared_data / NANO, "--counts", tmp_path / "counts.json", "--json"
    )
    summary = json.loads(printed)
    assert (status, summary["frames"], summary["entrances"]) == (0, FRAMES, {})
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert [each["persons"] for each in counts["intervals"]] == [counts["persons"]] == [summary["persons"]]
    assert 3 <= summary["persons"] <= 6


def test_what_is_wrong_is_said_in_a_sentence(run: Run, clip: Path, plaza: Path, tmp_path: Path) -> None:
    cases = [
        (("video", tmp_path / "none.mp4"), "none.mp4"),
        (("video", plaza), "plaza.yaml"),
        (("video", clip, "--config", tmp_path / "none.yaml"), "none.yaml"),
        (("video", clip, "--config", plaza, "--camera", "door"), "no camera 'door'; it has: square"),
        (("video", clip, "--detector", "no-such-engine"), "no-such-engine"),
        (("video", clip, "--tracks", tmp_path / "no" / "folder.txt"), "folder.txt: tracks cannot be written"),
        (("video", clip, "--overlay", tmp_path / "no" / "folder.mp4"), "folder.mp4: the overlay cannot be"),
    ]
    for arguments, sentence in cases:
        status, printed = run(*arguments)
        said = [line for line in printed.splitlines() if line.startswith("tagsight: ")]
        assert status == 1, arguments
        assert len(said) == 1, printed
        assert sentence in said[0]
