"""Small real films of every kind for the tests, coded by FFmpeg: whole, damaged and cut ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from runtime.frames.video.priority import usual_priority
from tests.frames.clips import Picture, numbered

CLOCK = 90_000
"""Ticks of a second: stamps of any rate come out right."""
BY_RATE = ("mpeg4", "mpeg2video")
WITHOUT_STAMPS = ("avi", "h264", "hevc", "mjpeg")
"""Codings and containers that know a rate only."""


def make_film(
    path: Path,
    codec: str = "libx264",
    *,
    times_s: Sequence[float] = tuple(number / 10 for number in range(30)),
    size: tuple[int, int] = (160, 128),
    picture: Picture = numbered,
    container: str | None = None,
    muxer: dict[str, str] | None = None,
    coder: dict[str, str] | None = None,
    fps: int = 10,
    key_every: int = 10,
    b_frames: int = 0,
    turned: int = 0,
) -> Path:
    """A film whose picture k is `numbered` k and is shown at `times_s[k]`."""
    with usual_priority(), av.open(str(path), "w", format=container, options=muxer or {}) as film:
        stream = film.add_stream(codec, rate=fps, options=coder or {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        context = stream.codec_context
        context.gop_size, context.max_b_frames = key_every, b_frames
        ticks = fps if codec in BY_RATE or (container or path.suffix[1:]) in WITHOUT_STAMPS else CLOCK
        context.time_base = stream.time_base = Fraction(1, ticks)
        if turned:
            stream.set_display_rotation(turned)
        for number, time_s in enumerate(times_s):
            frame = VideoFrame.from_ndarray(picture(number, size), "bgr24").reformat(format=stream.pix_fmt)
            frame.time_base, frame.pts = Fraction(1, ticks), round(time_s * ticks)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def remuxed(
    source: Path, path: Path, *, container: str | None = None, muxer: dict[str, str] | None = None,
    from_s: float = 0.0, shifted_s: float = 0.0,
) -> Path:  # fmt: skip
    """A stream copy into another container: from the key picture before `from_s` on, or with other stamps."""
    with av.open(str(source)) as film, av.open(str(path), "w", format=container, options=muxer or {}) as copy:
        pictures = film.streams.video[0]
        stream = copy.add_stream_from_template(pictures)
        assert pictures.time_base is not None
        base = float(pictures.time_base)
        if from_s:
            film.seek(round(from_s / base), stream=pictures)
        for packet in film.demux(pictures):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts += round((shifted_s - from_s) / base)
            packet.dts += round((shifted_s - from_s) / base)
            packet.stream = stream
            copy.mux(packet)
    return path


def cut(source: Path, path: Path, share: float = 0.6) -> Path:
    """The first part of a file, as a copy that broke off leaves it."""
    content = source.read_bytes()
    path.write_bytes(content[: round(len(content) * share) + 37])
    return path


def without_index(source: Path, path: Path) -> Path:
    """An AVI file as a recorder leaves it that writes no index: it ends behind its pictures."""
    content = source.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    return path


def claiming(source: Path, path: Path, frames: int) -> Path:
    """An AVI file whose headers tell of another number of frames."""
    content = bytearray(source.read_bytes())
    for name, place in ((b"avih", 24), (b"strh", 40)):
        start = content.index(name) + place
        content[start : start + 4] = frames.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def damaged(source: Path, path: Path, share: float = 0.5, length: int = 1500) -> Path:
    """A file with bytes in its middle overwritten, and others lost."""
    content = bytearray(source.read_bytes())
    middle = round(len(content) * share)
    content[middle : middle + length] = bytes(range(1, 251)) * (length // 250)
    del content[middle + length : middle + length + 100]
    path.write_bytes(content)
    return path


def restamped(source: Path, path: Path, stamp: Callable[[int, int], int]) -> Path:
    """An FLV file whose picture k, stamped t ms, is stamped `stamp(k, t)` instead."""
    content, position, number = bytearray(source.read_bytes()), 13, 0
    while position + 11 < len(content):
        length = int.from_bytes(content[position + 1 : position + 4], "big")
        # A picture of H.264: kind 9, and packet type 1 where 0 would be the decoder's configuration.
        if content[position] == 9 and content[position + 12] == 1:
            time_ms = int.from_bytes(content[position + 4 : position + 7], "big")
            new_ms = stamp(number, time_ms | content[position + 7] << 24)
            content[position + 4 : position + 7] = (new_ms & 0xFFFFFF).to_bytes(3, "big")
            content[position + 7] = new_ms >> 24
            number += 1
        position += 11 + length + 4
    path.write_bytes(content)
    return path


def recoded(source: Path, path: Path, old: bytes, new: bytes) -> Path:
    """A film whose container calls its coding by another name."""
    path.write_bytes(source.read_bytes().replace(old, new))
    return path
