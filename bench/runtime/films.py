"""Small films whose pictures can be told apart, in the kinds that decoders stumble over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from runtime.frames.video.priority import usual_priority

TICKS = 90_000
SIZE = (160, 128)
FRAMES = 30

Film = tuple[Path, list[int], list[float]]
"""The file, the grey level of each picture, its time in seconds."""


def level(number: int) -> int:
    """The grey level of picture `number`."""
    return 30 + 6 * number


def make_all(folder: Path) -> dict[str, Film]:
    """One film of each kind, by what people call it."""
    os.environ.setdefault("SVT_LOG", "0")
    even = [number / 10 for number in range(FRAMES)]
    pause = [time_s + (20.0 if number >= FRAMES // 2 else 0.0) for number, time_s in enumerate(even)]
    levels = [level(number) for number in range(FRAMES)]
    interlaced = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    plain = make(folder / "plain.mp4", even)
    trimmed = trim(plain, folder / "trimmed.mp4", 1.35)
    return {
        "H.264 in MP4": (plain, levels, even),
        "interlaced H.264": (make(folder / "interlaced.mp4", even, coder=interlaced), levels, even),
        "AV1": (make(folder / "av1.mp4", even, "libsvtav1"), levels, even),
        "trimmed by stream copy": (trimmed, levels[14:], even[:-14]),
        "recorded on motion, a pause of 20 s": (make(folder / "pause.mp4", pause), levels, pause),
        "bare H.264": (make(folder / "bare.264", even, container="h264"), levels, even),
    }


def make(
    path: Path,
    times_s: Sequence[float],
    codec: str = "libx264",
    coder: dict[str, str] | None = None,
    container: str | None = None,
) -> Path:
    """A film whose picture k has `level(k)` at `times_s[k]`, with a key picture every ten."""
    ticks = 10 if container == "h264" else TICKS
    with usual_priority(), av.open(str(path), "w", format=container) as film:
        stream = film.add_stream(codec, rate=10, options=coder or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        stream.codec_context.time_base = Fraction(1, ticks)
        for number, time_s in enumerate(times_s):
            picture = np.full((SIZE[1], SIZE[0], 3), level(number), np.uint8)
            frame = VideoFrame.from_ndarray(picture, "bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(time_s * ticks), Fraction(1, ticks)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def trim(source: Path, path: Path, from_s: float) -> Path:
    """A stream copy from `from_s` on: an edit list hides what stands before it."""
    with av.open(str(source)) as film, av.open(str(path), "w") as copy:
        pictures = film.streams.video[0]
        stream = copy.add_stream_from_template(pictures)
        assert pictures.time_base is not None
        shift = round(from_s / float(pictures.time_base))
        film.seek(shift, stream=pictures)
        for packet in film.demux(pictures):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = stream
                copy.mux(packet)
    return path
