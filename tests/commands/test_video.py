"""`tagsight video` on real pictures: the first seconds of PETS09-S2L1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from runtime import cli
from tests.frames.clips import black
from tests.frames.films import cut, damaged, make_film, remuxed

FRAMES = 30
NANO = "det-yolox-nano/yolox_nano.onnx"

INTERLACED = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}

Run = Callable[..., tuple[int, str]]


def film(name: str, codec: str = "libx264", **how: Any) -> Callable[[Path], Path]:
    return lambda folder: make_film(folder / name, codec, **{"size": (320, 240), **how})


def trimmed(source: Path) -> Path:
    return remuxed(source, source.with_name("trimmed.mp4"), from_s=1.35)


def wounded(source: Path) -> Path:
    return damaged(source, source.with_name("damaged.ts"))


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
    assert [gate["entrance"] for gate in counts["entrances"]] == ["road gate", "east gate", "north gate"]
    person_s = sum(cell[2] for part in counts["heatmap"] for cell in part["cells"])
    assert 4 < person_s < 18

    overlay = cv2.VideoCapture(str(tmp_path / "first.mp4"))
    assert int(overlay.get(cv2.CAP_PROP_FRAME_COUNT)) == FRAMES
    assert b"avc1" in (tmp_path / "first.mp4").read_bytes(), "H.264, which browsers play"


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


PAUSE_S = [number / 10 + (20.0 if number >= 15 else 0.0) for number in range(30)]

WHOLE = {
    "ordinary": (film("a.mp4"), 30, 3.0, ""),
    "interlaced": (film("a.mp4", coder=INTERLACED), 30, 3.0, "interlaced"),
    "AV1": (film("a.mp4", "libsvtav1"), 30, 3.0, ""),
    "with a pause": (film("a.mp4", times_s=PAUSE_S), 30, 23.0, "its own stamps are used"),
    "trimmed": (lambda folder: trimmed(film("a.mp4")(folder)), 16, 1.6, "of which 16 are to be shown"),
    "bare H.264": (film("a.264", container="h264"), 30, 3.0, "no time stamps"),
    "damaged": (lambda folder: wounded(film("a.ts")(folder)), None, 3.0, "damaged"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_of_any_kind_is_counted_to_its_end(run: Run, tmp_path: Path, kind: str) -> None:
    make, frames, seconds, remark = WHOLE[kind]
    status, printed = run("video", make(tmp_path), "--counts", tmp_path / "c.json")
    counts = json.loads((tmp_path / "c.json").read_text())
    clip = counts["clip"]
    assert (status, counts["complete"], clip["complete"], clip["cut_s"]) == (0, True, True, None)
    assert frames is None or clip["frames"] == frames
    assert clip["seconds"] == pytest.approx(seconds, abs=5e-3)
    assert remark in printed
    assert remark in "; ".join(clip["remarks"])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.264"])
def test_a_file_that_breaks_off_is_counted_as_far_as_it_goes(run: Run, tmp_path: Path, name: str) -> None:
    whole = make_film(
        tmp_path / name,
        size=(320, 240),
        container="h264" if name == "a.264" else None,
        muxer={"movflags": "faststart"} if name == "a.mp4" else None,
    )
    part = cut(whole, tmp_path / f"part{whole.suffix}")
    status, printed = run("video", part, "--counts", tmp_path / "c.json", "--tracks", tmp_path / "t.txt")
    counts = json.loads((tmp_path / "c.json").read_text())
    assert (status, counts["complete"]) == (0, False)
    assert 3 < counts["clip"]["frames"] < 28
    assert counts["clip"]["cut_s"] == pytest.approx(counts["clip"]["seconds"])
    assert f"{part.name} breaks off at {counts['clip']['cut_s']:.2f} s" in printed
    assert (tmp_path / "t.txt").exists()


def test_pictures_in_which_nothing_can_be_seen_are_told(run: Run, tmp_path: Path) -> None:
    status, printed = run("video", make_film(tmp_path / "a.mp4", picture=black))
    assert status == 0
    assert "30 of 30 frames are black" in printed


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1", "mjpeg"])
def test_the_same_people_are_counted_however_the_clip_is_coded(
    run: Run, clip: Path, tmp_path: Path, codec: str
) -> None:
    import av

    pictures = [frame.to_ndarray(format="bgr24") for frame in av.open(str(clip)).decode(video=0)]
    coded = make_film(
        tmp_path / ("a.avi" if codec == "mjpeg" else "a.mp4"),
        codec,
        size=(768, 576),
        picture=lambda number, size: pictures[number],
        coder={**INTERLACED, "crf": "20"} if codec == "libx264" else None,
    )
    persons = []
    for path in (clip, coded):
        status, printed = run("video", path, "--json")
        assert status == 0
        summary = next(line for line in printed.splitlines() if line.startswith("{"))
        persons.append(json.loads(summary)["persons"])
    assert abs(persons[0] - persons[1]) <= 1
    assert persons[1] >= 3


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
