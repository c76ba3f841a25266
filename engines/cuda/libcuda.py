"""What pycuda and cuda-bindings leave out or get wrong: calls of libcuda itself, through ctypes.

Registering host memory (`pycuda.register_host_memory` fails on every numpy, inducer/pycuda#459) and
attributes newer than the library.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum

from engines.cuda.errors import GpuError

REGISTER_PORTABLE, REGISTER_DEVICE_MAP, REGISTER_READ_ONLY = 1, 2, 8
"""CU_MEMHOSTREGISTER_* of cuda.h."""


class Attribute(IntEnum):
    """CU_DEVICE_ATTRIBUTE_* of cuda.h."""

    MULTIPROCESSORS = 16
    INTEGRATED = 18
    CAPABILITY_MAJOR = 75
    CAPABILITY_MINOR = 76
    HOST_REGISTER = 99
    READ_ONLY_HOST_REGISTER = 113


class LibCuda:
    """The calls that go to libcuda itself. The context must be current."""

    def __init__(self, device: int) -> None:
        try:
            self._libcuda = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise GpuError(f"no NVIDIA driver is here ({error})") from error
        self._device = device

    def attribute(self, attribute: Attribute) -> int:
        """As the protocol says."""
        value, device = ctypes.c_int(0), ctypes.c_int(0)
        self._call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(self._device))
        fault = self._libcuda.cuDeviceGetAttribute(ctypes.byref(value), ctypes.c_int(attribute), device)
        return 0 if fault else value.value

    def register(self, address: int, length: int, *, read_only: bool) -> int:
        """As the protocol says."""
        flags = REGISTER_PORTABLE | REGISTER_DEVICE_MAP | (REGISTER_READ_ONLY if read_only else 0)
        self._call(
            "cuMemHostRegister_v2", ctypes.c_void_p(address), ctypes.c_size_t(length), ctypes.c_uint(flags)
        )
        device = ctypes.c_uint64(0)
        self._call(
            "cuMemHostGetDevicePointer_v2", ctypes.byref(device), ctypes.c_void_p(address), ctypes.c_uint(0)
        )
        return device.value

    def unregister(self, address: int) -> None:
        """As the protocol says."""
        self._call("cuMemHostUnregister", ctypes.c_void_p(address))

    def _call(self, function: str, *arguments: object) -> None:
        fault = getattr(self._libcuda, function)(*arguments)
        if fault:
            text = ctypes.c_char_p()
            self._libcuda.cuGetErrorName(fault, ctypes.byref(text))
            raise GpuError(f"{function}: {(text.value or str(fault).encode()).decode()}")
