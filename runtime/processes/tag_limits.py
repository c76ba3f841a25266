"""A reader that reads more tags than can be followed: said while it lasts."""

from __future__ import annotations

from rfid_reader.flips import Detector
from rfid_reader.flips.tag_rows import AGAIN_S, MAX_TAGS

LASTS_S = 60.0


class TagLimits:
    """Remembers when a detector last had to leave reads aside for want of a place."""

    def __init__(self) -> None:
        self._waiting = self._refused = 0
        self._waited_s = self._refused_s = float("-inf")

    def remarks(self, detector: Detector, now_s: float) -> list[str]:
        """Sentences on what a detector left aside in the last LASTS_S; now_s is monotonic."""
        if detector.reads_waiting > self._waiting:
            self._waited_s = now_s
        if detector.reads_refused > self._refused:
            self._refused_s = now_s
        self._waiting, self._refused = detector.reads_waiting, detector.reads_refused
        found = []
        if now_s - self._waited_s < LASTS_S:
            found.append(
                "more tags are read than can be followed, many of them once (ghost reads, or invented "
                f"EPCs): those that are read again within {AGAIN_S:g} s and those on sale are judged"
            )
        if now_s - self._refused_s < LASTS_S:
            found.append(
                f"{MAX_TAGS} tags are being read, more than one reader can be judged for: later ones are "
                "not; lower the power, or give the antennas to two readers"
            )
        return found
