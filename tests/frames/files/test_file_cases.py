"""Files as people bring them: each whole kind, its twin that broke off, and what is no video at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from runtime.frames.files.playback import FileSource
from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, SourceState, read
from tests.frames.clips import number_in
from tests.frames.films import (
    claiming,
    cut,
    damaged,
    make_film,
    recoded,
    remuxed,
    restamped,
    without_index,
)

Maker = Callable[[Path], Path]

EVEN = [number / 10 for number in range(30)]
PAUSE = [number / 10 + (20.0 if number >= 15 else 0.0) for number in range(30)]
SLOWER = [number / 25 if number < 15 else 0.6 + (number - 15) / 5 for number in range(30)]
AT_25 = [number / 25 for number in range(30)]
INTERLACED = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}


class Reading(NamedTuple):
    """What was read of a file."""

    numbers: list[int]
    times_s: list[float]
    source: FileSource


def read_all(path: Path) -> Reading:
    source = open_source(f"file:{path}?pace=fast")
    assert isinstance(source, FileSource)
    numbers, times_s = [], []
    while (frame := read(source)) is not None:
        numbers.append(number_in(frame.image))
        times_s.append(frame.grab.time_s)
    source.close()
    return Reading(numbers, times_s, source)


def joined(folder: Path, *films: Path) -> Path:
    path = folder / f"joined{films[0].suffix}"
    path.write_bytes(b"".join(film.read_bytes() for film in films))
    return path


def film(name: str, codec: str = "libx264", **how: object) -> Maker:
    return lambda folder: make_film(folder / name, codec, **how)  # type: ignore[arg-type]


def altered(maker: Maker, change: Callable[[Path, Path], Path], name: str) -> Maker:
    return lambda folder: change(maker(folder), folder / name)


MP4, FLV, TS = film("a.mp4"), film("a.flv"), film("a.ts", size=(320, 240))
MJPEG_AVI = film("a.avi", "mjpeg")

WHOLE: dict[str, tuple[Maker, Sequence[int], Sequence[float], str]] = {
    "an ordinary MP4": (MP4, range(30), EVEN, ""),
    "its index in front": (film("a.mp4", muxer={"movflags": "faststart"}), range(30), EVEN, ""),
    "in fragments": (film("a.mp4", muxer={"movflags": "frag_keyframe+empty_moov"}), range(30), EVEN, ""),
    "trimmed by stream copy": (
        altered(MP4, partial(remuxed, from_s=1.35), "trimmed.mp4"),
        range(14, 30),
        EVEN[:16],
        "holds 20 frames, of which 16",
    ),
    "with bytes behind its end": (
        lambda folder: joined(folder, MP4(folder), _filled(folder / "rest.bin", bytes(5000))),
        range(30),
        EVEN,
        "",
    ),
    "interlaced": (film("a.mp4", coder=INTERLACED), range(30), EVEN, "interlaced"),
    "interlaced MPEG-2": (
        film("a.ts", "mpeg2video", coder={"flags": "+ildct+ilme"}),
        range(30),
        EVEN,
        "interlaced",
    ),
    "AV1": (film("a.mp4", "libsvtav1"), range(30), EVEN, ""),
    "H.265": (film("a.mp4", "libx265"), range(30), EVEN, ""),
    "VP9 in WebM": (film("a.webm", "libvpx-vp9"), range(30), EVEN, ""),
    "Windows Media": (film("a.wmv", "wmv2"), range(30), EVEN, ""),
    "turned on its side": (film("a.mp4", turned=180), (), EVEN, ""),
    "recorded on motion, with a pause": (film("a.mp4", times_s=PAUSE), range(30), PAUSE, "0.100 to 20.100 s"),
    "25, then 5 frames a second": (film("a.mp4", times_s=SLOWER), range(30), SLOWER, "0.040 to 0.200 s"),
    "a pause in MKV": (film("a.mkv", times_s=PAUSE), range(30), PAUSE, "0.100 to 20.100 s"),
    "stamped by a recorder's clock": (
        altered(film("a.mkv"), partial(remuxed, shifted_s=100_000.0), "late.mkv"),
        range(30),
        EVEN,
        "starts at 100000.0 s",
    ),
    "MKV of a live stream": (film("a.mkv", muxer={"live": "1"}), range(30), EVEN, ""),
    "FLV": (FLV, range(30), EVEN, ""),
    "frames that refer to later ones": (film("a.mp4", b_frames=2), range(30), EVEN, ""),
    "the same in AVI": (film("a.avi", b_frames=2), range(30), EVEN, ""),
    "the same in MPEG-4 AVI": (film("a.avi", "mpeg4", b_frames=2), range(30), EVEN, ""),
    "Motion JPEG in AVI": (MJPEG_AVI, range(30), EVEN, ""),
    "AVI without its index": (altered(MJPEG_AVI, without_index, "b.avi"), range(30), EVEN, ""),
    "AVI that claims too much": (
        altered(MJPEG_AVI, partial(claiming, frames=500), "b.avi"),
        range(30),
        EVEN,
        "holds 500 frames, of which 30",
    ),
    "AVI that claims too little": (
        altered(MJPEG_AVI, partial(claiming, frames=7), "b.avi"),
        range(30),
        EVEN,
        "",
    ),
    "bare H.264": (film("a.264", container="h264"), range(30), EVEN, "no time stamps: 10 frames"),
    "bare H.265": (film("a.265", "libx265", container="hevc"), range(30), EVEN, "no time stamps: 10 frames"),
    "bare Motion JPEG": (
        film("a.mjpeg", "mjpeg", container="mjpeg"),
        range(30),
        AT_25,
        "no time stamps: 25 frames",
    ),
    "transport stream": (TS, range(30), EVEN, ""),
    "program stream": (
        film("a.mpg", "mpeg2video", container="mpeg", fps=25, times_s=AT_25),
        range(30),
        (),
        "",
    ),
    "recordings joined together": (
        lambda folder: joined(folder, TS(folder), TS(folder)),
        [*range(30), *range(30)],
        [number / 10 for number in range(60)],
        "stamps jump or stand still 1 times",
    ),
    "recordings of two sizes joined": (
        lambda folder: joined(folder, TS(folder), make_film(folder / "small.ts")),
        [*range(30), *range(30)],
        [number / 10 for number in range(60)],
        "scaled to 320 x 240",
    ),
    "stamps hours ahead now and then": (
        altered(FLV, partial(restamped, stamp=lambda k, t: t + 3_600_000 * (k % 7 == 6)), "b.flv"),
        range(30),
        EVEN,
        "4 of its time stamps are far off",
    ),
    "stamps of zero now and then": (
        altered(FLV, partial(restamped, stamp=lambda k, t: t * (k % 7 != 6)), "b.flv"),
        range(30),
        EVEN,
        "4 of its time stamps are far off",
    ),
    "stamps that stand still": (
        altered(FLV, partial(restamped, stamp=lambda k, t: 0), "b.flv"),
        range(30),
        EVEN,
        "stand still 29 times",
    ),
    "a clock that was set while it recorded": (
        altered(FLV, partial(restamped, stamp=lambda k, t: t + 5_000_000 * (k < 10)), "b.flv"),
        range(30),
        EVEN,
        "stamps jump or stand still 1 times",
    ),
    "a single frame": (film("a.mp4", times_s=[0.0]), [0], [0.0], ""),
}
"""Kind -> how it is made, which pictures it shows, when, and what is said of it."""


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_of_any_kind_is_read_to_its_end_at_the_right_times(tmp_path: Path, kind: str) -> None:
    make, numbers, times_s, remark = WHOLE[kind]
    reading = read_all(make(tmp_path))
    assert not reading.source.truncated, reading.source.notes
    if numbers:
        assert reading.numbers == list(numbers)
    if times_s:
        assert reading.times_s == pytest.approx(list(times_s), abs=5e-3)
    assert (remark in "; ".join(reading.source.notes)) if remark else reading.source.notes == []
    assert reading.source.remark == ""


CUT: dict[str, Maker] = {
    "MP4, index in front": film("a.mp4", size=(320, 240), muxer={"movflags": "faststart"}),
    "in fragments": film("a.mp4", size=(320, 240), muxer={"movflags": "frag_keyframe+empty_moov"}),
    "MKV": film("a.mkv"),
    "MKV of a live stream": film("a.mkv", muxer={"live": "1"}),
    "WebM": film("a.webm", "libvpx-vp9"),
    "transport stream": TS,
    "transport stream of H.265": film("a.ts", "libx265", size=(320, 240)),
    "program stream": film("a.mpg", "mpeg2video", container="mpeg", fps=25, times_s=AT_25),
    "FLV": FLV,
    "Motion JPEG in AVI": MJPEG_AVI,
    "MPEG-4 in AVI": film("a.avi", "mpeg4", size=(320, 240)),
    "H.264 in AVI": film("a.avi", size=(320, 240), b_frames=2),
    "Windows Media": film("a.wmv", "wmv2", size=(320, 240)),
    "bare H.264": film("a.264", container="h264"),
    "bare H.265": film("a.265", "libx265", size=(320, 240), container="hevc"),
    "bare Motion JPEG": film("a.mjpeg", "mjpeg", container="mjpeg"),
    "interlaced, index in front": film(
        "a.mp4", size=(320, 240), coder=INTERLACED, muxer={"movflags": "faststart"}
    ),
    "AV1, index in front": film("a.mp4", "libsvtav1", size=(320, 240), muxer={"movflags": "faststart"}),
}


@pytest.mark.parametrize("kind", CUT)
def test_its_twin_that_broke_off_gives_what_it_has_and_says_where_it_ends(tmp_path: Path, kind: str) -> None:
    whole = CUT[kind](tmp_path)
    all_of_it = read_all(whole)
    part = read_all(cut(whole, tmp_path / f"cut{whole.suffix}"))
    assert not all_of_it.source.truncated
    assert part.source.truncated, part.source.notes
    assert 3 < len(part.numbers) < 28
    last_s = part.times_s[-1]
    assert part.times_s == pytest.approx(all_of_it.times_s[: len(part.times_s)], abs=0.11)
    assert part.source.cut_s is not None and 0 < part.source.cut_s - last_s < 0.25
    assert f"breaks off at {part.source.cut_s:.2f} s" in part.source.remark


@pytest.mark.parametrize("container", ["mkv", "flv", "avi", "mp4"])
def test_a_file_cut_between_two_pictures_is_told_by_its_container(tmp_path: Path, container: str) -> None:
    import av

    codec = "mjpeg" if container == "avi" else "libx264"
    in_front = {"movflags": "faststart"} if container == "mp4" else None
    whole = make_film(tmp_path / f"a.{container}", codec, muxer=in_front)
    with av.open(str(whole)) as opened:
        start = [packet.pos for packet in opened.demux(video=0) if packet.size][19]
    assert start is not None
    part = tmp_path / f"cut.{container}"
    # What stands before a picture's bytes: 8 in AVI; in FLV and MKV `pos` is the tag's or block's own place.
    part.write_bytes(whole.read_bytes()[: start - (8 if container == "avi" else 0)])
    reading = read_all(part)
    assert reading.source.truncated
    assert 10 <= len(reading.numbers) <= 20


def test_a_transport_stream_with_a_wound_is_counted_on_and_the_wound_is_told(tmp_path: Path) -> None:
    reading = read_all(damaged(TS(tmp_path), tmp_path / "b.ts"))
    assert not reading.source.truncated
    assert 20 <= len(reading.numbers) <= 30
    assert reading.times_s[-1] == pytest.approx(2.9)
    assert reading.numbers[-5:] == [25, 26, 27, 28, 29]
    assert "damaged" in reading.source.remark or "cannot be decoded" in reading.source.remark


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.flv"])
def test_damage_in_the_last_picture_of_a_whole_file_is_no_cut(tmp_path: Path, name: str) -> None:
    import av

    whole = make_film(tmp_path / name, "mpeg4" if name == "a.avi" else "libx264", size=(320, 240))
    with av.open(str(whole)) as opened:
        last = [packet for packet in opened.demux(video=0) if packet.size][-1]
    content, coded = bytearray(whole.read_bytes()), bytes(last)
    start = content.rindex(coded[-60:])
    content[start : start + 40] = bytes(40)
    (tmp_path / f"b{whole.suffix}").write_bytes(content)
    reading = read_all(tmp_path / f"b{whole.suffix}")
    assert not reading.source.truncated
    assert len(reading.numbers) >= 29


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_stream_that_begins_between_two_key_pictures_is_read_from_the_next(
    tmp_path: Path, codec: str
) -> None:
    whole = make_film(tmp_path / "a.ts", codec, size=(320, 240))
    content = whole.read_bytes()
    (tmp_path / "b.ts").write_bytes(content[188 * round(len(content) * 0.2 / 188) :])
    reading = read_all(tmp_path / "b.ts")
    assert not reading.source.truncated
    assert 18 <= len(reading.numbers) <= 29
    assert reading.numbers[-10:] == list(range(20, 30))
    assert reading.times_s[0] == 0.0
    assert reading.times_s[-10:] == pytest.approx([reading.times_s[-1] - k / 10 for k in range(9, -1, -1)])


@pytest.mark.parametrize(
    ("name", "lost"), [("a.mkv", 0), ("a.avi", 0)], ids=["cues of an MKV", "index of an AVI"]
)
def test_a_copy_that_lost_only_its_index_is_whole(tmp_path: Path, name: str, lost: int) -> None:
    whole = make_film(tmp_path / name, "mjpeg" if name.endswith("avi") else "libx264")
    content = whole.read_bytes()
    place = content.rindex(b"idx1") if name.endswith("avi") else content.rindex(bytes.fromhex("1c53bb6b"))
    part = tmp_path / f"part{whole.suffix}"
    part.write_bytes(content[: place + 9])
    reading = read_all(part)
    assert (reading.numbers, reading.source.truncated) == (list(range(30)), False)


def _filled(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sound(folder: Path) -> Path:
    import av
    import numpy as np

    with av.open(str(folder / "a.mp4"), "w") as opened:
        stream = opened.add_stream("aac", rate=16_000)
        stream.layout = "mono"  # type: ignore[attr-defined]
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return folder / "a.mp4"


def noise(name: str) -> Maker:
    import random

    return lambda folder: _filled(folder / name, random.Random(4).randbytes(60_000))


WRONG: dict[str, tuple[Maker, SourceState, str]] = {
    "text": (lambda folder: _filled(folder / "a.mp4", b"hello\n" * 500), SourceState.UNUSABLE, "not a video"),
    "text by its name": (
        lambda folder: _filled(folder / "notes.txt", b"hello\n" * 500),
        SourceState.UNUSABLE,
        "not a video",
    ),
    "only sound": (sound, SourceState.UNUSABLE, "only sound"),
    "empty": (lambda folder: _filled(folder / "a.mp4", b""), SourceState.TRUNCATED, "empty"),
    "zeros": (lambda folder: _filled(folder / "a.mp4", bytes(50_000)), SourceState.UNUSABLE, "not a video"),
    "noise called MP4": (noise("a.mp4"), SourceState.UNUSABLE, "not a video"),
    "noise called H.264": (noise("a.264"), SourceState.UNUSABLE, "a.264|a.ts"),
    "noise called TS": (noise("a.ts"), SourceState.UNUSABLE, "a.264|a.ts"),
    "MP4 cut before its index": (
        altered(MP4, cut, "b.mp4"),
        SourceState.TRUNCATED,
        "breaks off before its index",
    ),
    "an unknown coding": (
        altered(MP4, partial(recoded, old=b"avc1", new=b"zq9x"), "b.mp4"),
        SourceState.UNUSABLE,
        r"cannot be decoded .*zq9x.*convert it to H.264",
    ),
    "an unknown coding in MKV": (
        altered(film("a.mkv"), partial(recoded, old=b"V_MPEG4/ISO/AVC", new=b"V_MPEG9/XYZ/AVC"), "b.mkv"),
        SourceState.UNUSABLE,
        r"V_MPEG9/XYZ/AVC.*convert it to H.264",
    ),
    "encrypted": (
        altered(MP4, partial(recoded, old=b"avc1", new=b"encv"), "b.mp4"),
        SourceState.UNUSABLE,
        "encrypted",
    ),
    "a list of files": (
        lambda folder: _filled(folder / "a.mp4", b"ffconcat version 1.0\nfile 'b.mp4'\n"),
        SourceState.UNUSABLE,
        "a list of other files",
    ),
    "a playlist": (
        lambda folder: _filled(
            folder / "a.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nb.ts\n#EXT-X-ENDLIST\n"
        ),
        SourceState.UNUSABLE,
        "not a video|a list of other files",
    ),
    "H.264 without any picture": (
        lambda folder: _filled(folder / "a.264", film("b.264", container="h264")(folder).read_bytes()[:40]),
        SourceState.UNUSABLE,
        "a.264",
    ),
}
"""Kind -> how it is made, and how it is refused."""


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    make, state, sentence = WRONG[kind]
    path = make(tmp_path)
    with pytest.raises(SourceFault, match=sentence) as refused:
        read_all(path)
    assert refused.value.state is state
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
