"""Flip detectors with the threshold that this store's own trial chose."""

from __future__ import annotations

from dataclasses import replace

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips import Detector, make_detector
from rfid_reader.flips.production import RULES, ProductionDetector

DEFAULT_THRESHOLD = RULES.start


def tuned_detector(calibration: AntennaCalibration, threshold: float) -> Detector:
    """The production detector, beginning a flip at `threshold`; it ends at the same share of it as usual."""
    rules = replace(RULES, start=threshold, stop=RULES.stop * threshold / RULES.start)
    return ProductionDetector(calibration, rules=rules)


def detector_for(method: str, calibration: AntennaCalibration | None = None) -> Detector:
    """A detector by name, at the threshold of the calibration's trial if it has one. Raises ReaderError."""
    if method == "production" and calibration is not None and calibration.trial is not None:
        return tuned_detector(calibration, calibration.trial.threshold)
    return make_detector(method, calibration)
