"""One camera as the vision process sees it: the frame it holds, its tracker, its ids."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.config import Camera
from runtime.config.cameras import image_to_floor
from runtime.frames.lending import FrameBorrower
from runtime.frames.ring import FrameHeader, FrameRing, PixelFormat
from runtime.messages import FrameReady, PersonsSeen
from runtime.vision.glance import Glance, Seen
from runtime.vision.onlooker import NOBODY, Onlooker
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, Liveliness, TrackerSettings

LATENCY_MEMORY = 0.1
IDS_PER_SECOND = 1_000


def first_track_id(now_s: float) -> int:
    """Where a fresh process begins to number people: no id of the one before it comes again that day."""
    return int(now_s % 86_400) * IDS_PER_SECOND


class Lent(NamedTuple):
    """A frame in a ring that is being looked at."""

    camera: str
    ring: FrameRing
    slot: int

    @property
    def header(self) -> FrameHeader:
        """What the slot says of it."""
        return self.ring.header(self.slot)

    def picture(self) -> NDArray[np.uint8]:
        """The frame, BGR, in place where the ring has it so."""
        frame = self.ring.frame(self.slot)
        if self.header.pixel_format == PixelFormat.NV12:
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_NV12), np.uint8)
        return frame

    def brightness(self) -> NDArray[np.uint8]:
        """The frame in place: BGR (height, width, 3), or of NV12 the luma (height, width)."""
        frame = self.ring.frame(self.slot)
        return frame[: self.header.height] if self.header.pixel_format == PixelFormat.NV12 else frame


class WatchedCamera:
    """Holds at most one borrowed frame that waits, and those that are being looked at, oldest first.

    A new picture size or turn of a looped file restarts tracking.
    """

    def __init__(self, camera: Camera, borrower: FrameBorrower, first_id: int) -> None:
        self.borrower = borrower
        self.first_id = first_id
        self.latency_s = 0.0
        self._camera = camera
        self._held: FrameReady | None = None
        self._heard = 0
        self._under_way: deque[FrameReady] = deque()
        self._tracker: FloorTracker | None = None
        self._liveliness = Liveliness()
        self._scene: tuple[int, int, int] | None = None
        self._last: tuple[int, float] | None = None
        self._open: set[int] = set()
        self._highest = 0
        self._count = 0
        self._refused = 0

    def describe(self, camera: Camera) -> None:
        """Go on with another description of the camera; another floor under the picture restarts tracking."""
        before, self._camera = self._camera, camera
        if (camera.homography, camera.points, camera.image_size) != (
            before.homography,
            before.points,
            before.image_size,
        ):
            self._scene = None

    def heard(self, ready: FrameReady) -> int:
        """How many frames the camera has brought since the last one that was told, this one aside.

        It could not tell of those: all that it may lend was lent.
        """
        before, self._heard = self._heard, ready.sequence
        return max(0, ready.sequence - before - 1) if before else 0

    def hold(self, ready: FrameReady) -> bool:
        """Keep this frame; True where an older one was given back for it. Raises messages.PeerGone."""
        overtaken = self._held
        self._held = ready
        if overtaken is not None:
            self.borrower.give_back(overtaken)
        return overtaken is not None

    def take(self) -> Lent:
        """Begin to look at the frame that waits; `follow` and `give_back` come later, in the same order."""
        if self._held is None:
            raise ValueError(f"camera {self._camera.name} holds no frame")
        held, self._held = self._held, None
        self._under_way.append(held)
        return Lent(self._camera.name, self.borrower.ring, held.slot)

    def give_back(self) -> None:
        """Done with the oldest frame that was taken. Raises messages.PeerGone."""
        self.borrower.give_back(self._under_way.popleft())

    def follow(self, seen: Seen, now_s: float, onlooker: Onlooker = NOBODY) -> list[PersonsSeen]:
        """Track the people of the oldest frame taken; what the store is to be told, this frame last."""
        frame = Lent(self._camera.name, self.borrower.ring, self._under_way[0].slot)
        header = frame.header
        farewell = self._restart_for(header, onlooker.appearance_size)
        assert self._tracker is not None
        glance, found = Glance(onlooker, seen, frame.picture), seen.found
        look = self._liveliness.look(frame.brightness(), found.boxes, found.scores, header.time_s)
        tracks = self._tracker.update(found.boxes, found.scores, header.time_s, glance.appearances(), look)
        handling = glance.handling(tracks)
        ended = self._tracker.ended
        name, first_id = self._camera.name, self.first_id
        earlier = seen_before(name, header.sequence, tracks, first_id)
        record = persons_seen(name, header.sequence, header.time_s, tracks, ended, first_id, handling)
        ids = {track.id for track in tracks if track.id is not None}
        self._highest = max(self._highest, max(ids, default=0))
        self._open = ids
        self._last = (header.sequence, header.time_s)
        self._count += 1
        self.latency_s += LATENCY_MEMORY * (now_s - header.arrived_s - self.latency_s)
        return [*farewell, *earlier, record]

    def count(self) -> int:
        """Frames tracked since the last call."""
        count, self._count = self._count, 0
        return count

    @property
    def refused(self) -> int:
        """People that the tracker could not follow because it follows as many as it may, once a frame."""
        return self._refused + (0 if self._tracker is None else self._tracker.refused)

    def close(self) -> PersonsSeen | None:
        """Give everything back; the record that ends everybody who was in sight, if anybody was."""
        farewell = self._farewell()
        self.borrower.close()
        self._held = None
        self._under_way.clear()
        return farewell

    def _restart_for(self, header: FrameHeader, appearance_size: int) -> list[PersonsSeen]:
        scene = (header.width, header.height, header.loop)
        if scene == self._scene:
            return []
        farewell = self._farewell()
        self._scene = scene
        self._refused = self.refused
        size = (header.width, header.height)
        view = CameraView(*size, image_to_floor(self._camera, size))
        self._tracker = FloorTracker(TrackerSettings(), view, appearance_size)
        self._liveliness = Liveliness()
        return [] if farewell is None else [farewell]

    def _farewell(self) -> PersonsSeen | None:
        """Ends everybody the tracker knows, and moves on to ids that were never used."""
        last, open_ids = self._last, sorted(self._open)
        first_id = self.first_id
        self.first_id += self._highest
        self._open, self._highest = set(), 0
        if last is None or not open_ids:
            return None
        return persons_seen(self._camera.name, *last, (), open_ids, first_id)
