"""Small real video files for the tests, made by OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

Picture = Callable[[int, tuple[int, int]], np.ndarray]


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """A picture from which `number_in` can read its number (0 to 255) after coding."""
    width, height = size
    picture = np.full((height, width, 3), 64, np.uint8)
    for bit in range(8):
        left = bit * width // 8
        picture[height // 4 : height // 2, left : left + width // 8] = 230 if number >> bit & 1 else 25
    cv2.circle(picture, (number * 7 % width, height * 3 // 4), height // 10, (0, 80, 240), -1)
    return picture


def number_in(picture: np.ndarray) -> int:
    """The number of a picture made by `numbered`, whatever its size."""
    height, width = picture.shape[:2]
    middle = picture[height * 3 // 8, :, 1]
    return sum(int(middle[(2 * bit + 1) * width // 16] > 127) << bit for bit in range(8))


def black(number: int, size: tuple[int, int]) -> np.ndarray:
    return np.zeros((size[1], size[0], 3), np.uint8)


def still(number: int, size: tuple[int, int]) -> np.ndarray:
    return numbered(5, size)


def make_clip(
    path: Path,
    frames: int = 30,
    fps: float = 10.0,
    size: tuple[int, int] = (160, 120),
    picture: Picture = numbered,
    codec: str = "mp4v",
) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(number, size))
    writer.release()
    return path
