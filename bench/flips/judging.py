"""Runs a flip detector over recordings as a reader would, and says how it did by event."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips import DetectedFlip, make_detector
from rfid_reader.flips.events import EventMaker
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.methods.windows import WindowDetector
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.recordings import Score, StoreRecording, match, thinned

WARM_UP_S = 15.0
SLICE_S = 0.25
MIN_LOG_ODDS = -9.0
"""Of a moment that a detector does not score at all, and of one that it is surer about."""
Rows = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass
class ScoreLog(EventMaker):
    """An event maker that keeps every score it was given: (judged moment, tag rows, scores)."""

    log: list[tuple[float, Rows, Array]] = field(default_factory=list)

    def tick(self, time_s: float, tags: Rows, scores: Array, groups: Rows) -> list[DetectedFlip]:
        self.log.append((time_s, tags, scores))
        return super().tick(time_s, tags, scores, groups)

    def highest(self, epc: str, start_s: float, end_s: float) -> float:
        """Highest score of a tag from start_s to end_s (0: it had none)."""
        times, scores = self._series.get(self._rows.get(epc, -1), (np.zeros(0), np.zeros(0)))
        return float(scores[(times >= start_s) & (times <= end_s)].max(initial=0.0))

    def mean_log_odds(self, epc: str, start_s: float, end_s: float) -> float:
        """Mean of a tag's log-odds over the moments judged from start_s to end_s, each kept within
        MIN_LOG_ODDS either way."""
        judged = int(np.searchsorted(self._times, end_s, "right") - np.searchsorted(self._times, start_s))
        times, scores = self._series.get(self._rows.get(epc, -1), (np.zeros(0), np.zeros(0)))
        inside = np.clip(scores[(times >= start_s) & (times <= end_s)], 1e-9, 1 - 1e-9)
        log_odds = np.clip(np.log(inside / (1 - inside)), MIN_LOG_ODDS, -MIN_LOG_ODDS)
        total = float(log_odds.sum()) + MIN_LOG_ODDS * (judged - len(inside))
        return total / judged if judged else MIN_LOG_ODDS

    @cached_property
    def _times(self) -> Array:
        """The moments that were judged at all, rising; ask for it once the detector has finished."""
        return np.array([at_s for at_s, _, _ in self.log])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {epc: row for row, epc in enumerate(self.epcs)}

    @cached_property
    def _series(self) -> dict[int, tuple[Array, Array]]:
        """Times and scores by tag row; ask for it once the detector has finished."""
        if not self.log:
            return {}
        times = np.concatenate([np.full(len(tags), at_s) for at_s, tags, _ in self.log])
        tags, scores = (np.concatenate([one[column] for one in self.log]) for column in (1, 2))
        order = np.argsort(tags, kind="stable")
        rows, starts = np.unique(tags[order], return_index=True)
        parts = zip(np.split(times[order], starts[1:]), np.split(scores[order], starts[1:]), strict=True)
        return dict(zip(rows.tolist(), parts, strict=True))


@dataclass(frozen=True)
class DetectorRun:
    """One detector over one recording: flips with the stream time at which they were said, all scores, and
    the CPU seconds used."""

    said: list[tuple[float, DetectedFlip]]
    scores: ScoreLog
    used_s: float


def run(method: str, reads: ReadTable) -> DetectorRun:
    """Feed reads as they would come, SLICE_S at a time."""
    detector = make_detector(method)
    assert isinstance(detector, ProductionDetector | WindowDetector)
    log = ScoreLog(detector.events.rules, detector.tag_rows.epcs, detector.events.window_s)
    detector.events = log
    said: list[tuple[float, DetectedFlip]] = []
    started_s = time.process_time()
    edges = np.arange(float(reads.time_s[0]), float(reads.time_s[-1]) + SLICE_S, SLICE_S)
    places = np.searchsorted(np.maximum.accumulate(reads.time_s), edges)
    for start, stop, edge_s in zip(places[:-1], places[1:], edges[1:], strict=True):
        said += [(float(edge_s), flip) for flip in detector.feed(reads.take(slice(start, stop)))]
    said += [(float(edges[-1]) + detector.latency_s, flip) for flip in detector.finish()]
    return DetectorRun(said, log, time.process_time() - started_s)


@dataclass(frozen=True)
class ScoreRow:
    """One method at one read rate over all test stores. latency_s is the median from a true flip's end until
    it was said; judged_per_s the reads a second that one core judged."""

    method: str
    rate_hz: float
    precision: float
    recall: float
    f1: float
    worst_store_f1: float
    false_per_tag_hour: float
    latency_s: float | None
    judged_per_s: float
    flips: int
    stores: dict[str, float]


def latencies(said: list[tuple[float, DetectedFlip]], recording: StoreRecording) -> list[float]:
    """Seconds from each found true flip's end until it was said."""
    return [
        at_s - true.end_s
        for at_s, flip in said
        for true in recording.flips
        if true.epc == flip.epc
        and true.start_s - 1.5 <= 0.5 * (flip.start_s + flip.end_s) <= true.end_s + 1.5
    ]


def judge(
    method: str, rate_hz: float, recordings: list[StoreRecording]
) -> tuple[ScoreRow, list[tuple[StoreRecording, DetectorRun]]]:
    """Run one method over every store thinned to `rate_hz` reads a second a tag."""
    total, runs = Score(), []
    stores: dict[str, float] = {}
    waited_s: list[float] = []
    reads = 0
    for recording in recordings:
        thin = thinned(recording, rate_hz)
        found = run(method, thin.reads)
        score = match([flip for _, flip in found.said], thin, WARM_UP_S)
        total += score
        stores[recording.name] = round(score.f1, 3)
        waited_s += latencies(found.said, thin)
        reads += len(thin.reads)
        runs.append((thin, found))
    used_s = sum(found.used_s for _, found in runs)
    row = ScoreRow(
        method,
        rate_hz,
        round(total.precision, 3),
        round(total.recall, 3),
        round(total.f1, 3),
        min(stores.values()),
        round(total.false_per_tag_hour, 2),
        round(float(np.median(waited_s)), 2) if waited_s else None,
        round(reads / max(used_s, 1e-9)),
        total.found + total.missed,
        stores,
    )
    return row, runs
