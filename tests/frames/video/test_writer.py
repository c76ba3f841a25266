"""Films that are written play in a browser, with every picture at its time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.frames.errors import FrameError
from runtime.frames.video import writer
from runtime.frames.video.demux import VideoReader
from runtime.frames.video.writer import FilmWriter
from tests.frames.clips import number_in, numbered


def write(path: Path, times_s: list[float], size: tuple[int, int] = (160, 128)) -> Path:
    film = FilmWriter(path, size, 10.0)
    for number, time_s in enumerate(times_s):
        film.add(numbered(number, size), time_s)
    film.close()
    return path


def boxes(path: Path) -> list[bytes]:
    content, position, names = path.read_bytes(), 0, []
    while position < len(content):
        names.append(content[position + 4 : position + 8])
        position += int.from_bytes(content[position : position + 4], "big")
    return names


def test_a_film_is_h264_that_a_browser_begins_to_play_while_it_loads(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", [number / 10 for number in range(30)])
    assert boxes(path)[0] == b"ftyp"
    assert boxes(path).index(b"moov") < boxes(path).index(b"mdat")
    content = path.read_bytes()
    assert b"avc1" in content and b"mp4v" not in content
    video = VideoReader(path)
    picture = video.read()
    assert picture is not None and picture.frame.format.name == "yuv420p"


@pytest.mark.parametrize("begin_s", [0.0, 1_763_769_600.0])
def test_pictures_keep_the_times_they_are_given(tmp_path: Path, begin_s: float) -> None:
    times_s = [0.0, 0.1, 0.2, 4.2, 4.3, 4.3, 9.0]
    video = VideoReader(write(tmp_path / "a.mp4", [begin_s + time_s for time_s in times_s]))
    found = []
    while (picture := video.read()) is not None:
        found.append((number_in(video.pixels(picture)), picture.stamp_s))
    assert [number for number, _ in found] == list(range(7))
    assert [stamp_s for _, stamp_s in found] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize("size", [(161, 127), (160, 127), (161, 128)])
def test_odd_sides_are_made_even(tmp_path: Path, size: tuple[int, int]) -> None:
    video = VideoReader(write(tmp_path / "a.mp4", [0.0, 0.1], size))
    picture = video.read()
    assert picture is not None
    assert video.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    kept = video.pixels(picture)[: size[1], : size[0]].astype(int)
    assert np.abs(kept - numbered(0, size)).mean() < 6


@pytest.mark.parametrize(("missing", "coding"), [(1, "VP9"), (2, "AV1")])
def test_without_an_h264_encoder_another_that_browsers_play_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int, coding: str
) -> None:
    there = [each for each in writer._ENCODERS if each.name != "libopenh264"]
    gone = [each._replace(name=f"no-{each.name}") for each in there[:missing]]
    monkeypatch.setattr(writer, "_ENCODERS", (*gone, *there[missing:]))
    video = VideoReader(write(tmp_path / "a.mp4", [number / 10 for number in range(30)]))
    count = 1
    while video.read() is not None:
        count += 1
    assert (video.coding, count) == (coding, 31)


def test_a_film_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"no/a.mp4: the film cannot be written \(no such file"):
        FilmWriter(tmp_path / "no" / "a.mp4", (160, 128), 10.0)
    with pytest.raises(FrameError, match="cannot be written"):
        FilmWriter(tmp_path, (160, 128), 10.0)


def test_a_film_without_pictures_is_closed_without_complaint(tmp_path: Path) -> None:
    FilmWriter(tmp_path / "a.mp4", (160, 128), 10.0).close()
