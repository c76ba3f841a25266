"""Where a network takes its image: which input, its layout and kind of number, and what else it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engines.backends.protocol import TensorInfo
from engines.errors import WeightsError

Layout = Literal["nchw", "nhwc"]

IMAGE_KINDS: dict[str, DTypeLike] = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
"""Kinds of numbers that an image may be given in."""
TOLD_KINDS: dict[str, DTypeLike] = {"i64": np.int64, "i32": np.int32, "f32": np.float32, "f16": np.float16}


@dataclass(frozen=True)
class NetworkInput:
    """The input of a network that takes one image at a time."""

    image: int
    """Place of the image among the inputs."""
    name: str
    layout: Layout
    kind: str
    size: tuple[int, int] | None
    """(width, height), or None where any will do."""
    told: TensorInfo | None = None
    """The input that is told the image's width and height, as RT-DETR's and D-FINE's exports ask."""
    told_at: int = -1

    def shape(self, width: int, height: int) -> tuple[int, ...]:
        """Of the input for one image."""
        return (1, 3, height, width) if self.layout == "nchw" else (1, height, width, 3)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the input's numbers."""
        return np.dtype(IMAGE_KINDS[self.kind])

    def constant_value(self, width: int, height: int) -> NDArray[np.generic]:
        """[1, 2]: width and height of the input, in which boxes are then told."""
        assert self.told is not None
        return np.array([[width, height]], TOLD_KINDS[self.told.kind])


def entrance_of(inputs: Sequence[TensorInfo], path: Path) -> NetworkInput:
    """Raises WeightsError, with what to export, for inputs that are not one image (and its size)."""
    images = [place for place, port in enumerate(inputs) if _layout(port) is not None]
    others = [place for place in range(len(inputs)) if place not in images]
    if len(images) != 1:
        shapes = ", ".join(f"{port.name} {_words(port)}" for port in inputs)
        raise WeightsError(
            f"{path}: its input is {shapes}, but a detector takes one picture, [1, 3, height, width]"
        )
    if len(others) > 1 or any(not _states_size(inputs[place]) for place in others):
        names = ", ".join(f"{inputs[place].name} {_words(inputs[place])}" for place in others)
        raise WeightsError(
            f"{path}: asks for {names} beside the picture; export it with the picture alone, "
            "or with the picture and its size [1, 2]"
        )
    port, layout = inputs[images[0]], _layout(inputs[images[0]])
    assert layout is not None
    if port.kind not in IMAGE_KINDS:
        raise WeightsError(f"{path}: takes pictures of {port.kind} numbers; export it with float32 or uint8")
    if port.shape[0] not in (None, 1):
        raise WeightsError(
            f"{path}: takes {port.shape[0]} pictures at once; export it with a batch of 1 or a free batch"
        )
    height, width = port.shape[2:] if layout == "nchw" else port.shape[1:3]
    size = (width, height) if width is not None and height is not None else None
    told_at = others[0] if others else -1
    return NetworkInput(
        images[0], port.name, layout, port.kind, size, inputs[told_at] if others else None, told_at
    )


def _layout(port: TensorInfo) -> Layout | None:
    if len(port.shape) != 4:
        return None
    if port.shape[1] == 3 or (port.shape[1] is None and port.shape[3] != 3):
        return "nchw"
    return "nhwc" if port.shape[3] == 3 else None


def _states_size(port: TensorInfo) -> bool:
    return (
        len(port.shape) == 2
        and port.shape[0] in (None, 1)
        and port.shape[1] in (None, 2)
        and port.kind in TOLD_KINDS
    )


def _words(port: TensorInfo) -> str:
    return "[" + ", ".join("?" if side is None else str(side) for side in port.shape) + "]"
