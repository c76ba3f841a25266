"""The GPU as the vision process sees it: memory, streams, a camera's ring, launches.

    gpu = open_gpu()                              # raises GpuError with the reason where there is no GPU
    gpu.load(cubin_for(gpu.facts.target, gpu.facts.driver_version))
    ring = gpu.share(address, length, frame_bytes)  # once per ring
    place = ring.fetch(offset, size, stream)      # where the GPU reads the frame
    gpu.run(launches.letterbox(...), stream)

pycuda or cuda-bindings does the calls (`engines.cuda.libraries`). How a ring's frames reach the GPU is
settled once, when it is opened, and `gpu.describe()` says it in words. This module has run against real
pycuda and cuda-bindings over a fake libcuda, never on a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from engines.cuda.errors import GpuError
from engines.cuda.kernels.launches import Launch
from engines.cuda.libraries import Library, LibraryName, open_library
from engines.cuda.libraries.libcuda import Attribute

OLDEST_TARGET = 75


class FrameTransfer(Enum):
    """How a frame in its ring reaches the kernels."""

    IN_PLACE = "read in place, no copy (integrated GPU, registered ring)"
    DMA = "one asynchronous copy from the registered ring to GPU memory, none on the CPU"
    STAGED_IN_PLACE = "one copy on the CPU into pinned memory that the GPU reads (ring not registrable)"
    STAGED_DMA = "one copy on the CPU into pinned memory, one asynchronous copy to GPU memory"


@dataclass(frozen=True)
class GpuFacts:
    """What a GPU says of itself."""

    name: str
    target: int
    """Compute capability: 87 for 8.7."""
    driver_version: tuple[int, int]
    """The newest CUDA release the driver runs."""
    multiprocessors: int
    memory_bytes: int
    integrated: bool
    """Shares the CPU's memory, as on a Jetson."""
    registers_host_memory: bool
    registers_read_only: bool
    """Registers memory that this process may only read."""


def choose_transfer(facts: GpuFacts, *, writable: bool) -> FrameTransfer:
    """The way with the fewest copies on that GPU for a ring mapped for writing, or for reading only."""
    registrable = facts.registers_host_memory and (writable or facts.registers_read_only)
    if facts.integrated:
        return FrameTransfer.IN_PLACE if registrable else FrameTransfer.STAGED_IN_PLACE
    return FrameTransfer.DMA if registrable else FrameTransfer.STAGED_DMA


class SharedRing:
    """A camera's ring as the GPU reaches it. One frame of it is fetched at a time per `slot`."""

    def __init__(
        self, gpu: Gpu, memory: tuple[int, int], frame_bytes: int, way: FrameTransfer, device_address: int
    ) -> None:
        self.address, self.length = memory
        self.frame_bytes = frame_bytes
        self.way = way
        self._gpu = gpu
        self._device_address = device_address
        self._slots: dict[int, tuple[int, int, int]] = {}

    def fetch(self, offset: int, size: int, stream: int, slot: int = 0) -> int:
        """Where the GPU finds `size` bytes from `offset` on, for work queued on `stream` after this call.

        A stream slot is one frame in flight: its buffer is used again by the next fetch, so the caller waits
        for the stream before that. Raises GpuError where the bytes are not in the ring.
        """
        if offset < 0 or offset + size > self.length:
            raise GpuError(f"{size} bytes from {offset} on are not in a ring of {self.length} bytes")
        if not 0 < size <= self.frame_bytes:
            raise GpuError(f"{size} bytes are no frame of this ring; the largest has {self.frame_bytes}")
        if self.way is FrameTransfer.IN_PLACE:
            return self._device_address + offset
        pinned, mapped, device = self._slot(slot)
        source = self.address + offset
        if self.way is not FrameTransfer.DMA:
            ctypes.memmove(pinned, source, size)
            source = pinned
        if self.way is FrameTransfer.STAGED_IN_PLACE:
            return mapped
        self._gpu.library.copy_to_device(device, source, size, stream)
        return device

    def _slot(self, slot: int) -> tuple[int, int, int]:
        """(pinned address, the same as the GPU sees it, GPU memory) of a slot, with room for a frame."""
        if slot not in self._slots:
            library = self._gpu.library
            staged = self.way is not FrameTransfer.DMA
            pinned, mapped = library.allocate_pinned(self.frame_bytes) if staged else (0, 0)
            device = 0 if self.way is FrameTransfer.STAGED_IN_PLACE else library.allocate(self.frame_bytes)
            self._slots[slot] = (pinned, mapped, device)
        return self._slots[slot]

    def close(self) -> None:
        """Give everything back; the ring itself stays mapped."""
        for pinned, _, device in self._slots.values():
            if pinned:
                self._gpu.library.free_pinned(pinned)
            if device:
                self._gpu.library.free(device)
        self._slots.clear()
        self._gpu.forget(self)


