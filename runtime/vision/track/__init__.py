"""Tracking of people before one camera, in floor metres and seconds.

settings      what is assumed about people and detectors
plane         the image-to-floor map, with the local scale
view          what a camera sees: boxes, and what truncates or occludes them
stature       people's height as a ruler: where occluded feet must be
motion        the Kalman filter on the floor, for many tracks at once
association   which box is which track
appearance    colours, where the config wants them in the cost
liveliness    change in the picture that tells people who stand from things
candidates    boxes of a frame that may be people, with their position
confirmation  which tracks are people, and which were not after all
people        what is said of people, and the table of tracks
scene         whether somebody may be new, people are known, or nobody is there
tracker       FloorTracker: births, confirmation, coasting, ends
watch         SceneWatch: which frames the detector has to look at
"""

from runtime.vision.track.liveliness import Liveliness
from runtime.vision.track.people import Sighting, Track
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.tracker import FloorTracker
from runtime.vision.track.view import CameraView
from runtime.vision.track.watch import SceneWatch

__all__ = ["CameraView", "FloorTracker", "Liveliness", "SceneWatch", "Sighting", "Track", "TrackerSettings"]
