"""Tracking of people before one camera, in floor metres and seconds.

settings      what is assumed about people and detectors
view          what a camera sees: cut and covered boxes, the image-to-floor map
stature       people's height as a ruler: where hidden feet must be
motion        the Kalman filter on the floor, for many tracks at once
association   which box is which track
tracker       FloorTracker: births, confirmation, coasting, ends
"""

from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.tracker import FloorTracker, Sighting, Track
from runtime.vision.track.view import CameraView

__all__ = ["CameraView", "FloorTracker", "Sighting", "Track", "TrackerSettings"]
