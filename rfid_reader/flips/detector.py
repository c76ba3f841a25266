"""What every flip detector offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rfid_reader.reads import ReadTable


@dataclass(frozen=True)
class DetectedFlip:
    """A garment was handled from start_s to end_s (UTC seconds); score from 0 to 1.

    antenna: the one that has read the tag most often.
    """

    epc: str
    start_s: float
    end_s: float
    score: float
    antenna: int = 0


class Detector(Protocol):
    """A streaming, causal flip detector.

    The same reads in the same order give the same flips, however they are cut into batches.
    """

    latency_s: float
    """Longest time from a flip's end until it is said, while reads keep coming."""

    def feed(self, reads: ReadTable) -> list[DetectedFlip]:
        """Take reads in the order of arrival; returns the flips that are certain now."""

    def advance(self, time_s: float) -> list[DetectedFlip]:
        """Say that time has passed (UTC seconds) even though no reads came."""

    def finish(self) -> list[DetectedFlip]:
        """No more reads: returns what was still open."""

    def insufficient(self) -> list[str]:
        """EPCs that have been read too seldom to be judged, sorted."""

    def prefer(self, in_stock: Callable[[str], bool]) -> None:
        """Keep places for the store's own tags; in_stock says of an EPC whether it is one."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences for people about what its reads do not allow."""

    @property
    def reads_refused(self) -> int:
        """Reads of tags beyond those it can keep apart: they are not judged."""

    @property
    def reads_waiting(self) -> int:
        """Reads of tags that were read once only, while there are too many of those: they are not judged."""

    @property
    def reads_unreferenced(self) -> int:
        """Reads of cells (tag, antenna, channel) beyond those it can keep a reference of: judged worse, or
        not at all."""
