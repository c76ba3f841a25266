"""What FFmpeg decodes for us: pictures that are right, with the stamps they came with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from runtime.frames.ring.buffer import Image
from runtime.frames.video.demux import CannotOpen, Cause, VideoReader
from tests.frames.clips import number_in
from tests.frames.films import make_film, remuxed

INTERLACED = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:repeat-headers=1"}
PROGRESSIVE = {"x264-params": "repeat-headers=1"}


def all_of(path: Path) -> list[tuple[int, float | None]]:
    """Number and stamp of every picture."""
    video, found = VideoReader(path), []
    while (picture := video.read()) is not None:
        found.append((number_in(video.pixels(picture)), picture.stamp_s))
    video.close()
    return found


@pytest.mark.parametrize(
    ("codec", "name", "coding"),
    [
        ("libx264", "a.mp4", "H.264"),
        ("libx265", "a.mp4", "H.265"),
        ("libsvtav1", "a.mp4", "AV1"),
        ("libvpx-vp9", "a.webm", "VP9"),
        ("mpeg4", "a.avi", "MPEG-4 part 2"),
        ("mjpeg", "a.avi", "Motion JPEG"),
        ("mpeg2video", "a.ts", "MPEG-2"),
    ],
)
def test_every_picture_of_every_coding_comes_in_order(
    tmp_path: Path, codec: str, name: str, coding: str
) -> None:
    film = make_film(tmp_path / name, codec)
    found = all_of(film)
    assert [number for number, _ in found] == list(range(30))
    stamps = [stamp_s for _, stamp_s in found if stamp_s is not None]
    assert np.diff(stamps) == pytest.approx([0.1] * 29, abs=2e-3)
    video = VideoReader(film)
    assert (video.coding, video.size, video.interlaced) == (coding, (160, 128), False)


@pytest.mark.parametrize("container", ["mp4", "avi", "mkv", "ts", "flv"])
def test_pictures_that_refer_to_later_ones_come_in_the_order_they_are_shown(
    tmp_path: Path, container: str
) -> None:
    codec = "mpeg4" if container == "avi" else "libx264"
    found = all_of(make_film(tmp_path / f"b.{container}", codec, b_frames=2))
    assert [number for number, _ in found] == list(range(30))
    stamps = [stamp_s for _, stamp_s in found if stamp_s is not None]
    assert np.diff(stamps) == pytest.approx([0.1] * (len(stamps) - 1), abs=2e-3)


def test_interlaced_pictures_are_decoded_and_made_whole(tmp_path: Path) -> None:
    video = VideoReader(make_film(tmp_path / "i.mp4", coder=INTERLACED))
    found = []
    while (picture := video.read()) is not None:
        assert not picture.frame.interlaced_frame
        found.append((number_in(video.pixels(picture)), picture.stamp_s))
    assert video.interlaced
    assert [number for number, _ in found] == list(range(30))
    assert [stamp_s for _, stamp_s in found] == pytest.approx([number / 10 for number in range(30)])


def test_tall_interlaced_pictures_are_shown_by_half_and_at_once(tmp_path: Path) -> None:
    """1080i would keep three pictures in memory."""
    film = make_film(tmp_path / "i.mp4", coder=INTERLACED, size=(160, 736))
    video, looked_ahead = VideoReader(film), 0
    assert video.size == (160, 736)
    for number in range(30):
        picture = video.read()
        assert picture is not None
        looked_ahead = max(looked_ahead, len(video._ready))
        image = video.pixels(picture, np.zeros((736, 160, 3), np.uint8))
        assert number_in(image) == number and picture.stamp_s == pytest.approx(number / 10)
        assert image.shape == (736, 160, 3) and np.array_equal(image[::2], image[1::2])
        assert np.array_equal(image, video.pixels(picture))
    assert video.read() is None and video.interlaced and not video.resized and looked_ahead == 0


def test_whole_pictures_between_tall_interlaced_ones_stay_whole(tmp_path: Path) -> None:
    films = [
        make_film(tmp_path / f"{name}.264", container="h264", coder=coder, size=(160, 736))
        for name, coder in (("i", INTERLACED), ("p", PROGRESSIVE))
    ]
    (tmp_path / "both.264").write_bytes(films[0].read_bytes() + films[1].read_bytes())
    video, halves = VideoReader(tmp_path / "both.264"), []
    while (picture := video.read()) is not None:
        halves.append(2 * picture.frame.height == 736)
        assert video.pixels(picture).shape == (736, 160, 3)
    assert halves == 30 * [True] + 30 * [False]


@pytest.mark.parametrize(("turned", "size"), [(90, (128, 160)), (-90, (128, 160)), (180, (160, 128))])
def test_a_turned_film_is_shown_upright(tmp_path: Path, turned: int, size: tuple[int, int]) -> None:
    upright = VideoReader(make_film(tmp_path / "upright.mp4"))
    video = VideoReader(make_film(tmp_path / "turned.mp4", turned=turned))
    shown, lying = video.read(), upright.read()
    assert shown is not None and lying is not None
    assert video.size == size
    expected = np.rot90(upright.pixels(lying), turned // 90)
    assert np.abs(video.pixels(shown).astype(int) - expected).mean() < 1.0


def natural(number: int, size: tuple[int, int]) -> Image:
    """Soft shapes of all brightnesses, as cameras show them, moved by a pixel a picture."""
    rng = np.random.default_rng(4)
    shapes = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.roll(shapes, number, 1))


@pytest.mark.parametrize("share", [0.75, 0.625, 0.5])
@pytest.mark.parametrize("turned", [0, 90, 180])
def test_a_picture_is_scaled_as_its_colours_are_changed(tmp_path: Path, share: float, turned: int) -> None:
    video = VideoReader(make_film(tmp_path / "a.mp4", picture=natural, turned=turned))
    picture, (width, height) = video.read(), (round(share * side) for side in video.size)
    slot = np.zeros((height, width, 3), np.uint8)
    assert picture is not None and video.pixels(picture, slot) is slot
    whole = cv2.resize(video.pixels(picture), (width, height), interpolation=cv2.INTER_AREA)
    off = [
        np.abs(slot.astype(int) - moved).mean()
        for moved in (whole, np.roll(whole, 1, 0), np.roll(whole, 1, 1))
    ]
    assert off[0] < 3.5 and off[0] < min(off) + 1e-9, "colours at edges differ, the place does not"


@pytest.mark.parametrize("height", [736, 552, 368])
def test_half_a_picture_fills_a_smaller_array(tmp_path: Path, height: int) -> None:
    video = VideoReader(make_film(tmp_path / "i.mp4", coder=INTERLACED, size=(160, 736)))
    picture, slot = video.read(), np.zeros((height, 120, 3), np.uint8)
    assert picture is not None and picture.frame.height == 368
    assert number_in(video.pixels(picture, slot)) == 0
    whole = cv2.resize(video.pixels(picture), (120, height), interpolation=cv2.INTER_AREA)
    assert np.abs(slot.astype(int) - whole).mean() < 4.0


def test_pixels_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    video = VideoReader(make_film(tmp_path / "a.mp4"))
    picture, slot = video.read(), np.zeros((128, 160, 3), np.uint8)
    assert picture is not None
    assert video.pixels(picture, slot) is slot
    assert np.array_equal(slot, video.pixels(picture))
    assert slot.mean() > 20


def test_stamps_are_those_of_the_file(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.2, 5.2, 5.3, 5.8]
    late = remuxed(make_film(tmp_path / "a.mkv", times_s=times_s), tmp_path / "late.mkv", shifted_s=100_000.0)
    assert [stamp_s for _, stamp_s in all_of(late)] == pytest.approx(
        [100_000.0 + time_s for time_s in times_s], abs=2e-3
    )


def test_a_place_that_cannot_be_taken_apart_is_passed(tmp_path: Path) -> None:
    def broken() -> Iterator[Packet[VideoStream]]:
        raise av.error.InvalidDataError(0, "Invalid data found")
        yield

    video = VideoReader(make_film(tmp_path / "a.mp4"))
    video._packets = broken()
    found = []
    while (picture := video.read()) is not None:
        found.append(number_in(video.pixels(picture)))
    assert found == list(range(30))
    assert video.spoiled == 1


def test_seeking_goes_on_at_the_key_picture_before(tmp_path: Path) -> None:
    video = VideoReader(make_film(tmp_path / "a.mp4"))
    video.seek(1.55)
    picture = video.read()
    assert picture is not None and number_in(video.pixels(picture)) == 10
    assert picture.stamp_s == pytest.approx(1.0)


def without_pictures(path: Path) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=16_000)
        stream.layout = "mono"  # type: ignore[attr-defined]
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def test_what_cannot_be_opened_is_named_by_its_cause(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_bytes(b"not a video at all " * 50)
    without_pictures(tmp_path / "sound.mp4")
    film = make_film(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "odd.mp4").write_bytes(film.replace(b"avc1", b"zq9x"))
    causes = {}
    for name in ("none.mp4", "notes.mp4", "sound.mp4", "odd.mp4"):
        with pytest.raises(CannotOpen) as refused:
            VideoReader(tmp_path / name)
        causes[name] = refused.value.cause
    assert causes == {
        "none.mp4": Cause.NOT_FOUND,
        "notes.mp4": Cause.NOT_A_VIDEO,
        "sound.mp4": Cause.NO_PICTURES,
        "odd.mp4": Cause.CODING,
    }


def test_nobody_there_is_said_without_the_password() -> None:
    with pytest.raises(CannotOpen) as refused:
        VideoReader("rtsp://admin:secret@127.0.0.1:9/live", {"rtsp_transport": "tcp"}, (2.0, 2.0))
    assert refused.value.cause is Cause.REFUSED
    assert "secret" not in str(refused.value)


def test_a_closed_video_lets_go_of_its_decoder_and_reading_takes_one_thread(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mp4", size=(640, 480))
    threads = len(list(Path("/proc/self/task").iterdir()))
    video = VideoReader(film)
    for _ in range(5):
        picture = video.read()
        assert picture is not None
        video.pixels(picture)
    assert len(list(Path("/proc/self/task").iterdir())) == threads, (
        "nothing was handed to threads of a library"
    )
    context = video._stream.codec_context
    del picture
    video.close()
    assert sys.getrefcount(context) == 2, "the decoder would keep its pictures while the next is opened"
    video.close()
