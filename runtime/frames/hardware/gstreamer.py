"""NV12 pictures out of a GStreamer pipeline, copied once: from GStreamer's buffer into the ring's slot.

Needs PyGObject and GStreamer from the system (on a Jetson: python3-gi and NVIDIA's plugins); where they
cannot be imported the source says so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.frames.hardware import nvmm
from runtime.frames.ring.buffer import Image
from runtime.frames.sources import SourceFault, SourceState

SINK = "pictures"
TAIL = f"! appsink name={SINK} max-buffers=1 drop=true sync=false"
"""Only the newest picture waits."""

CLOCK_NONE = 2**64 - 1
"""GST_CLOCK_TIME_NONE."""
_MAP_READ = 1
"""GST_MAP_READ."""


class _MapInfo(ctypes.Structure):
    """GstMapInfo of gstmemory.h."""

    _fields_ = (
        ("memory", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("maxsize", ctypes.c_size_t),
        ("user_data", ctypes.c_void_p * 4),
        ("reserved", ctypes.c_void_p * 4),
    )


@dataclass(frozen=True)
class Planes:
    """Where luma and chroma lie in a buffer: offsets and bytes a row."""

    offsets: tuple[int, int]
    row_bytes: tuple[int, int]


class Pipeline:
    """A running pipeline whose last element is an appsink of NV12 pictures of one size."""

    def __init__(
        self,
        label: str,
        description: str,
        first_s: float,
        set_up: Callable[[Any], None] | None = None,
        *,
        surfaces: bool = False,
    ) -> None:
        """Start it and wait `first_s` for the first picture. `set_up` is given the pipeline before.

        `surfaces`: its buffers hold the video engine's surfaces (`runtime.frames.hardware.nvmm`), not pixels.

        Raises SourceFault.
        """
        self._label = label
        self._surfaces = surfaces
        self._gst, self._video = bindings(label)
        try:
            self._pipeline: Any = self._gst.parse_launch(f"{description} {TAIL}")
        except Exception as error:
            raise SourceFault(SourceState.UNUSABLE, f"{label}: GStreamer refuses ({error})") from error
        self._sink: Any = self._pipeline.get_by_name(SINK)
        self._sample: Any = None
        if set_up is not None:
            set_up(self._pipeline)
        self._pipeline.set_state(self._gst.State.PLAYING)
        try:
            self._first = self._pull(first_s)
            self.size = self._size_of(self._first)
        except SourceFault:
            self.close()
            raise

    def next(self, within_s: float) -> float | None:
        """Wait for a picture; its stamp in seconds of the pipeline's own clock, None where it has none.

        Raises SourceFault where none comes or its size is another than the first one's.
        """
        waiting = self._first is not None
        self._sample = self._first if waiting else self._pull(within_s)
        self._first = None
        if self._size_of(self._sample) != self.size:
            raise SourceFault(
                SourceState.RESOLUTION_CHANGED,
                f"{self._label}: the picture's size has changed; opening it anew",
            )
        stamp = int(self._sample.get_buffer().pts)
        return None if stamp == CLOCK_NONE else stamp / 1e9

    def copy(self, into: Image | None) -> Image | None:
        """The picture last waited for, NV12, in `into` where that has the right shape; None if cut short.

        This is the only copy of the pixels on the way from GStreamer.
        """
        width, height = self.size
        shape = (height * 3 // 2, width)
        target = into if into is not None and into.shape == shape else np.empty(shape, np.uint8)
        with _mapped(self._sample.get_buffer()) as (address, length):
            if self._surfaces:
                nvmm.copy_surface(address, length, target)
                return target
            planes = self._planes_of(self._sample)
            for rows, first, offset, step in zip(
                (height, height // 2), (0, height), planes.offsets, planes.row_bytes, strict=True
            ):
                if offset + (rows - 1) * step + width > length:
                    return None
                np.copyto(target[first : first + rows], _rows(address + offset, rows, width, step))
        return target

    def close(self) -> None:
        """Stop it."""
        self._sample = self._first = None
        self._pipeline.set_state(self._gst.State.NULL)

    def _pull(self, within_s: float) -> Any:
        sample = self._sink.emit("try-pull-sample", int(within_s * 1e9))
        if sample is None:
            raise SourceFault(SourceState.CONNECTING, f"{self._label}: {self._complaint()}")
        return sample

    def _complaint(self) -> str:
        """What the pipeline says went wrong."""
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            return "no pictures come"
        error, _ = message.parse_error()
        return f"no pictures come ({str(error.message).splitlines()[0]})"

    def _size_of(self, sample: Any) -> tuple[int, int]:
        structure = sample.get_caps().get_structure(0)
        width, height = int(structure.get_value("width")), int(structure.get_value("height"))
        if structure.get_value("format") != "NV12" or width % 2 or height % 2:
            kind = structure.get_value("format")
            raise SourceFault(
                SourceState.UNUSABLE,
                f"{self._label}: pictures are {width} x {height} {kind}; NV12 of even sides is wanted",
            )
        return width, height

    def _planes_of(self, sample: Any) -> Planes:
        """By the buffer's own account, or as its caps imply."""
        described = self._video.buffer_get_video_meta(sample.get_buffer())
        if described is None:
            described = self._video.VideoInfo.new_from_caps(sample.get_caps())
        offsets, strides = described.offset, described.stride
        return Planes((int(offsets[0]), int(offsets[1])), (int(strides[0]), int(strides[1])))


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libgstreamer-1.0.so.0")
    for function in (library.gst_buffer_map, library.gst_buffer_unmap):
        function.argtypes = [ctypes.c_void_p, ctypes.POINTER(_MapInfo), ctypes.c_int]
    library.gst_buffer_unmap.argtypes = [ctypes.c_void_p, ctypes.POINTER(_MapInfo)]
    return library


@contextmanager
def _mapped(buffer: Any) -> Iterator[tuple[int, int]]:
    """Address and length of a buffer's memory. PyGObject's own `map` copies on older releases.

    The hash of a boxed object is its address, which NVIDIA's bindings rely on as well.
    """
    info, place = _MapInfo(), ctypes.c_void_p(hash(buffer))
    if not _library().gst_buffer_map(place, ctypes.byref(info), _MAP_READ):
        yield 0, 0
        return
    try:
        yield info.data or 0, info.size
    finally:
        _library().gst_buffer_unmap(place, ctypes.byref(info))


def _rows(address: int, rows: int, width: int, step: int) -> Image:
    """Rows of bytes where they lie."""
    size = (rows - 1) * step + width
    memory = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
    return as_strided(np.frombuffer(memory, np.uint8), (rows, width), (step, 1))


def bindings(label: str) -> tuple[Any, Any]:
    """GStreamer's modules Gst and GstVideo. Raises SourceFault where they are not here."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstVideo", "1.0")
        from gi.repository import Gst, GstVideo
    except (ImportError, ValueError) as error:
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: no GStreamer for Python ({error}); install python3-gi and gir1.2-gst-plugins-base-1.0",
        ) from error
    Gst.init(None)
    return Gst, GstVideo


def has_element(name: str) -> bool:
    """Whether GStreamer is here and knows that element."""
    try:
        gst, _ = bindings("")
    except SourceFault:
        return False
    return gst.ElementFactory.find(name) is not None
