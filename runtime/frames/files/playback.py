"""A video file as a source: paced in real time like a camera, or as fast as it can be read.

Time is the file's own: the stamps of its pictures (`runtime.frames.files.timestamps`). Whether it is whole,
its container says (`runtime.frames.files.endings`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runtime.clock import HostClock
from runtime.frames.files import opening
from runtime.frames.files.endings import breaks_off
from runtime.frames.files.timestamps import FileTime
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.uri import SourceUri
from runtime.frames.video.causes import BrokeOff
from runtime.frames.video.demux import DecodedFrame

CATCH_UP_S = 0.5
"""How long pictures are skipped before one is shown, late as it is."""
SEEK_FROM_S = 5.0
"""How far behind seeking is worth it, and only to a key picture that lies ahead."""
LATE_S = 0.2
LATE_FRAMES = 1.5
"""A frame that is overdue by more than the larger of the two is skipped."""
SLOW_S = 1.0
"""From here on it is said that a file is played slower than it was recorded."""
LONGEST_WAIT_S = 86_400.0
_UNKNOWN_FPS = 25.0


class _Held(NamedTuple):
    """A picture that was read and waits for its time, in seconds since the first one."""

    picture: DecodedFrame
    time_s: float


class FileSource:
    """Frames of a video file.

    Paced in real time, a frame is due at its start (or the URI's epoch) + its time in the file; frames that
    are overdue are skipped and counted in `stale`. Where the machine cannot keep up at all the file is played
    slower; with an epoch, which promises to be in phase, late frames are shown instead. Read fast, a frame
    has its time in the file. With loop=1 the file begins again at its end and time goes on.
    """

    waits: bool

    scales = True
    pixel_format = PixelFormat.BGR

    def __init__(
        self, where: SourceUri, clock: HostClock, sleep: Callable[[float], None] | None = None
    ) -> None:
        """Open the file. Raises SourceFault where there is none or it is not a video."""
        self.label = where.label
        self.stale = 0
        self.spoiled = 0
        self.waits = where.pace == "fast"
        self.cut_s: float | None = None
        """Where the file breaks off, seconds; None where it is whole or its end has not been reached."""
        self._where = where
        self._clock = clock
        self._sleep = sleep or time.sleep
        self._path = Path(where.target)
        self._video = opening.open_video(self._path)
        self.size = self._video.size
        self.fps = self._video.fps or _UNKNOWN_FPS
        self._time = FileTime(1.0 / self.fps)
        self._period_s = self._promised_period()
        self._start_s = self._first_due_s()
        self._from_byte = 0
        self._held: _Held | None = None
        self._shown: DecodedFrame | None = None
        self._index = 0
        self._first_number = 0
        self._loop = 0
        self._behind_s = 0.0
        self._damaged = 0
        self._cut_after = 0

    @property
    def truncated(self) -> bool:
        """Whether the file turned out to break off before its end."""
        return self.cut_s is not None

    @property
    def coding(self) -> str:
        """How its pictures are coded, for people."""
        return self._video.coding + (", interlaced" if self._video.interlaced else "")

    @property
    def length_s(self) -> float:
        """How long it says it is, seconds, exactly or by estimate; 0 where it says nothing."""
        return self._video.duration_s or 0.0

    @property
    def read_s(self) -> float:
        """How much of it has been read: where the last picture ends, seconds."""
        return self._time.end_s

    @property
    def remark(self) -> str:
        """What is wrong with the file or with how it is read; empty if nothing."""
        return "; ".join(self._remarks())

    @property
    def notes(self) -> list[str]:
        """What is wrong with the file, and what is unusual about it; known when it has been read."""
        return [*self._remarks(), *opening.peculiarities(self._video, self._time, self.truncated)]

    def grab(self) -> Grab | None:
        """The next frame when it is due; None at the end. Raises SourceFault where the file is gone."""
        # Its memory is the decoder's to use for the next one.
        self._shown = None
        if self._where.pace == "real":
            self._catch_up()
        while (held := self._peek()) is None:
            if not self._begin_again():
                return None
        self._shown, self._held = held.picture, None
        due_s = self._start_s + held.time_s
        grab = Grab(due_s, self._clock.now(), self._first_number + self._index, self._loop)
        self._index += 1
        if self._where.pace == "real":
            wait_s = due_s - grab.arrived_s
            if wait_s > 0:
                self._sleep(min(wait_s, LONGEST_WAIT_S))
                grab = grab._replace(arrived_s=self._clock.now())
        return grab

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the frame that was grabbed last."""
        return None if self._shown is None else self._video.pixels(self._shown, into)

    def close(self) -> None:
        """Close the file."""
        self._video.close()

    def _first_due_s(self) -> float:
        if self._where.pace == "fast":
            return 0.0
        return self._clock.now() if self._where.epoch_s is None else self._where.epoch_s

    def _promised_period(self) -> float | None:
        """How long a turn lasts for all who are in phase, whatever each of them reads of it."""
        if not self._where.loop or self._where.epoch_s is None:
            return None
        return self._video.exact_length_s() or None

    def _late_s(self, held: _Held) -> float:
        """By how much the picture is overdue; 0 where that is too little to matter."""
        late_s = self._clock.now() - self._start_s - held.time_s
        return late_s if late_s > max(LATE_S, LATE_FRAMES / self.fps) else 0.0

    def _catch_up(self) -> None:
        """Skip what is overdue; what is so after a while still is shown late, or the file slowed down."""
        held = self._peek()
        if held is None or not self._late_s(held):
            return
        if self._where.epoch_s is not None:
            self._rejoin(self._late_s(held))
        until_s = time.monotonic() + CATCH_UP_S
        while (held := self._peek()) is not None and self._late_s(held) and time.monotonic() < until_s:
            self._held = None
            self._index += 1
            self.stale += 1
        if held is not None and self._where.epoch_s is None:
            late_s = self._late_s(held)
            self._start_s += late_s
            self._behind_s += late_s

    def _rejoin(self, late_s: float) -> None:
        """Be in phase again: by whole turns, then by seeking where a key picture lies ahead."""
        if self._period_s is not None and late_s > self._period_s:
            turns = int(late_s / self._period_s)
            self._start_s += turns * self._period_s
            self._loop += turns
            self._first_number += turns * round(self._period_s * self.fps)
            late_s -= turns * self._period_s
        held, first_s = self._peek(), self._time.first_s
        if held is None or first_s is None or late_s < SEEK_FROM_S:
            return
        key_s = self._video.key_before(first_s + held.time_s + late_s)
        if key_s is None or key_s - first_s <= held.time_s:
            return
        try:
            self._video.seek(key_s)
            picture = self._video.read()
        except BrokeOff:
            return
        if picture is None or picture.stamp_s is None:
            return
        self._time.go_to(picture.stamp_s)
        self._held = _Held(picture, self._time.place(picture.stamp_s, self._video.following))
        index = round(self._held.time_s * self.fps)
        self.stale += max(0, index - self._index)
        self._index = index

    def _peek(self) -> _Held | None:
        """The next picture, read if it has not been; None where none is left of this turn."""
        if self._held is not None:
            return self._held
        spoiled, damaged = self._video.spoiled, self._video.damaged
        try:
            picture = self._video.read()
        except BrokeOff:
            picture = None
        lost = self._video.spoiled - spoiled
        self.spoiled += lost
        self._index += lost
        self._damaged += self._video.damaged - damaged
        if picture is None and self._go_on():
            return self._peek()
        if picture is not None:
            self._held = _Held(picture, self._time.place(picture.stamp_s, self._video.following))
        return self._held

    def _go_on(self) -> bool:
        """At the end: whether pictures of another stream come behind it, which are read from now on."""
        rest = opening.open_rest(self._path, self._video, self._from_byte) if self._path.exists() else None
        if rest is None:
            return False
        self._from_byte += self._video.last_byte + 1
        rest.size = self.size
        rest.resized |= self._video.resized
        rest.interlaced |= self._video.interlaced
        self._video.close()
        self._video = rest
        return True

    def _begin_again(self) -> bool:
        """At the end: see whether it is the file's, and start the next turn; False where there is none."""
        there = self._path.exists()
        if there and self.cut_s is None and breaks_off(self._path, self._video):
            self.cut_s, self._cut_after = self._time.end_s, self._time.count
        if not self._where.loop or not there:
            return False
        self._start_s += self._period_s or self._time.end_s
        self._first_number += self._index
        self._index = 0
        self._loop += 1
        self._video.close()
        self._video, self._from_byte = opening.open_video(self._path), 0
        self._time = FileTime(1.0 / self.fps)
        if self._peek() is None:
            raise SourceFault(SourceState.UNUSABLE, f"{self._path}: no picture can be read any more")
        return True

    def _remarks(self) -> list[str]:
        remarks = []
        if self.cut_s is not None:
            whole = f" of its {self._video.declared}" if self._video.declared else ""
            after = f"it ends after {self._cut_after}{whole} frames"
            remarks.append(f"{self._path.name} breaks off at {self.cut_s:.2f} s: {after}; copy it again")
        if self.spoiled:
            remarks.append(f"frames that cannot be decoded and are left out: {self.spoiled}")
        if self._damaged:
            remarks.append(f"places where it is damaged: {self._damaged}")
        if self._behind_s > SLOW_S:
            remarks.append(
                f"this machine plays it slower than recorded: {self._behind_s:.0f} s behind so far"
            )
        return remarks
