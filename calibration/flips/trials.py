""" "Turn these ten garments now": what the flip detector finds in this very store, and which threshold
suits it.

The technician is told which garment to turn and says when it hangs again. Everything outside those times,
and every other garment at any time, is still: what is found there is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.errors import CalibrationError
from rfid_reader.antenna_calibration import AntennaCalibration, FlipTrial
from rfid_reader.flips import DetectedFlip
from rfid_reader.reads import ReadTable
from rfid_reader.tuned_detector import tuned_detector, usual_threshold

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MARGIN_S = 1.5
"""A flip belongs to a turn if it overlaps it by less than this much early or late: people start late and
end early.
"""
LEAST_TURNS = 3
LEAST_RATE_HZ = 1.0


@dataclass(frozen=True)
class HandlingTrial:
    """One garment, from when it was asked for until it hung again (UTC seconds)."""

    epc: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Tried:
    """What one threshold finds: garments turned and found, and false alarms an hour of one tag's time."""

    threshold: float
    found: int
    turned: int
    false_alarms: int
    tag_hours: float

    @property
    def recall(self) -> float:
        return self.found / self.turned

    @property
    def f1(self) -> float:
        return 2 * self.found / max(1, self.found + self.turned + self.false_alarms)


def choose_garments(calibration: AntennaCalibration, count: int) -> list[str]:
    """`count` garments that are read often enough, from all antennas in turn, spread over the read rates."""
    by_antenna: dict[int, list[str]] = {}
    for epc in sorted(calibration.rates, key=lambda epc: (-calibration.rates[epc], epc)):
        if calibration.rates[epc] >= LEAST_RATE_HZ:
            by_antenna.setdefault(calibration.strongest[epc], []).append(epc)
    if not by_antenna:
        raise CalibrationError(
            f"no tag is read {LEAST_RATE_HZ:g} times a second; flips cannot be seen before more antennas "
            "or a faster mode read them more often"
        )
    share = -(-count // len(by_antenna))
    picked = []
    for epcs in by_antenna.values():
        places = np.unique(np.linspace(0, len(epcs) - 1, min(share, len(epcs))).round().astype(int))
        picked.append([epcs[place] for place in places.tolist()])
    in_turn = [epcs[row] for row in range(share) for epcs in picked if row < len(epcs)]
    return in_turn[:count]


def score_turns(
    flips: Sequence[DetectedFlip], turns: Sequence[HandlingTrial], threshold: float, tag_hours: float
) -> Tried:
    """A turn is found if a flip of its garment overlaps it; a second one in the same turn is neither right
    nor wrong.
    """
    found: set[int] = set()
    false_alarms = 0
    for flip in flips:
        fitting = [
            number
            for number, turn in enumerate(turns)
            if turn.epc == flip.epc
            and flip.start_s < turn.end_s + MARGIN_S
            and flip.end_s > turn.start_s - MARGIN_S
        ]
        found.update(fitting[:1])
        false_alarms += not fitting
    return Tried(threshold, len(found), len(turns), false_alarms, tag_hours)


def find_flips(reads: ReadTable, calibration: AntennaCalibration, threshold: float) -> list[DetectedFlip]:
    """What the store's detector finds in a recording at a threshold."""
    detector = tuned_detector(calibration, threshold)
    return [*detector.feed(reads.in_time_order()), *detector.finish()]


def try_thresholds(
    reads: ReadTable, turns: Sequence[HandlingTrial], calibration: AntennaCalibration
) -> list[Tried]:
    """Judge the recording at each of THRESHOLDS and the usual one. Raises CalibrationError if too short."""
    if len(turns) < LEAST_TURNS:
        raise CalibrationError(f"{len(turns)} garments were turned; at least {LEAST_TURNS} would be right")
    if not len(reads):
        raise CalibrationError("nothing was read while the garments were turned")
    hours = float(reads.time_s.max() - reads.time_s.min()) / 3600
    tag_hours = hours * len(np.unique(reads.epc))
    return [
        score_turns(find_flips(reads, calibration, threshold), turns, threshold, tag_hours)
        for threshold in sorted({*THRESHOLDS, usual_threshold()})
    ]


def best_of(tried: Sequence[Tried]) -> Tried:
    """The best F1; among equals the one nearest to the usual threshold, since ten garments say little."""
    usual = usual_threshold()
    return max(tried, key=lambda one: (one.f1, -abs(one.threshold - usual), one.threshold))


def as_trial(chosen: Tried) -> FlipTrial:
    """The figures as they are kept in the calibration file."""
    return FlipTrial(
        chosen.threshold,
        chosen.turned,
        chosen.found,
        chosen.false_alarms,
        round(chosen.tag_hours, 3),
    )
