"""The frame ring: one camera's frames in memory that every reader maps.

The memory is an anonymous memfd, allocated in full when it is made and sealed against shrinking and
growing, so a mapping of it can neither fault nor run out later and no name is left behind::

    page 0          descriptor: magic, version, slots, bytes per frame
    then, per slot  a page of header, then one page-aligned frame

Nothing in the memory says who owns a slot: ownership moves by message (`runtime.frames.ring.lending`), and
the system call between the two sides orders their memory accesses on any CPU.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runtime.frames.errors import RingError

Image = npt.NDArray[np.uint8]

MAX_SLOTS = 64
MAX_SIDE_PX = 8192

_MAGIC = b"tagsight frames\0"
_VERSION = 1
_DESCRIPTOR = struct.Struct("<16sIIQ")
_HEADER = struct.Struct("<QddIIIII")
_SIZE = struct.Struct("<III")
_SIZE_OFFSET = 24
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class PixelFormat(IntEnum):
    """How a frame lies in its slot."""

    BGR = 0
    """uint8 (height, width, 3)."""
    NV12 = 1
    """uint8 (height * 3 / 2, width): a plane of luma, then interleaved chroma at half size."""


class FrameHeader(NamedTuple):
    """What a slot says about the frame it holds. Times are UTC seconds on the host's timeline."""

    sequence: int
    """Counts the frames of this camera; never 0 for a frame."""
    time_s: float
    """When the picture was taken, by the best source time there is."""
    arrived_s: float
    """When it arrived here."""
    width: int
    height: int
    pixel_format: int = PixelFormat.BGR
    epoch: int = 0
    """Counts changes of the camera's configuration or picture size."""
    loop: int = 0
    """How often a looped file has begun again."""


