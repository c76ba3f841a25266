"""What runs a network: one protocol, an implementation for each inference library.

    backend = choose("auto")
    network = backend.read(path)                    # checks the file, tells inputs and outputs
    session = network.compile(plan)                 # for one input size
    session.pixels(0)[...] = picture                # uint8 [height, width, 3], BGR, in place
    session.start(0); outputs = session.wait(0)

Sessions take 8-bit BGR pictures; conversion to the network's colour order, scale and layout is the back end's
work, because it can often be compiled into the network.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import BackendError

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
class PixelFormat:
    """What the network wants its input to be: colour order, then (value - mean) / std for each channel."""

    colour: Colour = "bgr"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Plan:
    """How to compile a network: input size in pixels, threads, and how many pictures may be in flight.

    `streams` networks run side by side with `threads / streams` threads each; `requests` is at least that.
    """

    width: int
    height: int
    pixels: PixelFormat = PixelFormat()
    threads: int = 1
    streams: int = 1
    requests: int = 1
    precision: Precision = "f32"
    cache_dir: Path | None = None


class Session(Protocol):
    """A compiled network of a fixed input size with `requests` independent pictures in flight."""

    @property
    def requests(self) -> int:
        """How many pictures may be in flight."""

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
        """The outputs for one picture of that size; raises WeightsError where it does not fit the network."""

    def compile(self, plan: Plan) -> Session:
        """Raises WeightsError where the size or an operation does not work."""


class Backend(Protocol):
    """An inference library."""

    @property
    def name(self) -> str:
        """`openvino` or `onnxruntime`."""

    def read(self, path: Path) -> Network:
        """Raises WeightsError for a file that is missing, damaged, too large or not a network."""


def _openvino() -> Backend:
    from engines.backends.openvino import OpenVinoBackend

    return OpenVinoBackend()


def _onnxruntime() -> Backend:
    from engines.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend()


_MAKERS: dict[str, Callable[[], Backend]] = {"openvino": _openvino, "onnxruntime": _onnxruntime}


def installed() -> tuple[str, ...]:
    """Names of the back ends whose library is on this machine."""
    return tuple(name for name in _MAKERS if importlib.util.find_spec(name) is not None)


def preferred(machine: str, available: tuple[str, ...]) -> str:
    """The back end for a processor family (`platform.machine()`), of those available.

    OpenVINO on x86-64, where it has the faster kernels; onnxruntime elsewhere. Raises BackendError for none.
    """
    wanted = ("openvino", "onnxruntime") if machine in ("x86_64", "AMD64") else ("onnxruntime", "openvino")
    for name in wanted:
        if name in available:
            return name
    raise BackendError("no inference library is installed: pip install openvino (x86-64) or onnxruntime")


def choose(name: str = "auto") -> Backend:
    """The back end of that name, or the best one here for `auto`. Raises BackendError."""
    available = installed()
    if name == "auto":
        name = preferred(platform.machine(), available)
    if name not in _MAKERS:
        raise BackendError(f"no back end is called {name!r}: use auto, {' or '.join(_MAKERS)}")
    if name not in available:
        raise BackendError(f"back end {name} needs the Python package {name}, which is not installed")
    return _MAKERS[name]()


def as_shape(dimensions: Any) -> tuple[int | None, ...]:
    """A library's list of dimensions, with None for whatever is not a positive number."""
    return tuple(d if isinstance(d, int) and d > 0 else None for d in dimensions)
