"""A frame in a camera's ring while it is leased to the vision process."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.frames.ring.buffer import FrameHeader, FrameRing, PixelFormat


class LeasedFrame(NamedTuple):
    """Slot `slot` of the ring of `camera`: unchanged until it is given back."""

    camera: str
    ring: FrameRing
    slot: int

    @property
    def header(self) -> FrameHeader:
        """What the slot says of it."""
        return self.ring.header(self.slot)

    def image(self) -> NDArray[np.uint8]:
        """The frame, (height, width, 3) BGR, in place where the ring has it so."""
        frame = self.ring.frame(self.slot)
        if self.header.pixel_format == PixelFormat.NV12:
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_NV12), np.uint8)
        return frame

    def brightness(self) -> NDArray[np.uint8]:
        """The frame in place: BGR (height, width, 3), or of NV12 the luma (height, width)."""
        frame = self.ring.frame(self.slot)
        return frame[: self.header.height] if self.header.pixel_format == PixelFormat.NV12 else frame