def frame_shape(width: int, height: int, pixel_format: int = PixelFormat.BGR) -> tuple[int, ...]:
    """Shape of the array of a frame. Raises RingError for sizes no frame can have."""
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise RingError(f"no frame has {width} x {height} pixels; sides go from 1 to {MAX_SIDE_PX}")
    if pixel_format == PixelFormat.BGR:
        return (height, width, 3)
    if pixel_format != PixelFormat.NV12:
        raise RingError(f"pixel format {pixel_format} is unknown; 0 is BGR, 1 is NV12")
    if width % 2 or height % 2:
        raise RingError(f"no NV12 frame has {width} x {height} pixels; its sides must be even")
    return (height * 3 // 2, width)


def create_ring(slots: int, max_width: int, max_height: int) -> int:
    """The descriptor of a new ring, allocated and sealed, for frames of up to `max_width` x `max_height` BGR.

    The caller owns the descriptor. Raises RingError where the memory is not to be had.
    """
    if not 2 <= slots <= MAX_SLOTS:
        raise RingError(f"a ring of {slots} slots is not possible; it takes 2 to {MAX_SLOTS}")
    height, width, channels = frame_shape(max_width, max_height)
    frame_bytes = height * width * channels
    size = mmap.PAGESIZE + slots * _stride(frame_bytes)
    fd = os.memfd_create("tagsight-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(fd, 0, size)
        os.pwrite(fd, _DESCRIPTOR.pack(_MAGIC, _VERSION, slots, frame_bytes), 0)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError as error:
        os.close(fd)
        raise RingError(
            f"no {size / 1e6:.0f} MB of memory for {slots} frames of {max_width} x {max_height} "
            f"({error.strerror}); fewer slots or a smaller max_size needs less"
        ) from error
    return fd


class FrameRing:
    """One mapping of a ring. Arrays it hands out look straight into the shared memory."""

    def __init__(self, fd: int, *, writable: bool) -> None:
        """Map the ring behind `fd`, which now belongs to this object."""
        self.fd = fd
        self.writable = writable
        self._map: mmap.mmap | None = None
        try:
            self.slots, self.frame_bytes = _read_descriptor(fd)
            self._map = _map_ring(fd, self.slots, self.frame_bytes, writable)
        except RingError:
            os.close(fd)
            raise
        stride = _stride(self.frame_bytes)
        self._header_offsets = [mmap.PAGESIZE + slot * stride for slot in range(self.slots)]
        self._frames: list[Image] = [
            np.frombuffer(self._map, np.uint8, self.frame_bytes, offset + mmap.PAGESIZE)
            for offset in self._header_offsets
        ]
        self._views: list[tuple[tuple[int, ...], Image]] = [((), frame) for frame in self._frames]

    @classmethod
    def create(cls, slots: int, max_width: int, max_height: int) -> FrameRing:
        """A new ring, mapped for writing. Raises RingError."""
        return cls(create_ring(slots, max_width, max_height), writable=True)

    @classmethod
    def attach(cls, fd: int, *, writable: bool = False) -> FrameRing:
        """Map the ring behind `fd`, for reading only unless told otherwise.

        The descriptor belongs to the ring from here on. Raises RingError (and closes it) where it is no ring.
        """
        return cls(fd, writable=writable)

    def fits(self, width: int, height: int) -> bool:
        """Whether a BGR frame of that size fits a slot."""
        return width * height * 3 <= self.frame_bytes

    @property
    def extent(self) -> tuple[int, int]:
        """Where the slots lie in this process, from the first frame on: address and length in bytes."""
        self._mapping()
        return int(self._frames[0].ctypes.data), self.offset_of(self.slots - 1) + self.frame_bytes

    def offset_of(self, slot: int) -> int:
        """Where the frame of `slot` begins, in bytes from the ring's first frame. Raises RingError."""
        return self._header_offset(slot) - self._header_offsets[0]

    def header(self, slot: int) -> FrameHeader:
        """The header of `slot`. Raises RingError where there is no such slot."""
        return FrameHeader._make(_HEADER.unpack_from(self._mapping(), self._header_offset(slot)))

    def frame(self, slot: int) -> Image:
        """The frame in `slot`: a view of the shared memory, nothing is copied.

        BGR (height, width, 3) or NV12 (height * 3 / 2, width), valid until the slot is given back.
        Raises RingError.
        """
        size = _SIZE.unpack_from(self._mapping(), self._header_offset(slot) + _SIZE_OFFSET)
        cached_size, view = self._views[slot]
        if cached_size != size:
            view = self.slot_view(slot, *size)
            self._views[slot] = (size, view)
        return view

    def slot_view(self, slot: int, width: int, height: int, pixel_format: int = PixelFormat.BGR) -> Image:
        """The memory of `slot` as a frame of that size, for a decoder to write into. Raises RingError."""
        self._header_offset(slot)
        shape = frame_shape(width, height, pixel_format)
        return self._frames[slot][: self._check_fit(shape)].reshape(shape)

    def stamp(self, slot: int, header: FrameHeader) -> None:
        """Write the header of `slot`, whose frame is already in place. Raises RingError."""
        shape = frame_shape(header.width, header.height, header.pixel_format)
        self._check_fit(shape)
        _HEADER.pack_into(self._mapping(), self._header_offset(slot), *header)

    def write(self, slot: int, image: Image, header: FrameHeader) -> None:
        """Copy `image` into `slot` and stamp it. Raises RingError where header and image disagree."""
        shape = frame_shape(header.width, header.height, header.pixel_format)
        if image.shape != shape or image.dtype != np.uint8:
            raise RingError(f"the header says {shape} uint8, the image is {image.shape} {image.dtype}")
        np.copyto(self.slot_view(slot, header.width, header.height, header.pixel_format), image)
        self.stamp(slot, header)

    def close(self) -> None:
        """Let go of the memory; where views are still in use it goes with the last of them."""
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        self._frames.clear()
        self._views.clear()
        mapping, self._map = self._map, None
        if mapping is not None:
            with contextlib.suppress(BufferError):
                mapping.close()

    def __enter__(self) -> FrameRing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mapping(self) -> mmap.mmap:
        if self._map is None:
            raise RingError("the frame ring is closed")
        return self._map

    def _header_offset(self, slot: int) -> int:
        if not 0 <= slot < self.slots:
            raise RingError(f"the ring has no slot {slot}; it has 0 to {self.slots - 1}")
        return self._header_offsets[slot]

    def _check_fit(self, shape: tuple[int, ...]) -> int:
        size = 1
        for side in shape:
            size *= side
        if size > self.frame_bytes:
            raise RingError(f"a frame {shape} does not fit a slot of {self.frame_bytes} bytes")
        return size


def _stride(frame_bytes: int) -> int:
    pages = -(-frame_bytes // mmap.PAGESIZE)
    return (1 + pages) * mmap.PAGESIZE


def _read_descriptor(fd: int) -> tuple[int, int]:
    """(slots, bytes per frame) of the ring behind `fd`, with the seals and the size checked."""
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        size = os.fstat(fd).st_size
        raw = os.pread(fd, _DESCRIPTOR.size, 0)
    except OSError as error:
        raise RingError(f"descriptor {fd} is no frame ring: {error.strerror}") from error
    if seals & _SEALS != _SEALS or len(raw) < _DESCRIPTOR.size:
        raise RingError(f"descriptor {fd} is no frame ring: it is not sealed against shrinking and growing")
    magic, version, slots, frame_bytes = _DESCRIPTOR.unpack(raw)
    if magic != _MAGIC or version != _VERSION:
        raise RingError(f"descriptor {fd} is no frame ring of version {_VERSION}")
    if not 2 <= slots <= MAX_SLOTS or size != mmap.PAGESIZE + slots * _stride(frame_bytes):
        raise RingError(f"descriptor {fd}: {slots} slots of {frame_bytes} bytes do not make {size} bytes")
    return slots, frame_bytes


def _map_ring(fd: int, slots: int, frame_bytes: int, writable: bool) -> mmap.mmap:
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
    size = mmap.PAGESIZE + slots * _stride(frame_bytes)
    try:
        return mmap.mmap(fd, size, flags=flags, prot=protection)
    except OSError as error:
        raise RingError(f"cannot map a frame ring of {size / 1e6:.0f} MB: {error.strerror}") from error
