"""The thread that reads a source into the ring, whatever becomes of the source.

A read may block for seconds, so it has a thread of its own; the process stays responsive. The thread
decodes straight into a free slot and lends it out. Where no slot is free the frame is dropped and counted,
so the newest frame wins as soon as a reader gives something back; only a source that waits (a file read
fast) is held up instead.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2

from runtime.clock import HostClock
from runtime.frames.capture.scaling import fitted, scale_nv12
from runtime.frames.capture.watch import FrameWatch, StreamFinding
from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameHeader, Image, PixelFormat
from runtime.frames.ring.lending import READER_BUSY, LeasedRing
from runtime.frames.sources import Grab, Source, SourceFault, SourceState
from runtime.frames.timing import AnalysisPacer, StaleShare
from tagsight.backoff import Backoff

ANALYSIS_RATE = "analysis rate"
DECODE_ERROR = "decode error"
STALE = "stale"

LEAST_WAIT_S = {
    SourceState.WRONG_PASSWORD: 30.0,
    SourceState.NO_SUCH_FILE: 5.0,
    SourceState.TRUNCATED: 5.0,
    SourceState.UNUSABLE: 30.0,
}
"""Faults that a quick retry does not mend; a camera may lock an account after a few wrong passwords."""

CHANGE_SHOWN_S = 10.0
"""How long health speaks of a changed picture size."""
RATE_WINDOW_S = 10.0
SLOT_POLL_S = 0.005
SIGN_OF_LIFE_S = 1.0
"""How often a source that waits for a frame's time says so."""

_FINDINGS = {
    StreamFinding.FINE: SourceState.LIVE,
    StreamFinding.BLACK: SourceState.BLACK,
    StreamFinding.FROZEN: SourceState.FROZEN,
}


class CaptureStatus(NamedTuple):
    """What the capture thread last said of its source."""

    state: SourceState = SourceState.CONNECTING
    detail: str = ""
    busy_since_s: float | None = None
    """Since when a call into the source has not come back; None between calls."""
    progress_s: float = 0.0
    """When the last frame was received."""
    size: tuple[int, int] = (0, 0)
    """Of the source's pictures."""
    source_fps: float = 0.0
    loop: int = 0


