"""Frames of one camera in order: read ahead, detect where the scene needs it, and track.

Decoding frames has a thread of its own, the network works in its back end's threads, and tracking in the
caller's; the results come in order and do not depend on the timing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.backends import cpu
from engines.inference.detector import NOTHING_FOUND, Detections, PersonDetector
from runtime.vision.crop_inference import NO_HEADS, CropInference, FrameDetections, Heads, HeadValues
from runtime.vision.heads.head import Image
from runtime.vision.track import FloorTracker, SceneWatch, Track

READ_AHEAD = 6
"""Items that may wait."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame: index from 0, seconds, (height, width, 3) uint8 BGR; never written to again."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class AnalysedFrame:
    """What a frame showed: all boxes, and the tracker's people, of whom `ended` are gone since the last.

    `values` are what the heads say of them, by head and track id. Where the detector was not asked to look
    (`looked`) there are no boxes, and people are where they are expected.
    """

    frame: VideoFrame
    detections: Detections
    tracks: list[Track]
    ended: tuple[int, ...]
    values: HeadValues = field(default_factory=dict)
    looked: bool = True


class Cores(TypedDict):
    """Threads and streams, as `PersonDetector.open` takes them."""

    threads: int
    streams: int


def network_share(cores: int = 0) -> Cores:
    """What a detector opened for `analyse` should get of that many cores; 0: of all.

    One is left to decoding and tracking: a network that is on every core delays those who feed it. One frame
    at a time: whether the next is looked at depends on what this one shows.
    """
    threads = max(1, (cores or cpu.available_threads()) - 1)
    return Cores(threads=threads, streams=1)


def analyse(
    frames: Iterable[VideoFrame],
    detector: PersonDetector,
    tracker: FloorTracker,
    heads: Heads = NO_HEADS,
) -> Iterator[AnalysedFrame]:
    """Track in every frame, in order, and detect where that is wanted (`runtime.vision.track.watch`).

    The tracker's `appearance_size` must be that of `heads`. Raises what `frames` raises, and EngineError.
    """
    watch, outputs = SceneWatch(tracker), heads.new_track_outputs()
    ahead = read_ahead(frames)
    try:
        for frame in ahead:
            image, time_s = frame.image, frame.time_s
            looked = watch.wants(image, time_s)
            found = detector.detect(image) if looked else NOTHING_FOUND
            crops = CropInference(heads, FrameDetections(found), partial(_image_of, frame))
            if looked:
                tracks = watch.see(image, found.boxes, found.scores, time_s, crops.appearances())
            else:
                tracks = watch.follow(time_s)
            yield AnalysedFrame(frame, found, tracks, watch.ended, outputs.update(tracks, crops), looked)
    finally:
        ahead.close()


def _image_of(frame: VideoFrame) -> Image:
    return frame.image


_T = TypeVar("_T")


@dataclass(frozen=True)
class _End:
    """The reader is through; with an error if it failed."""

    error: BaseException | None = None


def read_ahead(
    items: Iterable[_T], limit: int = READ_AHEAD, discard: Callable[[_T], None] | None = None
) -> _ReadAhead[_T]:
    """The same items, taken from their source by a thread, at most `limit` before they are wanted.

    What was taken and is not wanted any more when it closes is given to `discard`.
    """
    return _ReadAhead(items, limit, discard)


class _ReadAhead(Iterator[_T], Generic[_T]):
    """An iterator that a thread fills; `close` ends the thread."""

    def __init__(self, items: Iterable[_T], limit: int, discard: Callable[[_T], None] | None) -> None:
        self._queue: queue.Queue[_T | _End] = queue.Queue(limit)
        self._discard = discard
        self._closed = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._read, args=(items,), name="read-ahead", daemon=True)
        self._thread.start()

    def __next__(self) -> _T:
        if self._over:
            raise StopIteration
        item = self._queue.get()
        if not isinstance(item, _End):
            return item
        self._over = True
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """End the reading thread; what was taken ahead is discarded."""
        self._over = True
        self._closed.set()
        while self._thread.is_alive():
            self._drain()
            self._thread.join(0.01)
        self._drain()

    def _drain(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if self._discard is not None and not isinstance(item, _End):
                self._discard(item)

    def _read(self, items: Iterable[_T]) -> None:
        end = _End()
        try:
            for item in items:
                self._queue.put(item)
                if self._closed.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            end = _End(error)
        self._queue.put(end)
