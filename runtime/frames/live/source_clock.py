"""When a network camera's picture was taken. Pure: stamp and arrival in, host time out.

A camera's stamps are better than arrivals as long as they are right: they do not jitter, and they tell a
picture that waited in a stalled network from a new one. Wrong ones are common: outliers hours off, stamps
that stand still or jump, a clock that runs at another rate. What tells the two apart is how the pictures
arrive. A picture cannot arrive before it was taken, and it can be late only by what it waited behind a
silence (`runtime.frames.live.backlog`). A stamp that claims anything else is not believed: the arrival
counts.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from enum import Enum

from runtime.frames.live.backlog import Backlog, Rate

MARGIN_S = 0.05
"""How late a picture may be that no silence explains: jitter of the network and of the camera."""
EXPLAINED = 1.1
"""Lateness that is believed, as a multiple of what silences explain."""
FAR_S = 0.3
"""A stamp that lies further outside of what can be is an outlier or a jump; a nearer one moves the offset."""
AGREEING = 3
"""So many such stamps in a row that agree with each other are a jump: the camera's clock was set."""
DRIFT = 500e-6
"""Seconds a second by which the offset may grow unnoticed: clocks that are merely bad."""
NOTABLE_DRIFT = 0.03
"""A stamp that falls behind by more than this share of the time since the one before is a wrong one."""
MEMORY = 1 / 16
"""Weight of the newest stamp in the share of wrong ones."""
DISTRUST, TRUST = 0.5, 0.2
"""Share of wrong stamps above which none is used, and below which they are used again."""
REMEMBERED = 500
"""Stamps that a remark is about."""
WORTH_A_REMARK = 3
"""Wrong stamps among them from which on they are spoken of."""


class Verdict(Enum):
    """What becomes of a stamp; the values are words for people."""

    GOOD = "good"
    MISSING = "are missing"
    STILL = "stand still"
    JUMP = "jump"
    BEHIND = "fall behind"


