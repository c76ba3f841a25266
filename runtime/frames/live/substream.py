"""A camera's second stream, for while its first cannot be played.

Cameras have a main stream and a smaller substream, and refuse one more viewer of the first sooner than of
the second. While the substream plays, the main stream is tried beside it, less and less often, and the camera
goes back to it when it works.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import Image
from runtime.frames.sources import Grab, Source, SourceFault, SourceState

Open = Callable[[Callable[[float], None]], Source]
"""Opens a source; it is given how to wait. Raises SourceFault."""

RETRY_S, LONGEST_RETRY_S = 5.0, 240.0
"""The main stream is tried again after the first, then after twice as long each time, up to the second."""
SHORT_S, SHORT_TIMES = 20.0, 2
"""A main stream that breaks off within the first so many times in a row does not work."""

log = logging.getLogger(__name__)


class MainOrSubstream:
    """Opens the main stream of a camera, or its substream while that cannot be played."""

    def __init__(
        self,
        open_main: Open,
        open_substream: Open,
        now: Callable[[], float] = time.monotonic,
        retry_s: float = RETRY_S,
    ) -> None:
        """`now` is a clock of seconds that never steps back."""
        self._open_main = open_main
        self._open_substream = open_substream
        self._now = now
        self._first_retry_s = self._retry_s = retry_s
        self._main_since_s: float | None = None
        self._short = 0
        self._waiting: _Substream | None = None

    def open(self, pause: Callable[[float], None]) -> Source:
        """The main stream if it can be played, else the substream. Raises SourceFault of the main stream."""
        found = self._waiting.take_main() if self._waiting is not None else None
        self._waiting = None
        returning = found is not None
        lasted_s = None if self._main_since_s is None else self._now() - self._main_since_s
        self._main_since_s = None
        if lasted_s is not None:
            self._short = self._short + 1 if lasted_s < SHORT_S else 0
            if not self._short:
                self._retry_s = self._first_retry_s
        why = "it breaks off again and again" if self._short >= SHORT_TIMES else ""
        if found is None and not why:
            try:
                found = self._open_main(pause)
            except SourceFault as fault:
                # The login is the same: a second wrong one might lock the account.
                if fault.state is SourceState.WRONG_PASSWORD:
                    raise
                return self._substream(str(fault), fault, pause)
        if found is not None:
            if returning:
                log.info("%s: the main stream plays again", found.label)
            self._main_since_s = self._now()
            return found
        self._short = 0
        return self._substream(why, None, pause)

    def _substream(self, why: str, fault: SourceFault | None, pause: Callable[[float], None]) -> Source:
        try:
            source = self._open_substream(pause)
        except SourceFault as second:
            state = second.state if fault is None else fault.state
            raise SourceFault(state, f"{why}; nor does its substream play: {second}") from second
        log.warning("%s: the substream is played, for the main stream does not play: %s", source.label, why)
        self._waiting = _Substream(source, why, lambda: self._open_main(pause), self._retry_s)
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
        return self._waiting


class _Substream:
    """The substream, read as any source, until the main stream works again."""

    def __init__(self, source: Source, why: str, open_main: Callable[[], Source], retry_s: float) -> None:
        self._source = source
        self._why = why
        self._open_main = open_main
        self._retry_s = retry_s
        self._main: Source | None = None
        self._closing = threading.Event()
        self._taking = threading.Lock()
        self.label, self.size, self.fps = source.label, source.size, source.fps
        self.pixel_format, self.scales, self.waits = source.pixel_format, source.scales, source.waits
        self._trying = threading.Thread(target=self._try_main, name="main stream", daemon=True)
        self._trying.start()

    @property
    def remark(self) -> str:
        """That it is the substream, why, and what the substream itself remarks."""
        told = f"this is the substream, for the main stream does not play: {self._why}"
        return f"{told}; {self._source.remark}" if self._source.remark else told

    @property
    def truncated(self) -> bool:
        """Never: it is no file."""
        return self._source.truncated

    @property
    def stale(self) -> int:
        return self._source.stale

    @property
    def spoiled(self) -> int:
        return self._source.spoiled

    def grab(self) -> Grab | None:
        """The next picture. Raises SourceFault also when it is time to go back to the main stream."""
        if self._main is not None:
            raise SourceFault(
                SourceState.RESOLUTION_CHANGED,
                f"{self.label}: the main stream plays again; going back to it from the substream",
            )
        return self._source.grab()

    def retrieve(self, into: Image | None = None) -> Image | None:
        return self._source.retrieve(into)

    def close(self) -> None:
        """Close the substream; the main stream, where it was found, stays open for who comes next."""
        self._closing.set()
        self._source.close()

    def take_main(self) -> Source | None:
        """The main stream if it was found to play; who takes it closes it."""
        with self._taking:
            self._closing.set()
            found, self._main = self._main, None
            return found

    def _try_main(self) -> None:
        retry_s = self._retry_s
        while not self._closing.wait(retry_s):
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            with contextlib.suppress(FrameError, OSError):
                found = self._open_main()
                with self._taking:
                    if not self._closing.is_set():
                        self._main = found
                        return
                found.close()
