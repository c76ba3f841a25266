"""People in a video: how many are in view, and who is new."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from tagsight import CameraView, FloorTracker, PersonDetector, TrackerSettings


def main(path: str, seconds: float) -> None:
    """Print a line a second of the video's first so many seconds."""
    video = cv2.VideoCapture(path)
    width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    fps = video.get(cv2.CAP_PROP_FPS) or 25.0
    detector = PersonDetector.open()
    # With a Homography (image to floor) in the place of None, people are followed in metres.
    tracker = FloorTracker(TrackerSettings(), CameraView(width, height, None))
    known: set[int] = set()
    for index in range(int(seconds * fps)):
        there, image = video.read()
        if not there:
            break
        found = detector.detect(np.asarray(image, np.uint8))
        tracks = tracker.update(found.boxes, found.scores, index / fps)
        here = {track.id for track in tracks if track.id is not None}
        if index % round(fps) == 0:
            print(f"{index / fps:5.1f} s: {len(here)} in view, new: {sorted(here - known) or 'nobody'}")
        known |= here
    print(f"{len(known)} people")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
