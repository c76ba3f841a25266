"""Other trackers on the same boxes: those of the package `trackers` (Apache-2.0).

The package asks for OpenCV with windows, which takes the place of the one without: it is to be installed by
`pip install --no-deps trackers trackeval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.vision.track.clips import LabelledClip
from runtime.vision.track import TrackerSettings
from runtime.vision.tracklog import TrackRow

PEERS = {
    "SORT": "SORTTracker",
    "OC-SORT": "OCSORTTracker",
    "ByteTrack": "ByteTrackTracker",
    "BoT-SORT": "BoTSORTTracker",
}
"""Name -> class. BoT-SORT has neither its camera motion, for these cameras stand still, nor appearance."""


def peers() -> tuple[str, ...]:
    """The names of the trackers that are installed here."""
    try:
        import supervision  # noqa: F401
        import trackers  # noqa: F401
    except ImportError:
        return ()
    return tuple(PEERS)


def track(name: str, clip: LabelledClip, frames: Sequence[int]) -> list[TrackRow]:
    """What that tracker makes of the clip's boxes in `frames`, told the rate at which it gets them."""
    import supervision
    import trackers

    kind: Any = getattr(trackers, PEERS[name])
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    tracker = kind() if name == "SORT" else _at_rate(kind, clip.fps / step)
    black = np.zeros((clip.size[1], clip.size[0], 3), np.uint8)
    rows: list[TrackRow] = []
    for frame in frames:
        boxes, scores = clip.found[frame].boxes, clip.found[frame].scores
        kept = scores >= TrackerSettings.weak_score
        seen = supervision.Detections(
            xyxy=np.asarray(boxes[kept], np.float32).reshape(-1, 4),
            confidence=np.asarray(scores[kept], np.float32),
            class_id=np.zeros(np.count_nonzero(kept), int),
        )
        told = tracker.update(seen, black) if name == "BoT-SORT" else tracker.update(seen)
        if told.tracker_id is None:
            continue
        for number, (left, top, right, bottom) in zip(
            told.tracker_id.tolist(), told.xyxy.tolist(), strict=True
        ):
            if number >= 0:
                box = (left, top, right - left, bottom - top)
                rows.append(TrackRow(frame, frame / clip.fps, number, box, 1.0, None))
    return rows


def _at_rate(kind: Any, fps: float) -> Any:
    return kind(frame_rate=fps)
