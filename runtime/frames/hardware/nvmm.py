"""Pictures straight from the video engine's memory (NVMM, dma-buf): never run on the hardware it is for.

Off unless TAGSIGHT_CAPTURE=nvmm asks for it. The pipeline ends before `nvvidconv` copies pictures into
ordinary memory: a buffer holds an NvBufSurface whose descriptor is a dma-buf, which is mapped here and copied
once, into the ring's slot. That saves the copy by the VIC. It takes pitch-linear NV12 only, which
`nvv4l2decoder` may or may not give; a surface in another layout is refused, not guessed at.

The layout of NvBufSurface is that of nvbufsurface.h, DeepStream 6 and JetPack 5 and 6.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import Image

NVBUF_LAYOUT_PITCH = 0
MAX_PLANES = 4
NV12_PLANES = 2
MAX_SURFACE_BYTES = 1 << 28

_SYNC = 0x40086200
"""DMA_BUF_IOCTL_SYNC of linux/dma-buf.h; its argument is a 64-bit set of the flags below."""
_SYNC_READ, _SYNC_END = 1, 4


class PlaneParams(ctypes.Structure):
    """NvBufSurfacePlaneParams."""

    _fields_ = (
        ("num_planes", ctypes.c_uint32),
        ("width", ctypes.c_uint32 * MAX_PLANES),
        ("height", ctypes.c_uint32 * MAX_PLANES),
        ("pitch", ctypes.c_uint32 * MAX_PLANES),
        ("offset", ctypes.c_uint32 * MAX_PLANES),
        ("psize", ctypes.c_uint32 * MAX_PLANES),
        ("bytesPerPix", ctypes.c_uint32 * MAX_PLANES),
        ("reserved", ctypes.c_void_p * (4 * MAX_PLANES)),
    )


class SurfaceParams(ctypes.Structure):
    """The beginning of NvBufSurfaceParams."""

    _fields_ = (
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("pitch", ctypes.c_uint32),
        ("colorFormat", ctypes.c_int),
        ("layout", ctypes.c_int),
        ("bufferDesc", ctypes.c_uint64),
        ("dataSize", ctypes.c_uint32),
        ("dataPtr", ctypes.c_void_p),
        ("planeParams", PlaneParams),
    )


class Surface(ctypes.Structure):
    """The beginning of NvBufSurface."""

    _fields_ = (
        ("gpuId", ctypes.c_uint32),
        ("batchSize", ctypes.c_uint32),
        ("numFilled", ctypes.c_uint32),
        ("isContiguous", ctypes.c_bool),
        ("memType", ctypes.c_int),
        ("surfaceList", ctypes.POINTER(SurfaceParams)),
    )


def copy_surface(address: int, length: int, into: Image, *, sync: bool = True) -> None:
    """Copy the NvBufSurface at `address` (a mapped buffer of `length` bytes) into an NV12 frame.

    into: uint8 (height * 3 / 2, width). Raises FrameError for a surface that is not such a picture.
    """
    if length < ctypes.sizeof(Surface):
        raise FrameError(f"a buffer of {length} bytes holds no NvBufSurface")
    surface = Surface.from_address(address)
    if surface.numFilled < 1 or not surface.surfaceList:
        raise FrameError("the NvBufSurface holds no picture")
    params = surface.surfaceList[0]
    planes, width, height = params.planeParams, into.shape[1], into.shape[0] * 2 // 3
    if params.layout != NVBUF_LAYOUT_PITCH:
        raise FrameError(f"the surface's layout is {params.layout}, not pitch-linear; use nvvidconv")
    if planes.num_planes != NV12_PLANES or (params.width, params.height) != (width, height):
        shape = f"{params.width} x {params.height}, {planes.num_planes} planes"
        raise FrameError(f"the surface is {shape}; NV12 of {width} x {height} is wanted")
    size = int(params.dataSize)
    rows = ((0, height), (height, height // 2))
    ends = [planes.offset[n] + planes.pitch[n] * (count - 1) + width for n, (_, count) in enumerate(rows)]
    if not 0 < size <= MAX_SURFACE_BYTES or max(ends) > size or min(planes.pitch[:NV12_PLANES]) < width:
        raise FrameError(f"the surface's planes do not lie in its {size} bytes")
    with _mapped(int(params.bufferDesc), size, sync) as memory:
        for number, (first, count) in enumerate(rows):
            start, step = planes.offset[number], planes.pitch[number]
            whole = np.frombuffer(memory, np.uint8, step * (count - 1) + width, start)
            plane = np.lib.stride_tricks.as_strided(whole, (count, width), (step, 1), writeable=False)
            np.copyto(into[first : first + count], plane)
            del whole, plane


@contextmanager
def _mapped(fd: int, size: int, sync: bool) -> Iterator[mmap.mmap]:
    """A dma-buf's memory, with the caches in order for reading while it is used."""
    try:
        memory = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
    except OSError as error:
        raise FrameError(f"the video engine's memory cannot be mapped ({error.strerror})") from error
    try:
        if sync:
            fcntl.ioctl(fd, _SYNC, _SYNC_READ.to_bytes(8, "little"))
        yield memory
        if sync:
            fcntl.ioctl(fd, _SYNC, (_SYNC_READ | _SYNC_END).to_bytes(8, "little"))
    except OSError as error:
        raise FrameError(f"the video engine's memory cannot be read ({error.strerror})") from error
    finally:
        with contextlib.suppress(BufferError):
            memory.close()
