"""Files of the field, continued: several tracks, joined streams, headers that lie, marks of the end."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.frames.clips import numbered
from tests.frames.files.test_file_cases import AT_25, EVEN, Reading, read_all
from tests.frames.films import cut, make_film, remuxed

Size = tuple[int, int]


def with_tracks(path: Path, tracks: Sequence[Size | None], **muxer: str) -> Path:
    """A film with such tracks: pictures of a size, or sound (None)."""
    with av.open(str(path), "w", options=muxer) as film:
        streams = []
        for size in tracks:
            stream = film.add_stream("libx264" if size else "aac", rate=10 if size else 16_000)
            if size:
                stream.width, stream.height = size
                stream.pix_fmt = "yuv420p"
                stream.codec_context.gop_size = 10
            else:
                stream.layout = "mono"
            streams.append(stream)
        for number in range(30):
            for stream, size in zip(streams, tracks, strict=True):
                frames = _pictures(number, size) if size else _sounds(number)
                for frame in frames:
                    film.mux(stream.encode(frame))
        for stream in streams:
            film.mux(stream.encode(None))
    return path


def _pictures(number: int, size: Size) -> list[VideoFrame]:
    frame = VideoFrame.from_ndarray(numbered(number, size), "bgr24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 10)
    return [frame]


def _sounds(number: int) -> list[av.AudioFrame]:
    frames = []
    for half in range(2):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16_000, (2 * number + half) * 800
        frames.append(frame)
    return frames


def is_right(reading: Reading, count: int = 30, step_s: float = 0.1) -> bool:
    """Whether these pictures came in order at their times, of a file that is whole."""
    times_s = pytest.approx([step_s * number for number in range(count)], abs=5e-3)
    return (
        reading.numbers == list(range(count)) and reading.times_s == times_s and not reading.source.truncated
    )


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_sound_before_the_pictures_is_passed_by(tmp_path: Path, kind: str) -> None:
    reading = read_all(with_tracks(tmp_path / f"a.{kind}", [None, (160, 128)]))
    assert is_right(reading) and reading.source.notes == []


def test_with_sound_before_the_pictures_a_cut_is_told(tmp_path: Path) -> None:
    whole = with_tracks(tmp_path / "a.mp4", [None, (320, 240)], movflags="faststart")
    part = read_all(cut(whole, tmp_path / "b.mp4"))
    assert is_right(read_all(whole)) and part.source.truncated and 3 < len(part.numbers) < 28


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(
    "sizes", [[(160, 128), (320, 240)], [(320, 240), (160, 128)]], ids=["small", "large"]
)
def test_of_several_tracks_of_pictures_the_largest_is_read(
    tmp_path: Path, kind: str, sizes: list[Size]
) -> None:
    reading = read_all(with_tracks(tmp_path / f"a.{kind}", sizes))
    assert is_right(reading) and reading.source.size == (320, 240)
    assert "2 tracks of pictures" in reading.source.notes[0]


def test_recordings_that_are_joined_and_number_their_streams_anew_are_all_read(tmp_path: Path) -> None:
    films = [
        make_film(tmp_path / f"{pid}.ts", size=(320, 240), muxer={"mpegts_start_pid": pid})
        for pid in ("0x100", "0x200", "0x300")
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(film.read_bytes() for film in films))
    reading = read_all(path)
    assert reading.numbers == [*range(30)] * 3
    assert reading.times_s == pytest.approx([number / 10 for number in range(90)], abs=5e-3)
    assert not reading.source.truncated
    part = read_all(cut(path, tmp_path / "cut.ts", 0.8))
    assert part.source.truncated and 60 < len(part.numbers) < 88


def test_a_transport_stream_whose_clock_wraps_round_goes_on(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.ts", size=(320, 240))
    wrapped = remuxed(film, tmp_path / "b.ts", shifted_s=2**33 / 90_000 - 1.5)
    assert is_right(read_all(wrapped))


def test_a_transport_stream_with_times_before_each_packet_is_read(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.ts", size=(320, 240))
    recorded = remuxed(film, tmp_path / "b.m2ts", container="mpegts", muxer={"mpegts_m2ts_mode": "1"})
    assert is_right(read_all(recorded))


@pytest.mark.parametrize("behind", [2, 30], ids=["within its head", "within its contents"])
def test_a_film_in_fragments_that_breaks_off_in_a_head_is_cut(tmp_path: Path, behind: int) -> None:
    film = make_film(tmp_path / "a.mp4", size=(320, 240), muxer={"movflags": "frag_keyframe+empty_moov"})
    content = film.read_bytes()
    part = tmp_path / "b.mp4"
    part.write_bytes(content[: content.rindex(b"moof") + behind])
    reading = read_all(part)
    assert reading.numbers == list(range(20))
    assert reading.source.truncated and reading.source.cut_s == pytest.approx(2.0)


def restated(film: Path, path: Path, header: bytes, place: int, value: int) -> Path:
    """An AVI file with another number at `place` of a header."""
    content = bytearray(film.read_bytes())
    start = content.index(header) + 8 + place
    content[start : start + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("rate", [0, 1000, 100_000])
def test_an_avi_whose_rate_cannot_be_is_read_by_its_other_header(tmp_path: Path, rate: int) -> None:
    film = make_film(tmp_path / "a.avi", "mjpeg")
    reading = read_all(restated(film, tmp_path / "b.avi", b"strh", 24, rate))
    assert is_right(reading) and reading.source.fps == pytest.approx(10.0)


def test_an_avi_whose_two_headers_differ_says_so(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.avi", "mjpeg")
    reading = read_all(restated(film, tmp_path / "b.avi", b"avih", 0, 40_000))
    assert is_right(reading)
    assert reading.source.notes == ["its headers tell of 10 and of 25 frames a second; the first is used"]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_bare_pictures_that_refer_to_later_ones_come_in_order(tmp_path: Path, codec: str) -> None:
    container = "h264" if codec == "libx264" else "hevc"
    assert is_right(read_all(make_film(tmp_path / "a.bin", codec, container=container, b_frames=2)))


END_MARKS = {
    "h264": ("libx264", b"\0\0\1\x0a"),
    "h264, of the stream": ("libx264", b"\0\0\1\x0b\0\0"),
    "hevc": ("libx265", b"\0\0\1\x48\x01"),
    "mpeg": ("mpeg2video", b"\0\0\1\xb9"),
}


@pytest.mark.parametrize("kind", END_MARKS)
def test_the_mark_at_the_end_of_a_bare_stream_makes_it_whole(tmp_path: Path, kind: str) -> None:
    (codec, mark), container = END_MARKS[kind], kind.partition(",")[0]
    at = {"fps": 25, "times_s": AT_25} if codec == "mpeg2video" else {"times_s": EVEN}
    film = make_film(tmp_path / "a.bin", codec, container=container, size=(320, 240), **at)  # type: ignore[arg-type]
    content = film.read_bytes()
    content = content[: -len(mark)] if content.endswith(mark) else content
    end = round(0.6 * len(content)) if container == "mpeg" else -25
    for behind, whole in ((b"", False), (mark, True)):
        # The last picture is damaged: without a mark it may be the rest of one, with it there was no more.
        path = tmp_path / f"{len(behind)}.bin"
        path.write_bytes(content[:end] + behind)
        assert read_all(path).source.truncated is not whole


def test_a_file_with_any_name_is_opened(tmp_path: Path) -> None:
    from runtime.frames.opening import open_source

    path = make_film(tmp_path / "a.mp4").rename(tmp_path / "door #1 20%.mp4")
    source = open_source(f"file:{path}?pace=fast")
    assert source.size == (160, 128)
    source.close()
