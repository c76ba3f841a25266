"""Why video cannot be opened or read on, as far as FFmpeg says."""

from __future__ import annotations

from enum import Enum

import av.error

from runtime.frames.errors import FrameError


class Cause(Enum):
    """Why an address cannot be opened, in the words of an error."""

    LOGIN = "the login is refused"
    FORBIDDEN = "access is forbidden"
    NOT_FOUND = "there is no such stream"
    REFUSED = "nobody listens there"
    NO_ANSWER = "there is no answer"
    NOT_A_VIDEO = "it is not a video"
    NO_PICTURES = "it holds no pictures"
    CODING = "its pictures cannot be decoded"
    OTHER = "it cannot be opened"


_CAUSES: tuple[tuple[tuple[type[Exception], ...], Cause], ...] = (
    ((av.error.HTTPUnauthorizedError,), Cause.LOGIN),
    ((av.error.HTTPForbiddenError, av.error.PermissionError), Cause.FORBIDDEN),
    ((av.error.HTTPNotFoundError, av.error.FileNotFoundError), Cause.NOT_FOUND),
    ((av.error.ConnectionRefusedError,), Cause.REFUSED),
    ((av.error.TimeoutError, av.error.ExitError), Cause.NO_ANSWER),
    ((av.error.InvalidDataError, av.error.EOFError), Cause.NOT_A_VIDEO),
)


class CannotOpen(FrameError):
    """An address cannot be opened. The sentence names the cause and the coding, never the address."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause.value}{f' ({detail})' if detail else ''}")
        self.cause = cause


class BrokeOff(FrameError):
    """No more can be read, though the source had not said that it ends."""


def cause_of(error: av.error.FFmpegError) -> Cause:
    """Which cause an error of FFmpeg is."""
    return next((cause for kinds, cause in _CAUSES if isinstance(error, kinds)), Cause.OTHER)


def reason_of(error: av.error.FFmpegError) -> str:
    """FFmpeg's words; the whole text of the error quotes the address, password and all."""
    return (error.strerror or type(error).__name__).lower()
