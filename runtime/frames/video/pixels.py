"""Decoded pictures as arrays: colour, size, turned upright, two half-pictures made one."""

from __future__ import annotations

from collections.abc import Iterator

import av.error
import cv2
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from runtime.frames.ring.buffer import Image

_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, -90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180}
_TURNS |= {-180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE, -270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class Pixels:
    """Turns decoded frames into BGR arrays; keeps what the conversion needs from one to the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def upright_size(self, frame: VideoFrame) -> tuple[int, int]:
        """Width and height of the frame when it is shown as its maker asks."""
        if _turn(frame) in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE):
            return frame.height, frame.width
        return frame.width, frame.height

    def bgr(self, frame: VideoFrame, size: tuple[int, int], into: Image | None = None) -> Image:
        """The frame upright as (height, width, 3) BGR of `size`, in `into` where that has this shape."""
        turn = _turn(frame)
        width, height = size
        if turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE):
            width, height = height, width
        # By itself it takes a thread for each core, which costs more than it gains: there are other cameras.
        shown = self._reformatter.reformat(frame, width, height, "bgr24", threads=1)
        plane = shown.planes[0]
        strides = (plane.line_size, 3, 1)
        image: Image = np.ndarray((height, width, 3), np.uint8, plane, 0, strides)  # type: ignore[arg-type]
        if turn is not None:
            image = np.asarray(cv2.rotate(image, turn), np.uint8)
        if into is None or into.shape != image.shape:
            return np.ascontiguousarray(image)
        np.copyto(into, image)
        return into


class Deinterlacer:
    """Makes whole pictures of interlaced ones (FFmpeg's bwdif); those that are whole pass as they are.

    It looks one picture ahead, so that each comes when the next is pushed.
    """

    def __init__(self) -> None:
        self._kind: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """The pictures that are ready now that `frame` is known; at the end (None), all that are left."""
        if frame is not None:
            kind = (frame.width, frame.height, frame.format.name)
            if kind != self._kind:
                yield from self._pull(None)
                self._kind, self._graph = kind, _graph(frame)
        yield from self._pull(frame)

    def _pull(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        if self._graph is None:
            return
        try:
            self._graph.vpush(frame)
            while True:
                yield self._graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source: FilterContext = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _turn(frame: VideoFrame) -> int | None:
    """How cv2.rotate brings the frame upright; None where it is."""
    return _TURNS.get(round(frame.rotation / 90) * 90)
