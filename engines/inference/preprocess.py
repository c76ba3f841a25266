"""Laying an image into a network's input, in place, and finding the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Fit = Literal["corner", "centre", "stretch"]
"""corner: scaled to fit, at the top left; centre: scaled to fit, in the middle; stretch: fills the input."""

PAD_VALUE = 114
"""The grey that YOLO-like networks, ours too, are trained to see beside the image."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the input: input = image * scale + offset, per axis (x, y), in pixels."""

    scale_xy: tuple[float, float]
    offset_xy: tuple[int, int]
    size_wh: tuple[int, int]

    def to_image(self, boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Boxes (n, 4) left, top, right, bottom from input pixels to image pixels, cut at its edges."""
        placed: NDArray[np.float32] = boxes - np.array(self.offset_xy * 2, np.float32)
        placed /= np.array(self.scale_xy * 2, np.float32)
        np.maximum(placed, 0.0, out=placed)
        return np.minimum(placed, np.array((width, height) * 2, np.float32), out=placed)


def placement(image_wh: tuple[int, int], input_wh: tuple[int, int], fit: Fit) -> Placement:
    """Where an image of that size goes in an input of that size."""
    (width, height), (input_width, input_height) = image_wh, input_wh
    if fit == "stretch":
        return Placement((input_width / width, input_height / height), (0, 0), input_wh)
    scale = min(input_width / width, input_height / height)
    size = (min(input_width, round(width * scale)), min(input_height, round(height * scale)))
    size = (max(1, size[0]), max(1, size[1]))
    spare = (input_width - size[0], input_height - size[1])
    offset = (spare[0] // 2, spare[1] // 2) if fit == "centre" else (0, 0)
    return Placement((size[0] / width, size[1] / height), offset, size)


class Canvas:
    """A network input (uint8 [height, width, 3]) that images are laid into one after the other.

    The grey beside the image is painted only when the image's size changes.
    """

    def __init__(self, pixels: NDArray[np.uint8], fit: Fit) -> None:
        self._pixels = pixels
        self._fit = fit
        self._image_wh: tuple[int, int] | None = None
        self._placement: Placement | None = None

    def letterbox(self, image_bgr: NDArray[np.uint8]) -> Placement:
        """Scale the image (height, width, 3) into the input; returns where it lies."""
        image_wh = (image_bgr.shape[1], image_bgr.shape[0])
        if self._placement is None or image_wh != self._image_wh:
            height, width = self._pixels.shape[:2]
            self._image_wh = image_wh
            self._placement = placement(image_wh, (width, height), self._fit)
            self._pixels[...] = PAD_VALUE
        (left, top), (width, height) = self._placement.offset_xy, self._placement.size_wh
        target = self._pixels[top : top + height, left : left + width]
        if (width, height) == image_wh:
            np.copyto(target, image_bgr)
        else:
            cv2.resize(image_bgr, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
        return self._placement


def tight_input(image_wh: tuple[int, int], long_side: int, multiple: int = 32) -> tuple[int, int]:
    """The smallest input (width, height) of that long side that holds an image of this shape.

    416 for a 4:3 image gives 416 x 320: a fifth less work than a square.
    """
    scale = long_side / max(image_wh)
    width, height = (max(multiple, -(-round(side * scale) // multiple) * multiple) for side in image_wh)
    return width, height
