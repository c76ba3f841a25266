"""New tracks that might be somebody known: how long they wait before that is decided."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.store.people.looks import Vector
from runtime.store.people.motion import Position, RecentMotion

PROBATION_S = 0.7
SLOW_PROBATION_S = 2.5
"""Where the camera has not looked again by then. Its next frame shows whether the person who a track might be
is there beside it; without that two who come in together would be taken for one at a frame a second."""
OVERLAP_S = 0.3
"""How long a dying track and its successor may both be reported by one camera."""


@dataclass
class PendingTrack:
    """A track that waits, with all that was seen of it."""

    motion: RecentMotion
    positions: list[Position]
    looks: Vector | None = None
    alone: bool | None = None
    """Whether no person came into question when the track began; None before that was asked."""
    ended: bool = False
    hurried: bool = False
    """Too many wait: decide now."""
    looked_again: bool = False
    """Whether the camera has shown another frame since."""

    @property
    def born_s(self) -> float:
        return self.positions[0].time_s

    def is_over(self, time_s: float) -> bool:
        """Whether it has waited long enough, or waiting tells nothing."""
        waited_s = time_s - self.born_s
        if self.alone or self.ended or self.hurried:
            return True
        return waited_s >= (PROBATION_S if self.looked_again else SLOW_PROBATION_S)

    def beside(self, other: PendingTrack) -> bool:
        """Whether one camera showed both at once, so that they are two people."""
        return (
            self.born_s < other.positions[-1].time_s - OVERLAP_S
            and other.born_s < self.positions[-1].time_s - OVERLAP_S
        )
