"""Calls of libcuda itself, through ctypes: what pycuda and cuda-bindings lack, get wrong or do differently.

Registering host memory (`pycuda.register_host_memory` fails on every numpy, inducer/pycuda#459), streams with
a priority and graphs (pycuda has neither), attributes newer than the library; and all that is queued on a
stream but kernels, because pycuda takes no stream that it has not made. ctypes lets other threads run
meanwhile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum

from engines.cuda.errors import GpuError

REGISTER_PORTABLE, REGISTER_DEVICE_MAP, REGISTER_READ_ONLY = 1, 2, 8
"""CU_MEMHOSTREGISTER_* of cuda.h."""
NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING: the stream does not wait for the default stream."""
CAPTURE_THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile does not spoil the capture."""
NOT_READY = 600
"""CUDA_ERROR_NOT_READY."""


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

    def free_memory_bytes(self) -> int:
        """As the protocol says."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

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

    def first_stream(self) -> int:
        """As the protocol says."""
        least, greatest = ctypes.c_int(), ctypes.c_int()
        self._call("cuCtxGetStreamPriorityRange", ctypes.byref(least), ctypes.byref(greatest))
        return self._made("cuStreamCreateWithPriority", ctypes.c_uint(NON_BLOCKING), greatest)

    def close_first_stream(self, stream: int) -> None:
        """As the protocol says."""
        self._call("cuStreamDestroy_v2", ctypes.c_void_p(stream))

    def wait(self, stream: int) -> None:
        """As the protocol says."""
        self._call("cuStreamSynchronize", ctypes.c_void_p(stream))

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """As the protocol says."""
        there, here = ctypes.c_uint64(device), ctypes.c_void_p(host)
        self._call("cuMemcpyHtoDAsync_v2", there, here, ctypes.c_size_t(size), ctypes.c_void_p(stream))

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """As the protocol says."""
        here, there = ctypes.c_void_p(host), ctypes.c_uint64(device)
        self._call("cuMemcpyDtoHAsync_v2", here, there, ctypes.c_size_t(size), ctypes.c_void_p(stream))

    def event(self) -> int:
        """As the protocol says."""
        return self._made("cuEventCreate", ctypes.c_uint(0))

    def free_event(self, event: int) -> None:
        """As the protocol says."""
        self._call("cuEventDestroy_v2", ctypes.c_void_p(event))

    def record(self, event: int, stream: int) -> None:
        """As the protocol says."""
        self._call("cuEventRecord", ctypes.c_void_p(event), ctypes.c_void_p(stream))

    def wait_event(self, event: int) -> None:
        """As the protocol says."""
        self._call("cuEventSynchronize", ctypes.c_void_p(event))

    def happened(self, event: int) -> bool:
        """As the protocol says."""
        fault = self._libcuda.cuEventQuery(ctypes.c_void_p(event))
        if fault not in (0, NOT_READY):
            raise GpuError(f"cuEventQuery: {self._fault(fault)}")
        return bool(fault == 0)

    def let_wait(self, stream: int, event: int) -> None:
        """As the protocol says."""
        self._call("cuStreamWaitEvent", ctypes.c_void_p(stream), ctypes.c_void_p(event), ctypes.c_uint(0))

    def elapsed_ms(self, start: int, end: int) -> float:
        """As the protocol says."""
        passed = ctypes.c_float()
        self._call("cuEventElapsedTime", ctypes.byref(passed), ctypes.c_void_p(start), ctypes.c_void_p(end))
        return passed.value

    def capture(self, stream: int, queue: Callable[[], None]) -> int:
        """As the protocol says."""
        there, graph = ctypes.c_void_p(stream), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", there, ctypes.c_int(CAPTURE_THREAD_LOCAL))
        try:
            queue()
        except BaseException:
            self._libcuda.cuStreamEndCapture(there, ctypes.byref(graph))
            if graph.value:
                self._libcuda.cuGraphDestroy(graph)
            raise
        self._call("cuStreamEndCapture", there, ctypes.byref(graph))
        try:
            return self._made("cuGraphInstantiateWithFlags", graph, ctypes.c_ulonglong(0))
        finally:
            self._libcuda.cuGraphDestroy(graph)

    def replay(self, graph: int, stream: int) -> None:
        """As the protocol says."""
        self._call("cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(stream))

    def free_graph(self, graph: int) -> None:
        """As the protocol says."""
        self._call("cuGraphExecDestroy", ctypes.c_void_p(graph))

    def _made(self, function: str, *arguments: object) -> int:
        """The handle that a function gives in its first argument."""
        handle = ctypes.c_void_p()
        self._call(function, ctypes.byref(handle), *arguments)
        return handle.value or 0

    def _call(self, function: str, *arguments: object) -> None:
        fault = getattr(self._libcuda, function)(*arguments)
        if fault:
            raise GpuError(f"{function}: {self._fault(fault)}")

    def _fault(self, fault: int) -> str:
        text = ctypes.c_char_p()
        self._libcuda.cuGetErrorName(fault, ctypes.byref(text))
        return (text.value or str(fault).encode()).decode()
