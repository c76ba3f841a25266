"""From a score per tag and tick to flips: hysteresis, a shortest and a longest length, one strongest at a
time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.detector import DetectedFlip


@dataclass(frozen=True)
class EventRules:
    """A flip starts where a score reaches `start` and ends once it stays below `stop` for `quiet_s`.

    It must reach `start` on `least_ticks` ticks. One that lasts longer than `longest_s` is ended there. Of
    flips of one group that overlap within `rival_s`, only those whose score is at least `rival_share` of the
    highest remain.
    """

    start: float
    stop: float
    quiet_s: float = 0.75
    least_ticks: int = 1
    longest_s: float = 12.0
    rival_s: float = 0.5
    rival_share: float = 0.0


@dataclass
class _Open:
    group: int
    start_s: float
    last_s: float
    best: float
    ticks: int


@dataclass(frozen=True)
class _Ended:
    epc: str
    group: int
    start_s: float
    end_s: float
    score: float


@dataclass
class EventMaker:
    """Turns scores into flips. Holds at most one open flip a tag, and ended ones until their rivals are
    known.
    """

    rules: EventRules
    epcs: list[str]
    window_s: float
    _open: dict[int, _Open] = field(default_factory=dict)
    _ended: list[_Ended] = field(default_factory=list)

    @property
    def latency_s(self) -> float:
        """From the end of a flip until it is handed out, at most, beyond the score's own delay."""
        return self.rules.quiet_s + self.rules.rival_s + self.window_s

    def tick(
        self, time_s: float, tags: NDArray[np.int64], scores: NDArray[np.float64], groups: NDArray[np.int64]
    ) -> list[DetectedFlip]:
        """Scores (n,) of tags (n,) at `time_s`, and the group each hangs in; tags not given score nothing."""
        rules = self.rules
        for row in np.flatnonzero(scores >= rules.stop):
            tag, score = int(tags[row]), float(scores[row])
            current = self._open.get(tag)
            if current is not None:
                current.last_s = time_s
                current.best = max(current.best, score)
                current.ticks += score >= rules.start
            elif score >= rules.start:
                self._open[tag] = _Open(int(groups[row]), time_s - self.window_s, time_s, score, 1)
        over = [
            tag
            for tag, flip in self._open.items()
            if time_s - flip.last_s >= rules.quiet_s or time_s - flip.start_s >= rules.longest_s
        ]
        for tag in over:
            self._end(tag)
        return self._settled(time_s)

    def _end(self, tag: int) -> None:
        flip = self._open.pop(tag)
        if flip.ticks >= self.rules.least_ticks:
            end_s = max(flip.last_s, flip.start_s + 0.25)
            self._ended.append(_Ended(self.epcs[tag], flip.group, flip.start_s, end_s, flip.best))

    def _settled(self, time_s: float) -> list[DetectedFlip]:
        """Ended flips whose rivals have all ended too."""
        rules = self.rules
        ready = [flip for flip in self._ended if time_s - flip.end_s >= rules.quiet_s + rules.rival_s]
        flips = [self._flip(flip) for flip in ready if not self._beaten(flip)]
        keep_s = rules.longest_s + rules.quiet_s + rules.rival_s
        done = set(map(id, ready))
        self._past = [flip for flip in self._past if time_s - flip.end_s < keep_s] + ready
        self._ended = [flip for flip in self._ended if id(flip) not in done]
        return sorted(flips, key=lambda flip: (flip.start_s, flip.epc))

    _past: list[_Ended] = field(default_factory=list)

    def _beaten(self, flip: _Ended) -> bool:
        margin_s, share = self.rules.rival_s, self.rules.rival_share
        if share <= 0:
            return False
        for rival in (*self._ended, *self._past):
            if rival.epc == flip.epc or rival.group != flip.group:
                continue
            overlap = rival.start_s < flip.end_s + margin_s and flip.start_s < rival.end_s + margin_s
            if overlap and flip.score < share * rival.score:
                return True
        return False

    def _flip(self, flip: _Ended) -> DetectedFlip:
        return DetectedFlip(flip.epc, flip.start_s, flip.end_s, min(flip.score, 1.0))

    def forget(self, tags: NDArray[np.int64]) -> None:
        """Tag rows that now stand for other tags: what is open of the old ones is dropped."""
        for tag in self._open.keys() & set(tags.tolist()):
            del self._open[tag]

    def close(self, time_s: float) -> list[DetectedFlip]:
        """End everything that is open."""
        for tag in list(self._open):
            self._end(tag)
        return self._settled(time_s + self.rules.longest_s)
