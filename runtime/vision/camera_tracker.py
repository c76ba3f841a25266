"""One camera as the vision process sees it: the frame that waits, its tracker, its people's ids."""

from __future__ import annotations

from collections import deque

from engines.inference.detector import NOTHING_FOUND
from runtime.config.cameras import image_to_floor
from runtime.frames.ring.buffer import FrameHeader
from runtime.frames.ring.lending import FrameConsumer
from runtime.messages import FrameReady, PersonsSeen
from runtime.vision.camera_spec import TrackedCamera
from runtime.vision.crop_inference import NO_HEADS, CropInference, FrameDetections, Heads, TrackOutputs
from runtime.vision.frame import LeasedFrame
from runtime.vision.heads.embedding_reports import EmbeddingReports
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, Track, TrackerSettings

LATENCY_MEMORY = 0.1
IDS_PER_SECOND = 1_000


def first_track_id(now_s: float) -> int:
    """Where a fresh process begins to number people: no id of the one before it comes again that day."""
    return int(now_s % 86_400) * IDS_PER_SECOND


MAX_TOLD_THINGS = 3
"""Of more things that look like people only the number is said."""


class CameraTracker:
    """Holds at most one leased frame that waits, and those that are being looked at, oldest first.

    A new frame size or turn of a looped file restarts tracking.
    """

    def __init__(
        self, camera: TrackedCamera, consumer: FrameConsumer, first_id: int, heads: Heads = NO_HEADS
    ) -> None:
        self.consumer = consumer
        self.first_id = first_id
        self.latency_s = 0.0
        self._camera = camera
        self._heads = heads
        self._outputs = TrackOutputs(heads)
        self._looks = EmbeddingReports()
        self._gives_embeddings = heads.gives_embeddings
        self._held: FrameReady | None = None
        self._last_sequence = 0
        self._under_way: deque[FrameReady] = deque()
        self._watch: SceneWatch | None = None
        self._scene: tuple[int, int, int] | None = None
        self._last: tuple[int, float] | None = None
        self._open: set[int] = set()
        self._highest = 0
        self._count = 0
        self._refused = 0

    def apply_config(self, camera: TrackedCamera) -> None:
        """Go on with another description of the camera; another map to the floor restarts tracking."""
        before, self._camera = self._camera, camera
        if (camera.homography, camera.points, camera.image_size) != (
            before.homography,
            before.points,
            before.image_size,
        ):
            self._scene = None

    def missed(self, ready: FrameReady) -> int:
        """How many frames the camera has brought since the last one it announced, this one aside.

        It could not announce those: all that it may lend was lent.
        """
        before, self._last_sequence = self._last_sequence, ready.sequence
        return max(0, ready.sequence - before - 1) if before else 0

    def hold(self, ready: FrameReady) -> bool:
        """Keep this frame; True where an older one was given back for it. Raises messages.PeerGone."""
        overtaken = self._held
        self._held = ready
        if overtaken is not None:
            self.consumer.give_back(overtaken)
        return overtaken is not None

    def wants(self) -> bool:
        """Whether the detector has to look at the frame that waits."""
        frame = self._waiting()
        if self._watch is None or _scene_of(frame.header) != self._scene:
            return True
        return self._watch.wants(frame.brightness(), frame.header.time_s)

    def take(self) -> LeasedFrame:
        """Begin to look at the frame that waits; `track` and `give_back` come later, in the same order."""
        frame = self._waiting()
        assert self._held is not None
        self._under_way.append(self._held)
        self._held = None
        return frame

    def _waiting(self) -> LeasedFrame:
        if self._held is None:
            raise ValueError(f"camera {self._camera.name} holds no frame")
        return LeasedFrame(self._camera.name, self.consumer.ring, self._held.slot)

    def give_back(self) -> None:
        """Done with the oldest frame that was taken. Raises messages.PeerGone."""
        self.consumer.give_back(self._under_way.popleft())

    def track(self, seen: FrameDetections, now_s: float) -> list[PersonsSeen]:
        """Track the people of the oldest frame taken; records for the store process, this frame's last."""
        frame = LeasedFrame(self._camera.name, self.consumer.ring, self._under_way[0].slot)
        records = self._restart_for(frame.header)
        assert self._watch is not None
        crops, found = CropInference(self._heads, seen, frame.image), seen.found
        tracks = self._watch.see(
            frame.brightness(), found.boxes, found.scores, frame.header.time_s, crops.appearances()
        )
        return records + self._reported(frame.header, tracks, crops, now_s)

    def follow(self, now_s: float) -> list[PersonsSeen]:
        """The same for a frame that nobody looked at: people are where they are expected."""
        frame = LeasedFrame(self._camera.name, self.consumer.ring, self._under_way[0].slot)
        assert self._watch is not None
        crops = CropInference(self._heads, FrameDetections(NOTHING_FOUND), frame.image)
        return self._reported(frame.header, self._watch.follow(frame.header.time_s), crops, now_s)

    def _reported(
        self, header: FrameHeader, tracks: list[Track], crops: CropInference, now_s: float
    ) -> list[PersonsSeen]:
        assert self._watch is not None
        values, ended = self._outputs.update(tracks, crops), self._watch.ended
        name, first_id = self._camera.name, self.first_id
        records = seen_before(name, header.sequence, tracks, first_id)
        looks = self._looks.due(self._watch.tracker.looks(), header.time_s) if self._gives_embeddings else {}
        reported = persons_seen(name, header.sequence, header.time_s, tracks, ended, first_id, values, looks)
        records.append(reported)
        ids = {track.id for track in tracks if track.id is not None}
        self._highest = max(self._highest, max(ids, default=0))
        self._open = ids
        self._last = (header.sequence, header.time_s)
        self._count += 1
        self.latency_s += LATENCY_MEMORY * (now_s - header.arrived_s - self.latency_s)
        return records

    def count(self) -> int:
        """Frames tracked since the last call."""
        count, self._count = self._count, 0
        return count

    @property
    def refused(self) -> int:
        """People that the tracker could not follow because it follows as many as it may, once a frame."""
        return self._refused + (0 if self._watch is None else self._watch.tracker.refused)

    def things(self) -> str:
        """Where something looks like a person and is none, in words; empty where nothing does."""
        things = [] if self._watch is None else self._watch.tracker.things()
        if not things:
            return ""
        places = [
            f"({thing.floor_xy_m[0]:.1f}, {thing.floor_xy_m[1]:.1f}) m"
            if thing.floor_xy_m is not None
            else f"{thing.box[0] + thing.box[2] / 2:.0f}, {thing.box[1] + thing.box[3]:.0f} px"
            for thing in things[:MAX_TOLD_THINGS]
        ]
        more = f" and {len(things) - len(places)} more" if len(things) > len(places) else ""
        where = f"{', '.join(places)}{more}"
        return f"what looks like a person and never moves stands before '{self._camera.name}' at {where}"

    def close(self) -> PersonsSeen | None:
        """Give everything back; the record that ends all open tracks, if there are any."""
        ending = self._end_tracks()
        self.consumer.close()
        self._held = None
        self._under_way.clear()
        return ending

    def _restart_for(self, header: FrameHeader) -> list[PersonsSeen]:
        scene = _scene_of(header)
        if scene == self._scene:
            return []
        ending = self._end_tracks()
        self._scene = scene
        self._refused = self.refused
        size = (header.width, header.height)
        view = CameraView(*size, image_to_floor(self._camera, size))
        tracker = FloorTracker(TrackerSettings(), view, self._heads.appearance_size)
        self._watch = SceneWatch(tracker)
        self._outputs = self._heads.new_track_outputs()
        self._looks = EmbeddingReports()
        return [] if ending is None else [ending]

    def _end_tracks(self) -> PersonsSeen | None:
        """Ends all open tracks, and moves on to ids that were never used."""
        last, open_ids = self._last, sorted(self._open)
        first_id = self.first_id
        self.first_id += self._highest
        self._open, self._highest = set(), 0
        if last is None or not open_ids:
            return None
        return persons_seen(self._camera.name, *last, (), open_ids, first_id)


def _scene_of(header: FrameHeader) -> tuple[int, int, int]:
    """What tracking starts afresh with another of."""
    return header.width, header.height, header.loop
