"""Decoded pictures as arrays: colour, size, turned upright, two half-pictures made one."""

from __future__ import annotations

from collections.abc import Iterator

import av.error
import cv2
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from runtime.frames.ring.buffer import Image

TALL = 720
"""Lines above which interlaced pictures are given by half."""

_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, -90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180}
_TURNS |= {-180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE, -270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class Pixels:
    """Turns decoded frames into BGR arrays; keeps what the conversion needs from one to the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def upright_size(self, frame: VideoFrame, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a picture of `size`, coded as the frame, when it is shown as its maker asks."""
        turned = _turn(frame) in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)
        return (size[1], size[0]) if turned else size

    def bgr(self, frame: VideoFrame, size: tuple[int, int], into: Image | None = None) -> Image:
        """The frame upright as (height, width, 3) BGR of `size`; in `into`, scaled to its shape, if given.

        Colour and size are changed in one pass: scaling the whole BGR picture takes two to six times as long.
        """
        turn = _turn(frame)
        width, height = size if into is None else (into.shape[1], into.shape[0])
        if turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE):
            width, height = height, width
        # Half-pictures are stretched by writing each line twice: cheap, and detectors scale anyhow.
        times = 2 if 2 * frame.height == height else 1
        # By itself it takes a thread for each core, which costs more than it gains: there are other cameras.
        scaling = None if (width, height // times) == (frame.width, frame.height) else Interpolation.AREA
        shown = self._reformatter.reformat(
            frame, width, height // times, "bgr24", interpolation=scaling, threads=1
        )
        plane = shown.planes[0]
        strides = (plane.line_size, 3, 1)
        lines: Image = np.ndarray((height // times, width, 3), np.uint8, plane, 0, strides)  # type: ignore[arg-type]
        if turn is not None:
            lines = np.asarray(cv2.rotate(np.repeat(lines, times, axis=0), turn), np.uint8)
            times = 1
        if into is None:
            return np.ascontiguousarray(np.repeat(lines, times, axis=0) if times > 1 else lines)
        for first in range(times):
            np.copyto(into[first::times], lines)
        return into


class Deinterlacer:
    """Makes whole pictures of interlaced ones; those that are whole pass as they are.

    Up to `TALL` lines by FFmpeg's bwdif, which looks one picture ahead: each comes when the next is pushed.
    Taller ones are given as their upper half-picture (FFmpeg's field): at once, without a copy, half as tall,
    to be stretched where they are made into an array. bwdif would keep three pictures, 3.1 MB each at 1080i,
    and detectors look at fewer lines than the half that is left.
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
            if frame.height > TALL and not frame.interlaced_frame:
                yield frame
                return
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
    tall = frame.height > TALL
    whole = graph.add("field", "type=top") if tall else graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(whole)
    whole.link_to(sink)
    graph.configure()
    return graph


def _turn(frame: VideoFrame) -> int | None:
    """How cv2.rotate brings the frame upright; None where it is."""
    return _TURNS.get(round(frame.rotation / 90) * 90)
