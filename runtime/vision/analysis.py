"""The frames of all cameras, from the moment they are announced to the records of who was seen.

`runtime.vision.batching` says which frames go together, an executor finds the persons in them where they lie,
and each camera's tracker follows them. With a GPU the next batch is on its way while this one is tracked.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial

from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.ring.lending import FrameConsumer
from runtime.messages import PeerGone, PersonsSeen
from runtime.vision.batching import BatchPolicy
from runtime.vision.camera_spec import TrackedCamera
from runtime.vision.camera_tracker import CameraTracker, first_track_id
from runtime.vision.crop_inference import FrameDetections, Heads
from runtime.vision.executors.executor import Executor, PendingBatch
from runtime.vision.frame import LeasedFrame
from runtime.vision.load_meter import LoadMeter
from runtime.vision.overload import AnalysisRate, OverloadMonitor
from runtime.vision.track import TrackerSettings

Size = tuple[int, int]

log = logging.getLogger(__name__)


class Analysis:
    """Looks at the frames of the cameras that are there. Used by one thread.

    `utc` gives UTC seconds on the host's timeline, `send` takes the records, `on_new_sizes` hears of the
    sizes (width, height) of frames that come for the first time: a network may have to be compiled for them.
    """

    def __init__(
        self,
        executor: Executor,
        heads: Heads,
        cameras: Iterable[TrackedCamera],
        utc: Callable[[], float],
        send: Callable[[PersonsSeen], None],
        on_new_sizes: Callable[[list[Size]], None],
    ) -> None:
        self.drops: Counter[str] = Counter()
        self.progress_s = utc()
        self._executor = executor
        self._heads = heads
        self._known = {camera.name: camera for camera in cameras}
        self._utc = utc
        self._send = send
        self._on_new_sizes = on_new_sizes
        self._policy = BatchPolicy()
        self._trackers: dict[str, CameraTracker] = {}
        self._first_ids = {name: first_track_id(utc()) for name in self._known}
        self._refused = 0
        self._load = LoadMeter(time.monotonic())
        self._overload = OverloadMonitor()
        self._sizes: set[Size] = set()
        self._pending: deque[tuple[PendingBatch, float, int]] = deque()
        self._spared = 0

    @property
    def cameras(self) -> list[str]:
        """Those that are there."""
        return list(self._trackers)

    @property
    def busy(self) -> bool:
        """Whether a batch is being looked at."""
        return bool(self._pending)

    @property
    def refused(self) -> int:
        """People who were not followed because a camera's tracker follows as many as it may, once a frame."""
        return self._refused + sum(tracker.refused for tracker in self._trackers.values())

    def inputs(self) -> list[tuple[int, Callable[[], None]]]:
        """Each camera's socket, and what to do when it can be read."""
        return [
            (tracker.consumer.sock.fileno(), partial(self._receive_from, name))
            for name, tracker in self._trackers.items()
        ]

    def max_wait_s(self) -> float | None:
        """How long `work` may be put off; None while no frame waits."""
        return 0.0 if self._pending else self._policy.wait_s(time.monotonic())

    def apply_config(self, cameras: Iterable[TrackedCamera], score: float | None) -> None:
        """Go on with other cameras, maps to the floor, rates and least score of a box."""
        before, self._known = self._known, {camera.name: camera for camera in cameras}
        for name in before.keys() - self._known.keys():
            self.remove_camera(name)
        for name, camera in self._known.items():
            self._first_ids.setdefault(name, first_track_id(self._utc()))
            tracker = self._trackers.get(name)
            if tracker is not None and camera != before.get(name):
                tracker.apply_config(camera)
                self._policy.add(camera.plan(), time.monotonic())
        self._finish_all()
        self._executor.set_min_score(score)

    def add_camera(self, name: str, ring_fd: int, socket_fd: int) -> None:
        """Frames come from this ring, announced over this socket. Owns both descriptors."""
        self.remove_camera(name)
        sock = socket.socket(fileno=socket_fd)
        try:
            ring = FrameRing.attach(ring_fd, writable=self._executor.maps_writable)
            consumer = FrameConsumer(ring, sock)
            self._executor.add_camera(name, ring)
        except FrameError as error:
            log.error("camera %s: %s", name, error)
            sock.close()
            return
        camera = self._known[name]
        self._trackers[name] = CameraTracker(camera, consumer, self._first_ids[name], self._heads)
        self._policy.add(camera.plan(), time.monotonic())

    def knows(self, name: str) -> bool:
        """Whether a camera of that name is configured."""
        return name in self._known

    def remove_camera(self, name: str) -> None:
        """A camera is gone; its tracks end."""
        if name not in self._trackers:
            return
        self._finish_all()
        tracker = self._trackers.pop(name, None)
        if tracker is None:
            # It went while what was pending was finished.
            return
        self._policy.remove(name, time.monotonic())
        self._executor.remove_camera(name)
        self._refused += tracker.refused
        last_record = tracker.close()
        self._first_ids[name] = tracker.first_id
        if last_record is not None:
            self._send(last_record)

    def work(self) -> None:
        """Start what is due; then, unless the executor has room for more of it, finish the oldest.

        Raises EngineError.
        """
        names = self._policy.take(time.monotonic())
        if names:
            self._start(names)
        if self._pending and not (names and self._executor.has_room):
            self._finish()

    def report(self) -> tuple[str, dict[str, float]]:
        """How this machine keeps up since the last report, and what is no person, in words and figures."""
        now_s = time.monotonic()
        elapsed_s, values = self._load.report(now_s)
        values["spared_fps"], self._spared = self._spared / elapsed_s, 0
        shares: dict[str, AnalysisRate] = {}
        for name, rate_fps in self._policy.rates_fps.items():
            tracker = self._trackers[name]
            delivered_fps, got_fps = self._policy.delivered_fps(name, now_s), tracker.count() / elapsed_s
            if delivered_fps is not None:
                shares[name] = AnalysisRate(got_fps, min(delivered_fps, self._known[name].analysis_fps))
            values[f"{name}_fps"] = got_fps
            values[f"{name}_delivered_fps"] = delivered_fps or 0.0
            values[f"{name}_allowed_fps"] = rate_fps
            values[f"{name}_latency_ms"] = tracker.latency_s * 1e3
        warning = self._overload.observe(now_s, elapsed_s, shares)
        if warning is not None:
            log.warning("%s", warning)
        things = [tracker.things() for tracker in self._trackers.values()]
        return "; ".join(words for words in (self._overload.summary, *things) if words), values

    def close(self) -> None:
        """End the tracks of all cameras and give the executor back. Raises EngineError."""
        try:
            for name in self.cameras:
                self.remove_camera(name)
        finally:
            self._executor.close()

    def _receive_from(self, name: str) -> None:
        """Take in what a camera announces; frames that are not looked at are given back and counted."""
        tracker, now_s = self._trackers.get(name), time.monotonic()
        if tracker is None:
            return
        try:
            for ready in tracker.consumer.waiting():
                if (missed := tracker.missed(ready)) > 0:
                    self._policy.missed(name, missed, now_s)
                if not self._policy.is_due(name, now_s):
                    tracker.consumer.give_back(ready)
                    self.drops["rate lowered"] += 1
                    continue
                if tracker.hold(ready):
                    self.drops["overtaken by a newer frame"] += 1
                self._policy.offer(name, now_s)
        except (PeerGone, FrameError) as error:
            log.warning("camera %s is gone: %s", name, str(error) or "its process ended")
            self.remove_camera(name)

    def _announce_sizes(self, frames: list[LeasedFrame]) -> None:
        headers = [frame.header for frame in frames]
        sizes = {(header.width, header.height) for header in headers} - self._sizes
        if sizes:
            self._sizes |= sizes
            self._on_new_sizes(sorted(sizes))

    def _finish_all(self) -> None:
        while self._pending:
            self._finish()

    def _start(self, names: list[str]) -> None:
        """Look at the frames that these cameras have waiting; follow people in those that need no look."""
        start_s, sparing = time.monotonic(), self._executor.sparing
        spared = [name for name in names if sparing and not self._trackers[name].wants()]
        frames = [self._trackers[name].take() for name in names]
        looked_at = [frame for frame in frames if frame.camera not in spared]
        self._announce_sizes(looked_at)
        gone = [name for name in spared if not self._track(name, None)]
        self._spared += len(spared)
        if looked_at:
            self._pending.append((self._executor.start(looked_at), start_s, len(spared)))
        else:
            self._account(len(spared), start_s)
        for name in gone:
            self.remove_camera(name)

    def _finish(self) -> None:
        """Wait for the oldest batch, track, and give its frames back."""
        batch, start_s, spared = self._pending.popleft()
        found = self._executor.finish(batch)
        gone = [
            frame.camera
            for frame, seen in zip(batch.frames, found, strict=True)
            if not self._track(frame.camera, seen)
        ]
        self._account(len(found) + spared, start_s)
        for name in gone:
            self.remove_camera(name)

    def _account(self, frames: int, start_s: float) -> None:
        """So many frames are done that were begun then."""
        end_s = time.monotonic()
        busy_s = self._load.batch_finished(frames, start_s, end_s)
        self.progress_s = self._utc()
        self._policy.batch_finished(frames, busy_s, end_s)

    def _track(self, name: str, seen: FrameDetections | None) -> bool:
        """Whether the camera is still there to take its frame back; None: its frame was not looked at."""
        tracker, now_s = self._trackers[name], self._utc()
        records = tracker.follow(now_s) if seen is None else tracker.track(seen, now_s)
        self._policy.note_persons(name, len(records[-1].persons), time.monotonic())
        for record in records:
            self._send(record)
        try:
            tracker.give_back()
        except PeerGone:
            return False
        return True


def refused_reason() -> str:
    """Of `Analysis.refused`, for health."""
    return f"people beyond {TrackerSettings().max_tracks} before one camera"
