"""CUDA through pycuda, the default."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from engines.cuda.errors import GpuError
from engines.cuda.kernels.launches import SIGNATURES, Launch
from engines.cuda.libraries.libcuda import NON_BLOCKING, LibCuda


class PycudaLibrary(LibCuda):
    """pycuda; its objects are kept here under their handles, because it frees what nobody holds."""

    name = "pycuda"

    def __init__(self, device: int) -> None:
        super().__init__(device)
        try:
            self._cuda: Any = importlib.import_module("pycuda.driver")
        except ImportError as error:
            raise GpuError(f"{self.name} cannot be loaded: {error}") from error
        try:
            self._cuda.init()
            self._gpu = self._cuda.Device(device)
            self._context = self._gpu.retain_primary_context()
            self._context.push()
        except self._cuda.Error as error:
            raise GpuError(f"no GPU: {error}") from error
        self._held: dict[int, Any] = {}
        self._functions: dict[str, Any] = {}

    def device_name(self) -> str:
        """As the protocol says."""
        return str(self._gpu.name())

    def driver_version(self) -> int:
        """As the protocol says."""
        return int(self._cuda.get_driver_version())

    def memory_bytes(self) -> int:
        """As the protocol says."""
        return int(self._gpu.total_memory())

    def allocate(self, size: int) -> int:
        """As the protocol says."""
        return self._hold(self._try("mem_alloc", size))

    def free(self, address: int) -> None:
        """As the protocol says."""
        self._held.pop(address).free()

    def allocate_pinned(self, size: int) -> tuple[int, int]:
        """As the protocol says."""
        flags = self._cuda.host_alloc_flags.DEVICEMAP
        array = self._try("pagelocked_empty", size, np.uint8, mem_flags=flags)
        host = int(array.ctypes.data)
        self._held[host] = array
        return host, int(array.base.get_device_pointer())

    def free_pinned(self, address: int) -> None:
        """As the protocol says."""
        self._held.pop(address).base.free()

    def stream(self) -> int:
        """As the protocol says."""
        stream = self._try("Stream", NON_BLOCKING)
        self._held[stream.handle] = stream
        return int(stream.handle)

    def close_stream(self, stream: int) -> None:
        """As the protocol says: pycuda destroys it when nobody holds it."""
        del self._held[stream]

    def load(self, cubin: bytes) -> None:
        """As the protocol says."""
        module = self._try("module_from_buffer", cubin)
        try:
            self._functions = {name: module.get_function(name) for name in SIGNATURES}
        except self._cuda.Error as error:
            raise GpuError(f"a kernel is missing from the cubin: {error}") from error

    def launch(self, launch: Launch, stream: int) -> None:
        """As the protocol says. The arguments go as one block, packed by us."""
        block = np.void(launch.buffer())
        try:
            self._functions[launch.kernel](
                block, grid=launch.grid, block=launch.block, stream=self._held[stream]
            )
        except self._cuda.Error as error:
            raise GpuError(f"{launch.kernel}: {error}") from error

    def close(self) -> None:
        """As the protocol says."""
        self._functions.clear()
        self._held.clear()
        self._context.pop()
        self._context.detach()

    def _try(self, function: str, *arguments: object, **named: object) -> Any:
        try:
            return getattr(self._cuda, function)(*arguments, **named)
        except self._cuda.Error as error:
            raise GpuError(f"{function}: {error}") from error

    def _hold(self, allocation: Any) -> int:
        self._held[int(allocation)] = allocation
        return int(allocation)
