"""Handled garments out of tag reads.

Three detectors share one shape (`detector.Detector`): feed reads, get flips, causally and streaming.

- `js`: the published reference. Per tag and antenna, the spectrum of RSSI and phase in a window, and how far
  its distribution is from the previous window's (Jensen-Shannon divergence).
- `raw`: the values of RSSI and phase themselves, the baseline the reference was compared with.
- `production`: the one a store should use.

`make_detector` picks one by name.
"""

from rfid_reader.flips.detector import DetectedFlip, Detector
from rfid_reader.flips.methods import METHODS, make_detector

__all__ = ["METHODS", "DetectedFlip", "Detector", "make_detector"]
