"""What a source of pictures is, whatever is behind it."""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple, Protocol

import cv2
import numpy as np

from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import Image, PixelFormat

Transport = Literal["auto", "tcp", "udp"]
"""How the pictures of an RTSP camera come: for `auto` over TCP, or over UDP where it refuses that."""


class SourceState(Enum):
    """The states of a source, in the words that health uses."""

    CONNECTING = "connecting"
    LIVE = "live"
    BLACK = "black"
    FROZEN = "frozen"
    WRONG_PASSWORD = "wrong password"  # noqa: S105  (a state, not a secret)
    NO_SUCH_FILE = "no such file"
    TRUNCATED = "truncated"
    ENDED = "ended"
    RESOLUTION_CHANGED = "resolution changed"
    STALLED = "stalled"
    UNUSABLE = "unusable"


class SourceFault(FrameError):
    """A source cannot be opened or read on. `state` is what health says of it."""

    def __init__(self, state: SourceState, sentence: str) -> None:
        super().__init__(sentence)
        self.state = state


class Grab(NamedTuple):
    """A picture has been received and waits to be retrieved."""

    time_s: float
    """When it was taken: UTC seconds, or seconds from the start for a file that is read fast."""
    arrived_s: float
    """When it was received, UTC seconds on the host's timeline."""
    number: int
    """Counts the pictures of the source from 0, over loops and over those not retrieved."""
    loop: int = 0
    """How often a looped file has begun again."""


class Frame(NamedTuple):
    """A picture, BGR (height, width, 3), and its times."""

    image: Image
    grab: Grab


class Source(Protocol):
    """Pictures, one after another. Used by one thread."""

    label: str
    """The source's address as it may be shown."""
    size: tuple[int, int]
    """Width and height of its pictures, in pixels."""
    fps: float
    """Nominal frames a second; 0 where it is unknown."""
    pixel_format: PixelFormat
    """How its pictures lie: BGR, or NV12 where a video engine gives them so."""
    scales: bool
    """Whether `retrieve` gives the picture in any size that it is asked for."""
    waits: bool
    """True where pictures do not get lost while nobody takes them: a file that is read fast."""

    @property
    def stale(self) -> int:
        """Pictures skipped so far because they were due long ago."""

    @property
    def spoiled(self) -> int:
        """Pictures lost so far because they could not be decoded."""

    @property
    def remark(self) -> str:
        """What is to be said of the source beyond its state; empty if nothing."""

    @property
    def truncated(self) -> bool:
        """Whether it is a file that has turned out to break off before its end."""

    def grab(self) -> Grab | None:
        """Wait for the next picture; None at the end of a file. Raises SourceFault."""

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last; None where it cannot be decoded.

        They are written to `into`, scaled where the source `scales`; else they lie elsewhere where it has
        another shape.
        """

    def close(self) -> None:
        """Let go of it."""


def read(source: Source) -> Frame | None:
    """The next picture of a source that can be decoded, None at its end. Raises SourceFault."""
    while (grab := source.grab()) is not None:
        image = source.retrieve()
        if image is not None and source.pixel_format is PixelFormat.NV12:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_YUV2BGR_NV12), np.uint8)
        if image is not None:
            return Frame(image, grab)
    return None
