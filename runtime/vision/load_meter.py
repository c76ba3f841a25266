"""How much the vision process does: frames, batches and the time it is busy, between two reports."""

from __future__ import annotations


class LoadMeter:
    """Counts from one report to the next. Times are monotonic seconds, `reported_s` the last report's."""

    def __init__(self, now_s: float) -> None:
        self.reported_s = now_s
        self._finished_s = now_s
        self._busy_s = 0.0
        self._frames = self._batches = 0

    def batch_finished(self, frames: int, start_s: float, end_s: float) -> float:
        """A batch that began at `start_s` is done: the seconds that count as its own.

        Batches overlap: what passed before the one before it was finished is on that one's account.
        """
        busy_s = end_s - max(start_s, self._finished_s)
        self._finished_s = end_s
        self._busy_s += busy_s
        self._frames += frames
        self._batches += 1
        return busy_s

    def report(self, now_s: float) -> tuple[float, dict[str, float]]:
        """Seconds since the last report, and what health says of them: `fps`, `load` (busy), `batch`."""
        elapsed_s = max(1e-3, now_s - self.reported_s)
        values = {
            "fps": self._frames / elapsed_s,
            "load": self._busy_s / elapsed_s,
            "batch": self._frames / max(1, self._batches),
        }
        self.reported_s = now_s
        self._busy_s, self._frames, self._batches = 0.0, 0, 0
        return elapsed_s, values
