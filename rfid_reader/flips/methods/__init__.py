"""Flip detectors by name."""

from __future__ import annotations

import importlib

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.errors import ReaderError
from rfid_reader.flips.detector import Detector

METHODS = ("js", "raw", "production")


def make_detector(method: str, calibration: AntennaCalibration | None = None) -> Detector:
    """A detector by name, `METHODS`. Raises ReaderError for another name."""
    if method not in METHODS:
        raise ReaderError(f"method {method!r} is unknown; {', '.join(METHODS)} would be right")
    module = importlib.import_module(f"rfid_reader.flips.methods.{method}")
    detector: Detector = getattr(module, f"{method.title()}Detector")(calibration)
    return detector
