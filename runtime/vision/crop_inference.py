"""Secondary inference: what the heads say of the people in a frame, as the GPU said it or else by the CPU.

heads = Heads(open_heads(...))
outputs = heads.new_track_outputs()                      # once a tracker
crops = CropInference(heads, detections, fetch_image)    # once a frame
tracks = tracker.update(boxes, scores, time_s, crops.appearances())
values = outputs.update(tracks, crops)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engines.inference.detector import Detections
from runtime.geometry import Floats
from runtime.vision.heads.aggregation import Aggregation, Values
from runtime.vision.heads.head import Image, OpenHead, Rows
from runtime.vision.track import Track, TrackerSettings
from runtime.vision.track.association import NO_MATCH, pair_up
from runtime.vision.track.view import box_iou

MIN_IOU = 0.5
"""A track whose box has less IoU than this with every detection: the GPU has not looked at it."""

HeadValues = Mapping[str, Mapping[int, Values]]
"""By head and track id: what is known of that person."""


@dataclass(frozen=True)
class FrameDetections:
    """The persons of a frame (n boxes), and what heads on the GPU said of each.

    `outputs` are rows (n, m) by head, nan where it did not look; a head that did not run is not among them.
    """

    found: Detections
    outputs: Mapping[str, Rows] = field(default_factory=dict)


class Heads:
    """The heads that are on. Used by one thread."""

    def __init__(self, opened: Sequence[OpenHead] = ()) -> None:
        self.all = tuple(opened)
        self.appearance = next((one for one in opened if one.head.for_tracker), None)
        self.on_tracks = tuple(one for one in opened if not one.head.for_tracker)

    @property
    def idle(self) -> bool:
        """Whether none is on, and no image is needed."""
        return not self.all

    @property
    def appearance_size(self) -> int:
        """What the tracker is to be made with."""
        return 0 if self.appearance is None else self.appearance.model.size

    @property
    def gives_embeddings(self) -> bool:
        """Whether a network says how people look, so that it compares from camera to camera."""
        return self.appearance is not None and self.appearance.network is not None

    def new_track_outputs(self) -> TrackOutputs:
        """For a tracker that begins."""
        return TrackOutputs(self)


NO_HEADS = Heads()


class CropInference:
    """The heads on one frame. The image is fetched once, and only where the CPU has to look."""

    def __init__(self, heads: Heads, detections: FrameDetections, fetch: Callable[[], Image]) -> None:
        self._heads = heads
        self._found, self._outputs = detections.found, detections.outputs
        self._fetch = fetch
        self._fetched: Image | None = None

    def appearances(self, min_score: float = TrackerSettings.weak_score) -> Floats | None:
        """Embeddings (n, k) of all detections, for the tracker; None where they are not wanted.

        Boxes below `min_score`, which the tracker drops, are not looked at and have zeros, as have boxes that
        show nothing: like nobody, unlike nobody.
        """
        opened = self._heads.appearance
        if opened is None:
            return None
        on_gpu = self._outputs.get(opened.head.name)
        if on_gpu is None:
            vectors = np.full((len(self._found), opened.model.size), np.nan)
        else:
            vectors = on_gpu.astype(np.float64)
        wanted = self._found.scores >= min_score
        vectors[~wanted] = 0.0
        missing = wanted & np.isnan(vectors).any(1)
        if missing.any():
            vectors[missing] = opened.model.infer(self._image(), self._found.boxes[missing])
        known: Floats = np.nan_to_num(vectors)
        return known

    def of_tracks(self, opened: OpenHead, seen: Sequence[Track]) -> dict[int, Floats]:
        """A head's outputs (m,) of confirmed people in sight, by track id; only of those it could look at.

        The GPU has looked at detections, the CPU looks at tracks, whose boxes are smoothed.
        """
        found = self._on_gpu(opened, seen)
        rest = [track for track in seen if track.id not in found]
        if rest:
            rows = opened.model.infer(self._image(), _corners(rest)).astype(np.float64)
            for track, row in zip(rest, rows, strict=True):
                if track.id is not None and not np.isnan(row).any():
                    found[track.id] = row
        return found

    def _on_gpu(self, opened: OpenHead, seen: Sequence[Track]) -> dict[int, Floats]:
        """What the GPU said of the detections that these tracks were seen by."""
        rows, boxes = self._outputs.get(opened.head.name), np.asarray(self._found.boxes, np.float64)
        if rows is None or not seen or not len(boxes):
            return {}
        iou = np.nan_to_num(box_iou(_corners(seen), boxes))
        known = (iou >= MIN_IOU) & ~np.isnan(rows).any(1)
        whose, which = pair_up(np.where(known, 1.0 - iou, NO_MATCH))
        return {
            track_id: rows[detection].astype(np.float64)
            for track, detection in zip(whose.tolist(), which.tolist(), strict=True)
            if (track_id := seen[track].id) is not None
        }

    def _image(self) -> Image:
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched


class TrackOutputs:
    """What the heads say of the people of one tracker, aggregated over their tracks."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._states: dict[str, dict[int, Aggregation]] = {one.head.name: {} for one in heads.on_tracks}

    def update(self, tracks: Iterable[Track], crops: CropInference) -> HeadValues:
        """Run the heads on a frame's confirmed people in sight; what is known of each of these now."""
        if not self._states:
            return {}
        people = [track for track in tracks if track.id is not None]
        seen = [track for track in people if track.unseen_s == 0.0]
        alive = {track.id for track in people}
        values: dict[str, dict[int, Values]] = {}
        for opened in self._heads.on_tracks:
            name, rows = opened.head.name, crops.of_tracks(opened, seen)
            states = self._states[name]
            for gone in states.keys() - alive:
                del states[gone]
            values[name] = {}
            for track in seen:
                assert track.id is not None
                state = states.setdefault(track.id, opened.head.aggregation())
                if (known := state.add(rows.get(track.id))) is not None:
                    values[name][track.id] = known
        return values


def _corners(tracks: Sequence[Track]) -> Floats:
    """Boxes (n, 4) left, top, right, bottom px."""
    corners = np.array([track.box for track in tracks])
    corners[:, 2:] += corners[:, :2]
    return corners
