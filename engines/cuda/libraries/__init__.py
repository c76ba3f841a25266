"""pycuda and cuda-bindings behind one protocol of integers: addresses, handles, sizes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Literal, Protocol

from engines.cuda.errors import GpuError
from engines.cuda.kernels.launches import Launch
from engines.cuda.libraries.libcuda import Attribute

LibraryName = Literal["auto", "pycuda", "cuda-bindings"]


class Library(Protocol):
    """CUDA's driver API for one device, its primary context current in this thread. All raise GpuError."""

    name: str

    def device_name(self) -> str:
        """As the driver calls it."""

    def driver_version(self) -> int:
        """12060 for CUDA 12.6."""

    def attribute(self, attribute: Attribute) -> int:
        """One of the device's attributes; 0 where the driver does not know it."""

    def memory_bytes(self) -> int:
        """Of the device."""

    def allocate(self, size: int) -> int:
        """Address of new memory of the device."""

    def free(self, address: int) -> None:
        """Give it back."""

    def allocate_pinned(self, size: int) -> tuple[int, int]:
        """New host memory that the device can reach: its address here and on the device."""

    def free_pinned(self, address: int) -> None:
        """Give it back."""

    def register(self, address: int, length: int, *, read_only: bool) -> int:
        """Pin and map memory of this process; its address on the device."""

    def unregister(self, address: int) -> None:
        """Undo `register`."""

    def free_memory_bytes(self) -> int:
        """What nobody has of it now."""

    def stream(self) -> int:
        """Handle of a new stream of ordinary priority: the only kind that kernels are launched on."""

    def close_stream(self, stream: int) -> None:
        """Give back a stream of `stream`; what is queued on it is done first."""

    def first_stream(self) -> int:
        """Handle of a new stream whose work goes before that of ordinary ones: for graphs and copies."""

    def close_first_stream(self, stream: int) -> None:
        """Give it back."""

    def wait(self, stream: int) -> None:
        """Until everything queued on the stream is done."""

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """Queue a copy; asynchronous where the host memory is pinned or registered."""

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """Queue a copy."""

    def event(self) -> int:
        """Handle of a new event."""

    def free_event(self, event: int) -> None:
        """Give it back."""

    def record(self, event: int, stream: int) -> None:
        """The event happens when what is queued on the stream so far is done."""

    def wait_event(self, event: int) -> None:
        """Until the event has happened."""

    def happened(self, event: int) -> bool:
        """Whether it has, or was never recorded."""

    def let_wait(self, stream: int, event: int) -> None:
        """What is queued on the stream from now on begins after the event; this thread goes on at once."""

    def elapsed_ms(self, start: int, end: int) -> float:
        """Between two events that have happened."""

    def capture(self, stream: int, queue: Callable[[], None]) -> int:
        """Handle of a graph of all that `queue` queues on the stream; nothing of it runs yet.

        It runs at the priority of the stream it is replayed on. Raises what `queue` raises.
        """

    def replay(self, graph: int, stream: int) -> None:
        """Queue a graph, as one piece of work."""

    def free_graph(self, graph: int) -> None:
        """Give it back."""

    def load(self, cubin: bytes) -> None:
        """Load all kernels of a cubin."""

    def launch(self, launch: Launch, stream: int) -> None:
        """Queue a kernel of what was loaded."""

    def close(self) -> None:
        """Let the device go; nothing of it may be used afterwards."""


_MODULES = {"pycuda": "pycuda", "cuda-bindings": "cuda.bindings"}


def installed() -> tuple[str, ...]:
    """Which of the two are here, the default first."""
    return tuple(name for name, module in _MODULES.items() if _is_here(module))


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def open_library(name: LibraryName = "auto", device: int = 0) -> Library:
    """The library of that name, or pycuda before cuda-bindings, on that device. Raises GpuError."""
    here = installed()
    if name == "auto" and not here:
        raise GpuError("no CUDA library for Python is here: pip install pycuda, or cuda-bindings")
    chosen = here[0] if name == "auto" else name
    if chosen not in here:
        raise GpuError(f"the CUDA library {chosen} is not here: pip install {chosen}")
    if chosen == "pycuda":
        from engines.cuda.libraries.by_pycuda import PycudaLibrary

        return PycudaLibrary(device)
    from engines.cuda.libraries.by_bindings import BindingsLibrary

    return BindingsLibrary(device)
