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

from runtime.frames.live.backlog import HELD_UP_S, Backlog, Rate

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

    __slots__ = (
        "_agreeing",
        "_arrived_s",
        "_backlog",
        "_believed",
        "_candidate",
        "_corrected_s",
        "_counted_from",
        "_late_s",
        "_newest_s",
        "_offset_s",
        "_pictures",
        "_rate",
        "_stamp_s",
        "_time_s",
        "_wrong",
        "_wrong_ones",
        "trusted",
    )

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
        self._pictures = self._believed = self._counted_from = 0
        self._wrong = 0.0
        self._wrong_ones: deque[tuple[int, Verdict]] = deque(maxlen=REMEMBERED)
        """Number of the picture and what was wrong with its stamp."""

    def host_time(self, stamp_s: float | None, arrived_s: float) -> float:
        """When the picture stamped `stamp_s` (seconds; None if it has no stamp) was taken, host seconds.

        Never later than `arrived_s`, and never before the picture before it.
        """
        before_s, self._arrived_s = self._arrived_s, arrived_s
        if before_s is None:
            gap_s = 0.0
        else:
            gap_s = arrived_s - before_s if arrived_s > before_s else 0.0
            self._backlog.arrived(gap_s)
        verdict, time_s = self._judge(stamp_s, arrived_s, gap_s)
        self._pictures += 1
        # Of good stamps in a row nothing is kept: this runs for every picture.
        if self._wrong or verdict is not Verdict.GOOD:
            self._remember(verdict)
            time_s = self._despite(verdict, time_s, arrived_s)
        self._time_s = min(arrived_s, max(self._time_s, time_s))
        return self._time_s

    @property
    def remark(self) -> str:
        """What is wrong with the stamps, in words; empty if nothing."""
        if self.trusted and not self._wrong_ones and self._rate.rate == 1.0:
            return ""
        counts = self._counts()
        if not self.trusted:
            worst = max(_WRONG, key=lambda verdict: counts[verdict])
            return f"the camera's time stamps {worst.value}: pictures are timed by their arrival"
        percent = round(100 * (self._rate.rate - 1.0))
        if percent:
            pace = "fast" if percent > 0 else "slow"
            return f"the camera's clock runs {abs(percent)} % {pace}: its time stamps are corrected"
        wrong = sum(counts[verdict] for verdict in (Verdict.MISSING, Verdict.STILL, Verdict.JUMP))
        if wrong < WORTH_A_REMARK:
            return ""
        told = min(self._pictures - self._counted_from, REMEMBERED)
        one_in = float(f"{told / wrong:.1g}")
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
        backlog, rate = self._backlog, self._rate
        step_s = (stamp_s - self._stamp_s) / rate.rate
        corrected_s = self._corrected_s + step_s
        most_s = EXPLAINED * backlog.lateness_s + MARGIN_S
        late_s = arrived_s - corrected_s - self._offset_s
        if not backlog.is_held_up:
            late_s -= DRIFT * gap_s
        elif self._late_s > most_s:
            # While a backlog drains, stamps know better than arrivals how much of it is left.
            most_s = self._late_s
        if not -FAR_S <= late_s <= most_s + FAR_S:
            return Verdict.JUMP, self._jumped(stamp_s, arrived_s)
        self._candidate = None
        self._believed += 1
        if arrived_s >= rate.due_s or late_s > HELD_UP_S:
            rate.passed(stamp_s, arrived_s, late_s, self._believed)
        verdict = Verdict.GOOD
        if late_s > most_s:
            if late_s - most_s > NOTABLE_DRIFT * gap_s:
                verdict = Verdict.BEHIND
            late_s = most_s
        elif late_s < 0.0:
            late_s = 0.0
        time_s = arrived_s - late_s
        self._stamp_s, self._corrected_s, self._late_s = stamp_s, corrected_s, late_s
        self._offset_s = time_s - corrected_s
        backlog.seen(late_s, step_s, arrived_s)
        return verdict, time_s

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
        self._rate.begin(stamp_s, arrived_s, self._believed)

    def _despite(self, verdict: Verdict, time_s: float, arrived_s: float) -> float:
        """The time of a picture where stamps are wrong, now or lately."""
        if not self.trusted:
            return arrived_s
        if verdict in (Verdict.GOOD, Verdict.BEHIND):
            return time_s
        earliest_s = arrived_s - self._backlog.lateness_s - MARGIN_S
        return max(earliest_s, self._time_s + self._backlog.interval_s)

    def _forget(self) -> None:
        """The first pictures of a connection may have no stamps: nothing is wrong with that."""
        self._wrong_ones.clear()
        self._counted_from = self._pictures
        self._wrong = 0.0
        self.trusted = True

    def _remember(self, verdict: Verdict) -> None:
        if verdict is not Verdict.GOOD:
            self._wrong_ones.append((self._pictures, verdict))
        self._wrong += MEMORY * ((verdict is not Verdict.GOOD) - self._wrong)
        self.trusted = self._wrong < (DISTRUST if self.trusted else TRUST)

    def _counts(self) -> Counter[Verdict]:
        """How often each fault has been seen among the last `REMEMBERED` stamps."""
        since = self._pictures - REMEMBERED
        return Counter(verdict for picture, verdict in self._wrong_ones if picture > since)


_WRONG = (Verdict.JUMP, Verdict.STILL, Verdict.BEHIND, Verdict.MISSING)
