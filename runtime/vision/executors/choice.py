"""Which executor this machine gets: settled at the start, and said once."""

from __future__ import annotations

from engines.cuda.driver import open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.kernels.compile import cubin_for
from engines.inference.detector import PersonDetector
from runtime.vision.crop_inference import NO_HEADS, Heads
from runtime.vision.executors.cpu import CpuExecutor
from runtime.vision.executors.executor import Executor
from runtime.vision.executors.gpu import GpuExecutor
from runtime.vision.executors.gpu_heads import choose_heads


def choose_executor(backend: str, detector: PersonDetector, heads: Heads = NO_HEADS) -> Executor:
    """The GPU where there is one that can be used and `backend` is "auto", else the CPU."""
    if backend != "auto":
        return CpuExecutor(detector, f"configured: engines.backend is {backend}")
    try:
        gpu = open_gpu()
    except GpuError as error:
        return CpuExecutor(detector, str(error))
    try:
        gpu.load(cubin_for(gpu.facts.target, gpu.facts.driver_version))
    except GpuError as error:
        gpu.close()
        return CpuExecutor(detector, str(error))
    from engines.cuda.stored import open_stored

    return GpuExecutor(gpu, detector, open_stored, choose_heads(heads))