class SourceClock:
    """Maps a camera's stamps to the host's timeline; one for each connection.

    The least difference between arrival and stamp is the offset; the stamps' rate is corrected where it is
    steadily wrong.
    """

    def __init__(self) -> None:
        self.trusted = True
        """Whether stamps are used; else every picture is taken to be new when it arrives."""
        self._backlog = Backlog()
        self._rate = Rate()
        self._stamp_s: float | None = None
        self._newest_s: float | None = None
        self._corrected_s = self._late_s = 0.0
        self._offset_s = 0.0
        self._candidate: tuple[float, float] | None = None
        self._agreeing = 0
        self._arrived_s: float | None = None
        self._time_s = -math.inf
        self._wrong = 0.0
        self._verdicts: deque[Verdict] = deque(maxlen=REMEMBERED)
        self._counts: Counter[Verdict] = Counter()

    def host_time(self, stamp_s: float | None, arrived_s: float) -> float:
        """When the picture stamped `stamp_s` (seconds; None if it has no stamp) was taken, host seconds.

        Never later than `arrived_s`, and never before the picture before it.
        """
        gap_s = 0.0 if self._arrived_s is None else max(0.0, arrived_s - self._arrived_s)
        first = self._arrived_s is None
        self._arrived_s = arrived_s
        if not first:
            self._backlog.arrived(gap_s)
        verdict, time_s = self._judge(stamp_s, arrived_s, gap_s)
        self._remember(verdict)
        if not self.trusted:
            time_s = arrived_s
        elif verdict not in (Verdict.GOOD, Verdict.BEHIND):
            earliest_s = arrived_s - self._backlog.lateness_s - MARGIN_S
            time_s = max(earliest_s, self._time_s + self._backlog.interval_s)
        self._time_s = min(arrived_s, max(self._time_s, time_s))
        return self._time_s

    @property
    def remark(self) -> str:
        """What is wrong with the stamps, in words; empty if nothing."""
        if not self.trusted:
            worst = max(_WRONG, key=lambda verdict: self._counts[verdict])
            return f"the camera's time stamps {worst.value}: pictures are timed by their arrival"
        percent = round(100 * (self._rate.rate - 1.0))
        if percent:
            pace = "fast" if percent > 0 else "slow"
            return f"the camera's clock runs {abs(percent)} % {pace}: its time stamps are corrected"
        wrong = sum(self._counts[verdict] for verdict in (Verdict.MISSING, Verdict.STILL, Verdict.JUMP))
        if wrong < WORTH_A_REMARK:
            return ""
        one_in = float(f"{len(self._verdicts) / wrong:.1g}")
        return f"about 1 in {one_in:.0f} of the camera's time stamps is wrong and is not used"

    def _judge(self, stamp_s: float | None, arrived_s: float, gap_s: float) -> tuple[Verdict, float]:
        """What to make of the stamp, and the time it stands for."""
        if stamp_s is None or not math.isfinite(stamp_s):
            return Verdict.MISSING, arrived_s
        still, self._newest_s = stamp_s == self._newest_s, stamp_s
        if still:
            return Verdict.STILL, arrived_s
        if self._stamp_s is None:
            self._anchor(stamp_s, arrived_s)
            self._forget()
            return Verdict.GOOD, arrived_s
        step_s = stamp_s - self._stamp_s
        corrected_s = self._corrected_s + step_s / self._rate.rate
        offset_s = self._offset_s + (0.0 if self._backlog.is_held_up else DRIFT * gap_s)
        late_s = arrived_s - corrected_s - offset_s
        most_s = EXPLAINED * self._backlog.lateness_s + MARGIN_S
        if self._backlog.is_held_up:
            # While a backlog drains, stamps know better than arrivals how much of it is left.
            most_s = max(most_s, self._late_s)
        if not -FAR_S <= late_s <= most_s + FAR_S:
            return Verdict.JUMP, self._jumped(stamp_s, arrived_s)
        self._candidate = None
        self._rate.passed(stamp_s, arrived_s, late_s)
        verdict = Verdict.GOOD
        if late_s > most_s:
            behind_s = late_s - most_s
            verdict = Verdict.BEHIND if behind_s > NOTABLE_DRIFT * gap_s else Verdict.GOOD
            late_s = most_s
        late_s = max(0.0, late_s)
        self._stamp_s, self._corrected_s, self._late_s = stamp_s, corrected_s, late_s
        self._offset_s = arrived_s - corrected_s - late_s
        self._backlog.seen(late_s, step_s / self._rate.rate, arrived_s)
        return verdict, arrived_s - late_s

    def _jumped(self, stamp_s: float, arrived_s: float) -> float:
        """A stamp that cannot be; the clock was set where some in a row agree. Returns the time."""
        before, self._candidate = self._candidate, (stamp_s, arrived_s)
        if before is None:
            self._agreeing = 1
            return arrived_s
        step_s, gap_s = stamp_s - before[0], arrived_s - before[1]
        agrees = step_s > 0 and abs(step_s / self._rate.rate - gap_s) <= FAR_S
        self._agreeing = self._agreeing + 1 if agrees else 1
        if self._agreeing >= AGREEING:
            self._anchor(stamp_s, arrived_s)
        return arrived_s

    def _anchor(self, stamp_s: float, arrived_s: float) -> None:
        """Begin anew: this stamp is of now."""
        self._stamp_s = self._corrected_s = stamp_s
        self._late_s = 0.0
        self._offset_s = arrived_s - stamp_s
        self._candidate = None
        self._backlog.seen(0.0, 0.0, arrived_s)
        self._rate.begin(stamp_s, arrived_s)

    def _forget(self) -> None:
        """The first pictures of a connection may have no stamps: nothing is wrong with that."""
        self._verdicts.clear()
        self._counts.clear()
        self._wrong = 0.0

    def _remember(self, verdict: Verdict) -> None:
        oldest = self._verdicts[0] if len(self._verdicts) == REMEMBERED else None
        self._verdicts.append(verdict)
        if oldest is not verdict:
            self._counts[verdict] += 1
            if oldest is not None:
                self._counts[oldest] -= 1
        self._wrong += MEMORY * ((verdict is not Verdict.GOOD) - self._wrong)
        self.trusted = self._wrong < (DISTRUST if self.trusted else TRUST)


_WRONG = (Verdict.JUMP, Verdict.STILL, Verdict.BEHIND, Verdict.MISSING)
