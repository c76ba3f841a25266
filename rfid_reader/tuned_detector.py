"""Flip detectors with the threshold that this store's own trial chose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips import Detector, make_detector
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.activity import FEATURES
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.network import load_network


@cache
def usual_rules() -> EventRules:
    """The rules that the production detector was shipped with."""
    return load_network("production", FEATURES)[1]


def usual_threshold() -> float:
    """The score at which a flip begins in a store that has had no trial."""
    return usual_rules().start


def tuned_detector(calibration: AntennaCalibration, threshold: float) -> Detector:
    """The production detector, beginning a flip at `threshold`; it ends at the same share of it as usual."""
    usual = usual_rules()
    rules = replace(usual, start=threshold, stop=usual.stop * threshold / usual.start)
    return ProductionDetector(calibration, rules=rules)


def detector_for(method: str, calibration: AntennaCalibration | None = None) -> Detector:
    """A detector by name, at the threshold of the calibration's trial if it has one. Raises ReaderError."""
    if method == "production" and calibration is not None and calibration.trial is not None:
        return tuned_detector(calibration, calibration.trial.threshold)
    return make_detector(method, calibration)
