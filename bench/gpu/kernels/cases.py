"""What checks of kernels are made of: who runs them, rubbish to begin with, random images and rules."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.gpu.kernels.oracle import OracleImage
from engines.cuda.frames import BGR, NV12, Placed
from engines.cuda.kernels.launches import Launch

RUBBISH = 0xA7


class Runner(Protocol):
    """What runs the kernels: the host build, or a GPU."""

    def address(self, array: NDArray[Any]) -> int:
        """Where kernels find the array; it keeps its place until `forget`."""

    def run(self, launch: Launch, order: int = 0) -> None:
        """Run to the end; arrays that kernels write hold the result."""

    def forget(self) -> None:
        """No array is used any more."""


class Mismatch(AssertionError):
    """A kernel's result is not the oracle's."""


def expect(holds: bool, what: str) -> None:
    """Raises Mismatch."""
    if not holds:
        raise Mismatch(what)


def rubbish(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """An array of exactly that size, full of what no kernel writes."""
    array = np.empty(shape, kind)
    array.view(np.uint8)[...] = RUBBISH
    return array


def address(array: NDArray[Any]) -> int:
    """Where it lies."""
    return int(array.ctypes.data)


def random_image(rng: np.random.Generator, most: int = 60) -> OracleImage:
    """BGR or NV12, odd sizes too, with or without a gap after each row and before the chroma."""
    width, height, gap = (
        int(rng.integers(1, most)),
        int(rng.integers(1, most)),
        int(rng.integers(0, 2) * rng.integers(0, 9)),
    )
    if rng.random() < 0.5:
        row_bytes = 3 * width + gap
        return OracleImage(_noise(rng, (height - 1) * row_bytes + 3 * width), width, height, BGR, row_bytes)
    used = width + width % 2
    row_bytes = used + gap
    chroma_offset = height * row_bytes + int(rng.integers(0, 2) * rng.integers(0, 40))
    size = chroma_offset + ((height + 1) // 2 - 1) * row_bytes + used
    return OracleImage(_noise(rng, size), width, height, NV12, row_bytes, chroma_offset)


def _noise(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    return rng.integers(0, 256, size, np.uint8)


def placed_at_random(
    runner: Runner, rng: np.random.Generator, image: OracleImage | None, width: int, height: int
) -> Placed:
    """Where the image goes in an input of that size; it may reach beyond. None: the place is empty."""
    size = (int(rng.integers(1, width + 3)), int(rng.integers(1, height + 3)))
    offset = (int(rng.integers(-2, width - size[0] + 3)), int(rng.integers(-2, height - size[1] + 3)))
    if image is None:
        return Placed(0, 0, 0, 0, offset, size)
    lies = (runner.address(image.memory), len(image.memory), image.width, image.height)
    return Placed(*lies, offset, size, image.format, image.row_bytes, image.chroma_offset)


def random_rule(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Means, scales, and whether the network wants RGB."""
    if rng.random() < 0.4:
        return np.zeros(3), np.full(3, 255.0), bool(rng.random() < 0.5)
    mean = rng.uniform(0, 130, 3).astype(np.float32).astype(np.float64)
    std = rng.uniform(50, 255, 3).astype(np.float32).astype(np.float64)
    return mean, std, bool(rng.random() < 0.5)


def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Three channels' values."""
    return float(values[0]), float(values[1]), float(values[2])
