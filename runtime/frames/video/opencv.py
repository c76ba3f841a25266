"""What every source that OpenCV decodes has in common."""

from __future__ import annotations

import os
import time

import cv2
import numpy as np

from runtime.frames.ring.buffer import Image

TIME_LIMIT_MET_S = 1.0


def silence() -> None:
    """Keep OpenCV and its FFmpeg from printing: what goes wrong is told by health or an error.

    FFmpeg's own messages may quote an address with its password, so they are never let out.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if hasattr(cv2, "setLogLevel"):
        # Until 4.12.
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def use_one_thread() -> None:
    """Keep OpenCV to the calling thread: a camera process has one core's worth of work at most."""
    cv2.setNumThreads(1)


def grab_past_errors(capture: cv2.VideoCapture, tries: int) -> int | None:
    """Grab the next picture that can be decoded: how many before it could not; None where none comes.

    OpenCV answers a spoiled picture just as it does the end: only going on tells them apart. `tries` pictures
    may be spoiled. A call that took long has met its time limit and is not repeated.
    """
    for spoiled in range(tries + 1):
        asked_s = time.monotonic()
        if capture.grab():
            return spoiled
        if time.monotonic() - asked_s > TIME_LIMIT_MET_S:
            break
    return None


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
