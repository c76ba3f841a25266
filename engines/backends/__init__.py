"""What runs a network: one protocol (`protocol`), an implementation for each inference library.

    backend = choose("auto")
    network = backend.read(path)                    # checks the file, tells inputs and outputs
    session = network.compile(plan)                 # for one input size
    session.pixels(0)[...] = image                # uint8 [height, width, 3], BGR, in place
    session.start(0); outputs = session.wait(0)

Sessions take 8-bit BGR images; conversion to the network's colour order, scale and layout is the back end's
work, because it can often be compiled into the network.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable

from engines.backends.protocol import Backend
from engines.errors import BackendError


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
    """The back end for a CPU family (`platform.machine()`), of those available.

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
