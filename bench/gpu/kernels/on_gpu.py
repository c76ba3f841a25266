"""The same checks on a GPU: arrays are copied there and back around every launch."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from bench.gpu import stand_in
from bench.gpu.kernels.checks import run_checks
from engines.cuda.driver import Gpu, open_gpu
from engines.cuda.kernels.compile import cubin_for
from engines.cuda.kernels.launches import Launch


class GpuRunner:
    """Runs a Launch whose pointers are what `address` gave; every array has a twin of its exact size."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._stream = gpu.library.stream()
        self._places: dict[int, tuple[NDArray[Any], int]] = {}

    def address(self, array: NDArray[Any]) -> int:
        """Of its twin on the GPU."""
        if id(array) not in self._places:
            self._places[id(array)] = (array, self._gpu.library.allocate(max(1, array.nbytes)))
        return self._places[id(array)][1]

    def run(self, launch: Launch, order: int = 0) -> None:
        """Run to the end; a GPU chooses its own order. Raises GpuError."""
        library = self._gpu.library
        for array, place in self._places.values():
            library.copy_to_device(place, array.ctypes.data, array.nbytes, self._stream)
        self._gpu.run(launch, self._stream)
        for array, place in self._places.values():
            library.copy_to_host(array.ctypes.data, place, array.nbytes, self._stream)
        library.wait(self._stream)

    def forget(self) -> None:
        """Free the twins."""
        for _, place in self._places.values():
            self._gpu.library.free(place)
        self._places.clear()


def check_on_gpu(rounds: float) -> tuple[str, dict[str, float]]:
    """The device, and the largest errors there. Raises GpuError, and Mismatch with what differs."""
    gpu = open_gpu()
    try:
        gpu.load(b"\x7fELF" if stand_in.is_here() else cubin_for(gpu.facts.target, gpu.facts.driver_version))
        where = gpu.facts.name + (f" ({stand_in.LABEL})" if stand_in.is_here() else "")
        return where, run_checks(GpuRunner(gpu), rounds)
    finally:
        gpu.close()
