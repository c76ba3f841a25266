"""In which order garments hang, from a recording in which each was turned over once, from left to right.

The order comes from the reads alone: the moment at which the flip detector is surest of each garment. A
pause longer than RACK_PAUSE_S begins the next rack.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips import DetectedFlip

RACK_PAUSE_S = 12.0


@dataclass(frozen=True)
class LearnedRack:
    """Garments in the order in which they were turned, and the antenna that hears most of them best."""

    antenna: int
    epcs: tuple[str, ...]


def learn_racks(flips: list[DetectedFlip], calibration: AntennaCalibration) -> list[LearnedRack]:
    """Racks in the order in which they were gone along. A garment turned more than once counts where the
    detector was surest.
    """
    surest: dict[str, DetectedFlip] = {}
    for flip in flips:
        if flip.epc not in surest or flip.score > surest[flip.epc].score:
            surest[flip.epc] = flip
    racks: list[list[DetectedFlip]] = []
    for flip in sorted(surest.values(), key=_middle_s):
        if not racks or _middle_s(flip) - _middle_s(racks[-1][-1]) > RACK_PAUSE_S:
            racks.append([])
        racks[-1].append(flip)
    return [_learned(rack, calibration) for rack in racks]


def _middle_s(flip: DetectedFlip) -> float:
    return (flip.start_s + flip.end_s) / 2


def _learned(rack: list[DetectedFlip], calibration: AntennaCalibration) -> LearnedRack:
    epcs = tuple(flip.epc for flip in rack)
    heard = Counter(calibration.strongest[epc] for epc in epcs if epc in calibration.strongest)
    return LearnedRack(heard.most_common(1)[0][0] if heard else 0, epcs)
