"""What a container holds before anything of it is decoded: its pictures, their rate, how long they take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import av.error
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from runtime.frames.video.causes import CannotOpen, Cause, cause_of, reason_of

TEXT_ART = ("tty", "bin", "xbin", "adf", "idf")
"""FFmpeg draws text files as pictures; here they are no video."""


def silence() -> None:
    """Keep FFmpeg from printing: its messages may quote an address with its password."""
    av.logging.set_level(None)


def open_container(
    target: str | Path, options: Mapping[str, str] | None, timeouts_s: tuple[float, float] | None
) -> InputContainer:
    """Open an address, with FFmpeg's options and seconds for opening and for each read. Raises CannotOpen."""
    silence()
    try:
        return av.open(str(target), "r", options=dict(options or {}), timeout=timeouts_s)
    except av.error.FFmpegError as error:
        raise CannotOpen(cause_of(error), reason_of(error)) from error
    except (OSError, ValueError) as error:
        raise CannotOpen(Cause.OTHER, str(error)) from error


def pictures_of(container: InputContainer) -> VideoStream:
    """The stream of pictures. Raises CannotOpen where there is none or no decoder for it."""
    if container.format.name in TEXT_ART:
        raise CannotOpen(Cause.NOT_A_VIDEO)
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise CannotOpen(Cause.NO_PICTURES, "only sound" if container.streams.audio else "")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise CannotOpen(Cause.CODING, "a coding that is not known here")
    # Of several, the others are previews, or the same at a lower rate; of equal ones the first.
    return max(known, key=lambda stream: stream.codec_context.width * stream.codec_context.height)


def duration_of(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the container says that it is, seconds, exactly or by estimate; None if it says nothing."""
    if stream.duration is not None and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    duration = container.duration
    return duration / av.time_base if duration is not None and duration > 0 else None


def is_cover(stream: VideoStream) -> bool:
    """Whether it is a still picture beside sound."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def rate_of(stream: VideoStream) -> float:
    """Pictures a second as the container tells; 0 where it tells nothing believable."""
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0.1 <= float(rate) <= 1000.0:
            return float(rate)
    return 0.0