class Gpu:
    """One GPU, used by one thread of one process."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.facts = read_facts(library)
        if self.facts.target < OLDEST_TARGET:
            raise GpuError(
                f"{self.facts.name} is sm_{self.facts.target}; sm_{OLDEST_TARGET} is the oldest used"
            )
        self._rings: list[SharedRing] = []

    def describe(self, *, writable: bool = False) -> str:
        """One line for the log: the GPU, the library, how frames reach it."""
        facts = self.facts
        major, minor = facts.driver_version
        way = choose_transfer(facts, writable=writable).value
        return f"{facts.name}, sm_{facts.target}, CUDA {major}.{minor} by {self.library.name}; frames: {way}"

    def load(self, cubin: bytes) -> None:
        """Load the kernels. Raises GpuError where they are not for this GPU."""
        self.library.load(cubin)

    def run(self, launch: Launch, stream: int) -> None:
        """Queue a kernel. Raises LaunchError for arguments that do not fit, GpuError from the driver."""
        self.library.launch(launch, stream)

    def share(
        self, address: int, length: int, frame_bytes: int, *, writable: bool = False, staged: bool = False
    ) -> SharedRing:
        """Open a mapped ring of frames of at most `frame_bytes` to the GPU; register it where that goes.

        `staged`: copy frames into pinned memory even so, to compare the two.
        Raises GpuError where a part of it is registered already, or the driver refuses.
        """
        for ring in self._rings:
            if address < ring.address + ring.length and ring.address < address + length:
                raise GpuError(f"memory at {address:#x} is registered already; close that ring first")
        facts = replace(self.facts, registers_host_memory=False) if staged else self.facts
        way = choose_transfer(facts, writable=writable)
        device_address = 0
        if way in (FrameTransfer.IN_PLACE, FrameTransfer.DMA):
            device_address = self.library.register(address, length, read_only=not writable)
        ring = SharedRing(self, (address, length), frame_bytes, way, device_address)
        self._rings.append(ring)
        return ring

    def forget(self, ring: SharedRing) -> None:
        """Unregister a ring; `SharedRing.close` calls it."""
        self._rings.remove(ring)
        if ring.way in (FrameTransfer.IN_PLACE, FrameTransfer.DMA):
            self.library.unregister(ring.address)

    def close(self) -> None:
        """Close all rings and let the device go."""
        try:
            for ring in tuple(self._rings):
                ring.close()
        finally:
            self.library.close()


def read_facts(library: Library) -> GpuFacts:
    """Ask the driver. Raises GpuError."""
    ask: Callable[[Attribute], int] = library.attribute
    version = library.driver_version()
    return GpuFacts(
        name=library.device_name(),
        target=10 * ask(Attribute.CAPABILITY_MAJOR) + ask(Attribute.CAPABILITY_MINOR),
        driver_version=(version // 1000, version % 1000 // 10),
        multiprocessors=ask(Attribute.MULTIPROCESSORS),
        memory_bytes=library.memory_bytes(),
        integrated=bool(ask(Attribute.INTEGRATED)),
        registers_host_memory=bool(ask(Attribute.HOST_REGISTER)),
        registers_read_only=bool(ask(Attribute.READ_ONLY_HOST_REGISTER)),
    )


def open_gpu(library: LibraryName = "auto", device: int = 0) -> Gpu:
    """The GPU of that number. Raises GpuError that says why there is none."""
    opened = open_library(library, device)
    try:
        return Gpu(opened)
    except GpuError:
        opened.close()
        raise