class Capture(threading.Thread):
    """Opens a source, reads it into the ring, opens it again when it fails; until `stop()`."""

    def __init__(
        self,
        open_source: Callable[[Callable[[float], None]], Source],
        ring: LeasedRing,
        clock: HostClock,
        backoff: Backoff,
        analysis_fps: float,
        max_size: tuple[int, int],
        watch: Callable[[], FrameWatch] = FrameWatch,
    ) -> None:
        """`open_source` is given how a paced file is to wait; frames larger than `max_size` are scaled."""
        super().__init__(name="capture", daemon=True)
        self._said = (SourceState.CONNECTING, "")
        self._busy_since_s: float | None = None
        self._progress_s = clock.now()
        self._source_size, self._source_fps, self._loop = (0, 0), 0.0, 0
        self.drops: Counter[str] = Counter()
        self.finished = False
        """The source has ended for good: nothing more will come."""
        self._open = open_source
        self._ring = ring
        self._clock = clock
        self._backoff = backoff
        self.analysis_fps = analysis_fps
        """May be set while the thread runs."""
        self._max_size = max_size
        self._new_watch = watch
        self._stopping = threading.Event()
        self._began_s = clock.now()
        self._sequence = 0
        self._epoch = 0
        self._size: tuple[int, int] | None = None
        self._changed_s: float | None = None
        self._change = ""
        self._lent_s: deque[float] = deque(maxlen=1024)
        self._scaled: Image | None = None
        self._stale = StaleShare()

    @property
    def status(self) -> CaptureStatus:
        """How the source is; other threads may ask."""
        state, detail = self._said
        return CaptureStatus(
            state,
            detail,
            self._busy_since_s,
            self._progress_s,
            self._source_size,
            self._source_fps,
            self._loop,
        )

    @property
    def frames(self) -> int:
        """How many frames went into the ring."""
        return self._sequence

    def rate(self, now_s: float) -> float:
        """Frames a second that went into the ring, over the last ten seconds."""
        window_s = min(RATE_WINDOW_S, max(1.0, now_s - self._began_s))
        return sum(now_s - time_s <= window_s for time_s in tuple(self._lent_s)) / window_s

    def stop(self, within_s: float) -> None:
        """Ask the thread to end and wait for it; one that is stuck in a read ends with the process."""
        self._stopping.set()
        self.join(within_s)

    def run(self) -> None:
        """Read until stopped, or to the end of a file that is not looped."""
        while not self._stopping.is_set() and not self.finished:
            wait_s = 0.0
            try:
                self._read_source()
            except SourceFault as fault:
                wait_s = self._backoff.failed(LEAST_WAIT_S.get(fault.state, 0.0))
                if fault.state is SourceState.RESOLUTION_CHANGED:
                    wait_s = 0.0
                self._say(fault.state, f"{fault}; next try in {wait_s:.1f} s")
            except (FrameError, OSError, cv2.error) as error:
                wait_s = self._backoff.failed()
                self._say(SourceState.UNUSABLE, f"{error}; next try in {wait_s:.1f} s")
            self._stopping.wait(wait_s)

    def _read_source(self) -> None:
        """Open the source and read it until it ends or we are stopped. Raises SourceFault."""
        with self._busy():
            source = self._open(self._pause)
        try:
            self._note_size(source.size)
            self._source_size, self._source_fps = source.size, source.fps
            self._read_on(source)
        except SourceFault as fault:
            # Closing may take its time as well: first say what is wrong.
            self._say(fault.state, str(fault))
            if fault.state is not SourceState.TRUNCATED:
                raise
            self.finished = True
        finally:
            with self._busy():
                source.close()

    def _read_on(self, source: Source) -> None:
        rate, watch = AnalysisPacer(self.analysis_fps), self._new_watch()
        stale = spoiled = 0
        while not self._stopping.is_set():
            self._busy_since_s = self._clock.now()
            try:
                grab = source.grab()
            finally:
                self._busy_since_s = None
            newly_stale = source.stale - stale
            newly_spoiled = source.spoiled - spoiled
            if newly_stale or newly_spoiled:
                self.drops[STALE] += newly_stale
                self.drops[DECODE_ERROR] += newly_spoiled
                stale, spoiled = stale + newly_stale, spoiled + newly_spoiled
            if grab is None:
                state = SourceState.TRUNCATED if source.truncated else SourceState.ENDED
                self._say(state, source.remark or f"{source.label}: the file has ended")
                self.finished = True
                return
            self._stale.add(grab.arrived_s, newly_stale + 1, newly_stale)
            self._backoff.worked(grab.arrived_s)
            self._progress_s, self._loop = grab.arrived_s, grab.loop
            if rate.fps != self.analysis_fps:
                rate = AnalysisPacer(self.analysis_fps)
            if rate.wants(grab.time_s):
                self._take(source, grab, watch)
            else:
                self.drops[ANALYSIS_RATE] += 1

    def _take(self, source: Source, grab: Grab, watch: FrameWatch) -> None:
        """Bring the picture that was grabbed into a slot and lend it out."""
        while source.waits and not self._ring.readers_are_ready() and not self._stopping.is_set():
            self._stopping.wait(SLOT_POLL_S)
        slot = self._ring.take()
        if slot is None:
            self.drops[READER_BUSY] += 1
            return
        image = None
        try:
            image = self._decode_into(slot, source)
        finally:
            if image is None:
                self._ring.put_back(slot)
        if image is None:
            self.drops[DECODE_ERROR] += 1
            return
        width, height = self._fitted(source)
        finding = watch.look(image[:height], grab.arrived_s)
        self._sequence += 1
        self._lent_s.append(grab.arrived_s)
        header = FrameHeader(
            self._sequence,
            grab.time_s,
            grab.arrived_s,
            width,
            height,
            source.pixel_format,
            self._epoch,
            grab.loop,
        )
        self._ring.lend(slot, header)
        self._judge(source, finding, (width, height))

    def _decode_into(self, slot: int, source: Source) -> Image | None:
        """The picture in the slot's memory, scaled to fit if it must be; None if it is spoiled."""
        width, height = self._fitted(source)
        view = self._ring.lender.ring.slot_view(slot, width, height, source.pixel_format)
        if (width, height) == source.size or source.scales:
            image = source.retrieve(view)
        else:
            image = self._scaled = source.retrieve(self._scaled)
        if image is None or image is view:
            return image
        if source.pixel_format is PixelFormat.NV12:
            scale_nv12(image, view)
        else:
            cv2.resize(image, (width, height), dst=view, interpolation=cv2.INTER_AREA)
        return view

    def _fitted(self, source: Source) -> tuple[int, int]:
        """The size of a source's pictures in the ring; NV12 has even sides."""
        width, height = fitted(source.size, self._max_size)
        if source.pixel_format is PixelFormat.NV12:
            return max(2, width // 2 * 2), max(2, height // 2 * 2)
        return width, height

    def _note_size(self, size: tuple[int, int]) -> None:
        if self._size is not None and size != self._size:
            self._epoch += 1
            self._changed_s = self._clock.now()
            self._change = "the picture was {} x {} and is {} x {}".format(*self._size, *size)
        self._size = size

    def _judge(self, source: Source, finding: StreamFinding, size: tuple[int, int]) -> None:
        """Say how the picture is, now that there is one."""
        remarks = [remark for remark in (source.remark, self._stale.remark) if remark]
        if size != source.size:
            remarks.append("scaled from {} x {} to {} x {}".format(*source.size, *size))
        state = SourceState.TRUNCATED if source.truncated else _FINDINGS[finding]
        if self._changed_s is not None and self._clock.now() - self._changed_s < CHANGE_SHOWN_S:
            remarks.append(self._change)
            state = SourceState.RESOLUTION_CHANGED if state is SourceState.LIVE else state
        self._say(state, "; ".join(remarks))

    def _pause(self, seconds: float) -> None:
        """How a paced file waits for its next frame: that is no standstill, however long it takes."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0 and not self._stopping.is_set():
            now_s = self._clock.now()
            self._busy_since_s = self._progress_s = now_s
            self._stopping.wait(min(left_s, SIGN_OF_LIFE_S))

    def _say(self, state: SourceState, detail: str) -> None:
        self._said = state, detail

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Marks a call that may not come back."""
        self._busy_since_s = self._clock.now()
        try:
            yield
        finally:
            self._busy_since_s = None
