"""CUDA through cuda-bindings, the alternative."""

from __future__ import annotations

import ctypes
import importlib
from types import ModuleType
from typing import Any

from engines.cuda.errors import GpuError
from engines.cuda.kernels.launches import SIGNATURES, Launch
from engines.cuda.libraries.libcuda import NON_BLOCKING, REGISTER_DEVICE_MAP, REGISTER_PORTABLE, LibCuda


class BindingsLibrary(LibCuda):
    """cuda-bindings: NVIDIA's own, one function each."""

    name = "cuda-bindings"

    def __init__(self, device: int) -> None:
        super().__init__(device)
        try:
            self._cuda: ModuleType = importlib.import_module("cuda.bindings.driver")
        except ImportError as error:
            raise GpuError(f"{self.name} cannot be loaded: {error}") from error
        self._do("cuInit", 0)
        self._gpu = self._do("cuDeviceGet", device)
        self._do("cuCtxSetCurrent", self._do("cuDevicePrimaryCtxRetain", self._gpu))
        self._functions: dict[str, Any] = {}

    def device_name(self) -> str:
        """As the protocol says."""
        name: bytes = self._do("cuDeviceGetName", 256, self._gpu)
        return name.split(b"\0", 1)[0].decode()

    def driver_version(self) -> int:
        """As the protocol says."""
        return int(self._do("cuDriverGetVersion"))

    def memory_bytes(self) -> int:
        """As the protocol says."""
        return int(self._do("cuDeviceTotalMem", self._gpu))

    def allocate(self, size: int) -> int:
        """As the protocol says."""
        return int(self._do("cuMemAlloc", size))

    def free(self, address: int) -> None:
        """As the protocol says."""
        self._do("cuMemFree", address)

    def allocate_pinned(self, size: int) -> tuple[int, int]:
        """As the protocol says."""
        host = int(self._do("cuMemHostAlloc", size, REGISTER_PORTABLE | REGISTER_DEVICE_MAP))
        return host, int(self._do("cuMemHostGetDevicePointer", host, 0))

    def free_pinned(self, address: int) -> None:
        """As the protocol says."""
        self._do("cuMemFreeHost", address)

    def stream(self) -> int:
        """As the protocol says."""
        return int(self._do("cuStreamCreate", NON_BLOCKING))

    def close_stream(self, stream: int) -> None:
        """As the protocol says."""
        self._do("cuStreamDestroy", stream)

    def load(self, cubin: bytes) -> None:
        """As the protocol says."""
        module = self._do("cuModuleLoadData", cubin)
        self._functions = {
            name: self._do("cuModuleGetFunction", module, name.encode()) for name in SIGNATURES
        }

    def launch(self, launch: Launch, stream: int) -> None:
        """As the protocol says."""
        packed = launch.packed()
        addresses = (ctypes.c_void_p * len(packed))(*(ctypes.addressof(value) for value in packed))
        shape = (*launch.grid, *launch.block)
        function = self._functions[launch.kernel]
        self._do("cuLaunchKernel", function, *shape, 0, stream, ctypes.addressof(addresses), 0)

    def close(self) -> None:
        """As the protocol says."""
        self._functions.clear()
        self._do("cuDevicePrimaryCtxRelease", self._gpu)

    def _do(self, function: str, *arguments: object) -> Any:
        try:
            fault, *results = getattr(self._cuda, function)(*arguments)
        except RuntimeError as error:
            raise GpuError(f"{function}: {error}") from error
        if int(fault):
            raise GpuError(f"{function}: {fault.name}")
        return results[0] if results else None
