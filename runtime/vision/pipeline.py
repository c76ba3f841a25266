"""Pictures of one camera in order: read ahead, detect and track, overlapped on all cores.

Reading (and so decoding) has a thread of its own, the network works in its back end's threads, and tracking
in the caller's; the results come in order and do not depend on the timing.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.detector import Detections, PersonDetector
from runtime.vision.onlooker import NOBODY, Onlooker
from runtime.vision.track import FloorTracker, Track

READ_AHEAD = 6
"""Decoded pictures that may wait: 6 of 1080p are 37 MB."""

OFFLINE_STREAMS = 2
"""Pictures that a detector opened for `analyse` should work on side by side (`PersonDetector.open`)."""


@dataclass(frozen=True)
class VideoFrame:
    """One picture: index from 0, seconds, (height, width, 3) uint8 BGR; never written to again."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class AnalysedFrame:
    """What a picture showed: all boxes, and the tracker's people, of whom `ended` are gone since the last.

    `handling` is the probability of handling goods by track id, of those who were judged.
    """

    frame: VideoFrame
    detections: Detections
    tracks: list[Track]
    ended: tuple[int, ...]
    handling: Mapping[int, float] = field(default_factory=dict)


def analyse(
    frames: Iterable[VideoFrame],
    detector: PersonDetector,
    tracker: FloorTracker,
    onlooker: Onlooker = NOBODY,
) -> Iterator[AnalysedFrame]:
    """Detect and track in every frame, in order. Raises what `frames` raises, and EngineError.

    The tracker's `appearance_size` must be the onlooker's.
    """
    ahead = read_ahead(frames)
    waiting: deque[VideoFrame] = deque()

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for frame in ahead:
            waiting.append(frame)
            yield frame.image

    try:
        for detections in detector.detect_each(pictures()):
            frame = waiting.popleft()
            looks = onlooker.appearances(frame.image, detections)
            tracks = tracker.update(detections.boxes, detections.scores, frame.time_s, looks)
            handling = onlooker.handling(frame.image, tracks)
            yield AnalysedFrame(frame, detections, tracks, tracker.ended, handling)
    finally:
        ahead.close()


@dataclass(frozen=True)
class _End:
    """The reader is through; with an error if it failed."""

    error: BaseException | None = None


def read_ahead(frames: Iterable[VideoFrame], limit: int = READ_AHEAD) -> _ReadAhead:
    """The same frames, taken from their source by a thread, at most `limit` before they are wanted."""
    return _ReadAhead(frames, limit)


class _ReadAhead(Iterator[VideoFrame]):
    """An iterator that a thread fills; `close` ends the thread."""

    def __init__(self, frames: Iterable[VideoFrame], limit: int) -> None:
        self._queue: queue.Queue[VideoFrame | _End] = queue.Queue(limit)
        self._closed = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._read, args=(frames,), name="read-ahead", daemon=True)
        self._thread.start()

    def __next__(self) -> VideoFrame:
        if self._over:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, VideoFrame):
            return item
        self._over = True
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """End the reading thread; frames that were read and not taken are lost."""
        self._over = True
        self._closed.set()
        while self._thread.is_alive():
            self._drain()
            self._thread.join(0.01)

    def _drain(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _read(self, frames: Iterable[VideoFrame]) -> None:
        end = _End()
        try:
            for frame in frames:
                self._queue.put(frame)
                if self._closed.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            end = _End(error)
        self._queue.put(end)
