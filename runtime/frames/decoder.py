"""What every source that OpenCV decodes has in common."""

from __future__ import annotations

import os

import cv2
import numpy as np

from runtime.frames.ring import Image


def silence() -> None:
    """Keep OpenCV and its FFmpeg from printing: what goes wrong is told by health or an error.

    FFmpeg's own messages may quote an address with its password, so they are never let out.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def use_one_thread() -> None:
    """Keep OpenCV to the calling thread: a camera process has one core's worth of work at most."""
    cv2.setNumThreads(1)


def retrieve(capture: cv2.VideoCapture, into: Image | None) -> Image | None:
    """The pixels of the picture grabbed last, in `into` where it has the right shape; None if spoiled."""
    ok, image = capture.retrieve(into)
    return np.asarray(image, np.uint8) if ok and image is not None else None


def size_of(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Width and height of the pictures, in pixels."""
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def fps_of(capture: cv2.VideoCapture) -> float:
    """Pictures a second as the source tells; 0 where it tells nothing believable."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0.1 <= fps <= 1000.0 else 0.0
