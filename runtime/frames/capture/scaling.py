"""Pictures made smaller, so that they fit a ring."""

from __future__ import annotations

import cv2

from runtime.frames.ring.buffer import Image


def scale_nv12(image: Image, into: Image) -> None:
    """Scale an NV12 picture to the size of `into`, plane by plane."""
    rows, height = image.shape[0] * 2 // 3, into.shape[0] * 2 // 3
    width = into.shape[1]
    cv2.resize(image[:rows], (width, height), dst=into[:height], interpolation=cv2.INTER_AREA)
    chroma = image[rows:].reshape(rows // 2, -1, 2)
    target = into[height:].reshape(height // 2, -1, 2)
    cv2.resize(chroma, (width // 2, height // 2), dst=target, interpolation=cv2.INTER_AREA)


def fitted(size: tuple[int, int], max_size: tuple[int, int]) -> tuple[int, int]:
    """The size, scaled down to fit `max_size` where it must be, with its aspect kept."""
    width, height = size
    scale = min(1.0, max_size[0] / width, max_size[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
