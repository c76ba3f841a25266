"""What is here of a GPU path, in words: the GPU, the way of a frame to it, the kernels for it."""

from __future__ import annotations

import msgspec

from engines import backends
from engines.cuda.driver import GpuFacts, choose_transfer, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.kernels.compile import choose_compiler, compilers
from engines.cuda.libraries import installed


class Probe(msgspec.Struct, frozen=True):
    """`gpu` None: `reason` says why, and `fallback` what detects persons instead."""

    gpu: GpuFacts | None
    reason: str | None
    fallback: str
    frames: str | None
    """How a frame in a ring that is mapped for writing reaches the kernels."""
    libraries: tuple[str, ...]
    compilers: tuple[str, ...]
    kernels: str


def probe() -> Probe:
    """Look once; the GPU is let go again."""
    names = tuple(one.name for one in compilers())
    fallback = f"{backends.choose().name} on the CPU"
    try:
        gpu = open_gpu()
    except GpuError as error:
        return Probe(None, str(error), fallback, None, installed(), names, "not needed")
    facts = gpu.facts
    gpu.close()
    try:
        kernels = f"by {choose_compiler(facts.target, facts.driver_version).name}"
    except GpuError as error:
        kernels = str(error)
    way = choose_transfer(facts, writable=True).value
    return Probe(facts, None, fallback, way, installed(), names, kernels)


def lines(found: Probe) -> list[str]:
    """The same for people."""
    here = [
        f"CUDA for Python: {', '.join(found.libraries) or 'none'}",
        f"CUDA compilers: {', '.join(found.compilers) or 'none'}",
    ]
    if found.gpu is None:
        return [f"no GPU: {found.reason}", f"persons are detected by {found.fallback}", *here]
    facts = found.gpu
    memory = f"{facts.memory_bytes / 2**30:.1f} GiB, {'shared' if facts.integrated else 'its own'}"
    major, minor = facts.driver_version
    size = f"{facts.multiprocessors} multiprocessors, {memory}"
    return [
        f"{facts.name}: sm_{facts.target}, {size}, CUDA {major}.{minor}",
        f"frames: {found.frames}",
        f"kernels: {found.kernels}",
        f"persons are detected on it where a verified engine is, else by {found.fallback}",
        *here,
    ]
