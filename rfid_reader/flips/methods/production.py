"""The detector for a store.

Residuals free of channel offsets (`residuals`), binned beside what the rack does and compared with the tag's
own long run by Jensen-Shannon divergence (`activity`) and link by link with what it was in the bins before
(`recurrence`). A small network scores moments (`network`), a second one the tag's course over thirteen
seconds beside those of its rack (`course`); both are trained on generated stores that share nothing with the
tested ones (`rfid_reader/training/`). Of overlapping candidates on one rack only
the strong ones survive. Phases of a reader that is half a turn off at random are doubled
(`rfid_reader.half_turns`).

It decides about a moment LOOK_AHEAD_S after it; a flip is said at the latest `latency_s` after its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.course import (
    AHEAD_BINS,
    CourseNetwork,
    Courses,
    course_columns,
    load_course,
    mark_moments,
)
from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.features.activity import BIN_S, FEATURES, ActivityBins
from rfid_reader.flips.features.link_bins import LinkBins
from rfid_reader.flips.features.recurrence import HeardLinks, LinkMemory
from rfid_reader.flips.features.residuals import MAX_ANTENNAS, ResidualTracker
from rfid_reader.flips.network import FeedForward, load_network
from rfid_reader.flips.ticks import REORDER_S, TickingDetector
from rfid_reader.half_turns import HalfTurnWatch, doubled
from rfid_reader.reads import ReadTable

HALF_TURNS = "phases jump by half a turn at random: used modulo half a turn, flips of weak tags may be missed"
LOOK_AHEAD_S = AHEAD_BINS * BIN_S


def judged_s(tick_s: float) -> float:
    """The moment that a tick judges: the middle of the bin LOOK_AHEAD_S before the newest one."""
    return tick_s + REORDER_S - BIN_S / 2 - LOOK_AHEAD_S


@dataclass(frozen=True)
class Bin:
    """One bin: rows of the tags worth judging, every row's group, the bin's columns for the course, in which
    the moments of the rows worth judging are scored, and of the links that were heard in it their tags' rows
    and their columns."""

    rows: NDArray[np.int64]
    groups: NDArray[np.int64]
    columns: NDArray[np.float32]
    link_tags: NDArray[np.int64]
    links: NDArray[np.float32]


class ProductionDetector(TickingDetector):
    """Streaming, causal detector; see the module's docstring."""

    step_s = BIN_S

    def __init__(
        self,
        calibration: AntennaCalibration | None = None,
        network: FeedForward | None = None,
        rules: EventRules | None = None,
        course: CourseNetwork | None = None,
    ) -> None:
        super().__init__()
        self._calibration = calibration
        self._half_turns = HalfTurnWatch(calibration is not None and calibration.phases_doubled)
        if network is None or rules is None:
            shipped, shipped_rules = load_network("production", FEATURES)
            network, rules = network or shipped, rules or shipped_rules
        self.network = network
        self._course = course or load_course("production")
        self._begin(calibration)
        self.events = EventMaker(rules, self.tag_rows.epcs, BIN_S / 2)
        self._last_tick: int | None = None
        self.latency_s = LOOK_AHEAD_S + self.events.latency_s
        self._new: tuple[ReadTable, NDArray[np.int64]] = (ReadTable.empty(), np.zeros(0, np.int64))

    def _begin(self, calibration: AntennaCalibration | None) -> None:
        """Know nothing about tags and links beyond what the calibration says."""
        self.tracker = ResidualTracker(calibration, self.phases_doubled)
        self.activity = ActivityBins(self.tracker)
        self._links = LinkMemory()
        self._link_bins = LinkBins(calibration, self.phases_doubled)
        self.courses = Courses(self._course)

    @property
    def phases_doubled(self) -> bool:
        """Whether the reader's phases are off by half a turn at random, and used modulo half a turn."""
        return self._half_turns.doubling

    @property
    def remarks(self) -> tuple[str, ...]:
        said = [HALF_TURNS] if self.phases_doubled else []
        if self._calibration is not None:
            epcs = [self.tag_rows.epcs[row] for row in self.tag_rows.proven().tolist()]
            said += filter(None, [self._calibration.misfit(epcs)])
        return tuple(said)

    @property
    def reads_unreferenced(self) -> int:
        return self.tracker.reference.reads_beyond

    def _forget(self, rows: NDArray[np.int64]) -> None:
        self.events.forget(rows)
        self.tracker.forget(rows)
        self.activity.forget(rows)
        self._links.forget(rows)
        self._link_bins.forget(rows)
        self.courses.forget(rows)

    def _absorb(self, reads: ReadTable, tags: NDArray[np.int64]) -> None:
        if self._half_turns.take(reads):
            self._begin(None)
        self._new = (doubled(reads) if self.phases_doubled else reads, tags)

    def step(self) -> Bin:
        """Turn the reads since the last tick into a bin."""
        if (
            self._last_tick is not None
            and self._next_tick is not None
            and self._next_tick > self._last_tick + 1
        ):
            self.activity.resume()
            self._links.resume()
            self.courses.resume()
        self._last_tick = self._next_tick
        (reads, tags), self._new = self._new, (ReadTable.empty(), np.zeros(0, np.int64))
        count = len(self.tag_rows.epcs)
        residuals = self.tracker.take(reads, tags, self.tag_rows.epcs)
        groups = self.activity.step(residuals, tags, count)
        heard, heard_db = HeardLinks.of(residuals), self.tracker.heard_db
        links = self._link_bins.step(
            *(residuals, heard, self._links, heard_db),
            *(self.tag_rows.epcs, self.tracker.reference.antennas),
        )
        recurrences = self._links.step(residuals, heard, heard_db, count)
        rows = self.activity.candidates(count)
        columns = course_columns(
            self.activity.newest(count),
            recurrences,
            self.phases_doubled,
            self.activity.statics(np.arange(count)),
        )
        if len(rows):
            mark_moments(columns, rows, self.network(self.activity.features(rows)))
        return Bin(rows, groups, columns, heard.links // MAX_ANTENNAS, links)

    def _tick(self, time_s: float) -> list[DetectedFlip]:
        bin_ = self.step()
        self.courses.add(bin_.columns, bin_.link_tags, bin_.links)
        groups = bin_.groups[bin_.rows]
        scores = self.courses.judge(bin_.rows, groups)
        return self.events.tick(judged_s(time_s), bin_.rows, scores, groups)

    def _close(self, time_s: float) -> list[DetectedFlip]:
        return self.events.close(time_s)
