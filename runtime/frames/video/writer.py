"""Writing pictures as a film that browsers play: H.264 in MP4, VP9 or AV1 where FFmpeg lacks an encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import Image
from runtime.frames.video.priority import usual_priority

TICKS = 90_000
"""Of a second: what times are rounded to."""


class _Encoder(NamedTuple):
    name: str
    options: dict[str, str]


_ENCODERS = (
    _Encoder("libx264", {"preset": "ultrafast", "crf": "25"}),
    _Encoder("libopenh264", {"b": "4000000"}),
    _Encoder("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"}),
    _Encoder("libsvtav1", {"preset": "10", "crf": "35"}),
)
"""The first that is there is taken; all browsers play all of them in MP4."""


class FilmWriter:
    """An MP4 file whose index stands in front, so that it plays while it is loaded."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        """`size` is width and height of all pictures; `fps` is about how many a second there will be.

        Raises FrameError where the file cannot be written.
        """
        self._size = size
        self._reformatter = VideoReformatter()
        self._last = -1
        self._first_s: float | None = None
        self._path = path
        try:
            self._file = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._add_stream(fps)
            with usual_priority():
                self._file.start_encoding()
        except (av.error.FFmpegError, OSError) as error:
            raise self._fault(error) from error

    def add(self, picture: Image, time_s: float) -> None:
        """Write a BGR picture that is shown from `time_s` on; the first one's is the film's beginning.

        Raises FrameError where it cannot be written.
        """
        self._first_s = time_s if self._first_s is None else self._first_s
        self._last = max(self._last + 1, round((time_s - self._first_s) * TICKS))
        width, height = self._size
        if width % 2 or height % 2:
            # Chroma has half the size: odd sides are made even.
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        shown = VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture), "bgr24")
        frame = self._reformatter.reformat(shown, format="yuv420p")
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._write(frame)

    def close(self) -> None:
        """Finish the file. Raises FrameError where it cannot be written to its end."""
        if self._last >= 0:
            self._write(None)
        self._file.close()

    def _write(self, frame: VideoFrame | None) -> None:
        try:
            self._file.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: av.error.FFmpegError | OSError) -> FrameError:
        reason = (error.strerror or str(error)).lower()
        return FrameError(f"{self._path}: the film cannot be written ({reason})")

    def _add_stream(self, fps: float) -> VideoStream:
        width, height = self._size
        for encoder in _ENCODERS:
            try:
                stream = self._file.add_stream(encoder.name, rate=Fraction(fps).limit_denominator(1001))
            except UnknownCodecError:
                continue
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt = "yuv420p"
            stream.codec_context.options = dict(encoder.options)
            stream.codec_context.time_base = Fraction(1, TICKS)
            return stream
        raise FrameError("this FFmpeg has no encoder whose films browsers play; install av from PyPI")
