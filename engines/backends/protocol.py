"""What every inference library offers, in one protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Precision = Literal["f32", "bf16"]
Colour = Literal["bgr", "rgb"]
Triple = tuple[float, float, float]

MAX_NETWORK_BYTES = 1 << 29
"""Half a gigabyte: hundreds of times our own weights; a larger file is a mistake."""


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and kind of number of an input or output; None stands for a free dimension."""

    name: str
    shape: tuple[int | None, ...]
    kind: str = "f32"
    """`f32`, `f16`, `u8`, `i64` and so on."""


@dataclass(frozen=True)
class InputFormat:
    """What the network wants its input to be: colour order, then (value - mean) / std for each channel."""

    colour: Colour = "bgr"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class CompilePlan:
    """How to compile a network: input size in pixels, threads, and how many images may be in flight.

    `streams` networks run side by side with `threads / streams` threads each; `requests` is at least that.
    """

    width: int
    height: int
    pixels: InputFormat = InputFormat()
    threads: int = 1
    streams: int = 1
    requests: int = 1
    precision: Precision = "f32"
    cache_dir: Path | None = None


class NetworkSession(Protocol):
    """A compiled network of a fixed input size with `requests` independent images in flight."""

    @property
    def requests(self) -> int:
        """How many images may be in flight."""

    def pixels(self, request: int) -> NDArray[np.uint8]:
        """The input of a request, uint8 [height, width, 3] BGR: write into it while the request is idle."""

    def start(self, request: int) -> None:
        """Begin inference on what `pixels(request)` holds; returns at once."""

    def wait(self, request: int) -> tuple[NDArray[np.float32], ...]:
        """The outputs, in the network's order; valid until the request is started again."""


class Network(Protocol):
    """A network file that was read and understood, not yet compiled."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The network's inputs."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The network's outputs."""

    def output_shapes(self, width: int, height: int) -> tuple[TensorInfo, ...]:
        """The outputs for one image of that size; raises WeightsError where it does not fit the network."""

    def compile(self, plan: CompilePlan) -> NetworkSession:
        """Raises WeightsError where the size or an operation does not work."""


class Backend(Protocol):
    """An inference library."""

    @property
    def name(self) -> str:
        """`openvino` or `onnxruntime`."""

    def read(self, path: Path) -> Network:
        """Raises WeightsError for a file that is missing, damaged, too large or not a network."""


def as_shape(dimensions: Any) -> tuple[int | None, ...]:
    """A library's list of dimensions, with None for whatever is not a positive number."""
    return tuple(d if isinstance(d, int) and d > 0 else None for d in dimensions)
