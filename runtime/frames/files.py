"""A video file as a source: paced in real time like a camera, or as fast as it can be read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from runtime.clock import HostClock
from runtime.frames import decoder
from runtime.frames.ring import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.uri import SourceUri

MISSING_SHARE = 0.02
"""A file that ends before this share of the frames its index tells of is truncated."""
SEEK_FROM = 250
"""Frames to catch up from which seeking is worth it."""
MAX_SPOILED = 250
"""Spoiled frames in a row after which a file is given up."""
CATCH_UP_S = 2.0
"""A machine too slow to catch up at all shows a late frame now and then instead of none for good."""
LATE_S = 0.2
LATE_FRAMES = 1.5
"""A frame that is overdue by more than the larger of the two is skipped."""
LONGEST_WAIT_S = 86_400.0
_UNKNOWN_FPS = 25.0


class FileSource:
    """Frames of a video file.

    Paced in real time, frame k is due at its start (or the URI's epoch) + k / fps; frames that are overdue
    are skipped and counted in `stale`. Read fast, frame k has the time k / fps. With loop=1 the file begins
    again at its end and time goes on.
    """

    waits: bool

    pixel_format = PixelFormat.BGR

    def __init__(
        self, where: SourceUri, clock: HostClock, sleep: Callable[[float], None] | None = None
    ) -> None:
        """Open the file. Raises SourceFault where there is none or it is not a video."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self.waits = where.pace == "fast"
        self._where = where
        self._clock = clock
        self._sleep = sleep or time.sleep
        self._path = Path(where.target)
        self._capture = _open_video(self._path)
        self.size = decoder.size_of(self._capture)
        self.fps = decoder.fps_of(self._capture) or _UNKNOWN_FPS
        self._declared = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._start_s = self._first_due_s()
        self._position = 0
        self._loop = 0
        self._number = 0

    @property
    def truncated(self) -> bool:
        """Whether the file has turned out to break off before its end."""
        return bool(self.remark)

    @property
    def frames(self) -> int:
        """How many frames the file's index tells of; 0 where it has none."""
        return self._declared

    def grab(self) -> Grab | None:
        """The next frame when it is due; None at the end. Raises SourceFault where the file is spoiled."""
        if self._where.pace == "real":
            self._catch_up()
        while not self._grab():
            if not self._begin_again():
                return None
        due_s = self._due_s()
        grab = Grab(due_s, self._clock.now(), self._number, self._loop)
        self._advance(1)
        if self._where.pace == "real":
            wait_s = due_s - grab.arrived_s
            if wait_s > 0:
                self._sleep(min(wait_s, LONGEST_WAIT_S))
                grab = grab._replace(arrived_s=self._clock.now())
        return grab

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the frame that was grabbed last."""
        return decoder.retrieve(self._capture, into)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _first_due_s(self) -> float:
        if self._where.pace == "fast":
            return 0.0
        return self._clock.now() if self._where.epoch_s is None else self._where.epoch_s

    def _due_s(self) -> float:
        return self._start_s + self._position / self.fps

    def _advance(self, frames: int) -> None:
        self._position += frames
        self._number += frames

    def _catch_up(self) -> None:
        """Skip what is overdue: whole turns of the loop, then by seeking, then frame by frame."""
        turn_s = self._declared / self.fps
        overdue_s = self._clock.now() - self._due_s()
        if self._where.loop and turn_s > 0 and overdue_s > turn_s:
            turns = int(overdue_s / turn_s)
            self._start_s += turns * turn_s
            self._loop += turns
            self._number += turns * self._declared
        late = int((self._clock.now() - self._due_s()) * self.fps)
        if late > SEEK_FROM and self._position + late < self._declared:
            self._seek(self._position + late)
        until_s = time.monotonic() + CATCH_UP_S
        while self._clock.now() - self._due_s() > max(LATE_S, LATE_FRAMES / self.fps):
            if time.monotonic() > until_s:
                return
            if not self._grab():
                return
            self._advance(1)
            self.stale += 1

    def _grab(self) -> bool:
        """Grab the next frame that can be decoded; those before it count as spoiled."""
        missing = self._declared - self._position - 1
        spoiled = decoder.grab_past_errors(self._capture, min(max(missing, 0), MAX_SPOILED))
        if spoiled is None:
            return False
        self.spoiled += spoiled
        self._advance(spoiled)
        return True

    def _seek(self, position: int) -> None:
        """Go on at frame `position`, or wherever the file's index leads us."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, position)
        found = int(self._capture.get(cv2.CAP_PROP_POS_FRAMES))
        self.stale += max(0, found - self._position)
        self._advance(found - self._position)

    def _begin_again(self) -> bool:
        """At the end: note what was missing and start the next turn; False where there is none."""
        missing = self._declared - self._position
        if self._position == 0 or missing > max(1, MISSING_SHARE * self._declared):
            self.remark = f"{self._path.name} ends after {self._position} of its {self._declared} frames"
            if self._position == 0 or not self._where.loop:
                raise SourceFault(SourceState.TRUNCATED, f"{self._path}: {self.remark}; copy it again")
        if not self._where.loop:
            return False
        turn = self._declared if self._where.epoch_s is not None and self._declared else self._position
        self._capture.release()
        self._capture = _open_video(self._path)
        self._start_s += turn / self.fps
        self._loop += 1
        self._position = 0
        return True


def _open_video(path: Path) -> cv2.VideoCapture:
    if not path.exists():
        raise SourceFault(SourceState.NO_SUCH_FILE, f"{path}: there is no such file")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise SourceFault(SourceState.NO_SUCH_FILE, f"{path}: not a file that can be read")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if capture.isOpened():
        return capture
    capture.release()
    if path.stat().st_size == 0 or _lacks_its_index(path):
        raise SourceFault(
            SourceState.TRUNCATED, f"{path}: the file breaks off before its index; copy it again"
        )
    raise SourceFault(SourceState.UNUSABLE, f"{path}: not a video that can be read here; MP4, AVI or MKV is")


def _lacks_its_index(path: Path) -> bool:
    """Whether an MP4 file has no `moov` box before it ends (ISO/IEC 14496-12, 4.2)."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        position, first = 0, True
        for _ in range(64):
            stream.seek(position)
            head = stream.read(16)
            if len(head) < 8 or (first and head[4:8] != b"ftyp"):
                return not first
            if head[4:8] == b"moov":
                return False
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8 or position + length > size:
                return True
            position, first = position + length, False
    return False
