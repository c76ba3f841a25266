"""The production detector on what real readers heard.

rfid-r420-locate: clips of a tag that a person carries about, and of one that lies still; each by itself, from
a cold start: no rack around the tag, no quiet time before. A clip's score is the highest in it.
rfid-cwnu-rda: a person moves about beside tags that nobody touches, so every flip is false; a volunteer's
files in the order in which they were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.flips.clips import area_under_roc
from bench.flips.judging import ScoreLog, run
from bench.flips.real_reads import load_locate, load_rda
from rfid_reader.flips.production import ProductionDetector
from rfid_reader.reads import ReadTable

LEAST_READS = 40
STILL, MOVED = ("Test12", "Test13"), ("MovementTesting", "WalkingTest")


@dataclass(frozen=True)
class MovedAgainstStill:
    auc: float
    moved: int
    still: int


@dataclass(frozen=True)
class FalseFlips:
    """Flips found among tags that nobody touched, over hours of watched tags."""

    flips: int
    tag_hours: float

    @property
    def per_tag_hour(self) -> float:
        return self.flips / max(self.tag_hours, 1e-9)


def clip_score(reads: ReadTable) -> float:
    """Highest score of any tag in a recording."""
    detector = ProductionDetector()
    detector.events = log = ScoreLog(detector.events.rules, detector.tag_rows.epcs, detector.events.window_s)
    detector.feed(reads)
    detector.finish()
    return max((float(scores.max(initial=0.0)) for _, _, scores in log.log), default=0.0)


def moved_against_still(folder: Path) -> MovedAgainstStill:
    scores = []
    for names in (MOVED, STILL):
        tables = [load_locate(path) for name in names for path in sorted((folder / name).rglob("*.csv"))]
        scores.append(np.array([clip_score(table) for table in tables if len(table) >= LEAST_READS]))
    return MovedAgainstStill(round(area_under_roc(*scores), 4), len(scores[0]), len(scores[1]))


def false_flips(folder: Path) -> FalseFlips:
    """Flips in rfid-cwnu-rda, each volunteer's files as one stream."""
    flips, tag_s = 0, 0.0
    for volunteer in sorted(path for path in folder.iterdir() if path.is_dir()):
        tables = [table for path in sorted(volunteer.glob("*.txt")) if len(table := load_rda(path))]
        tables.sort(key=lambda table: float(table.time_s[0]))
        tag_s += sum(len(np.unique(one.epc)) * float(one.time_s[-1] - one.time_s[0]) for one in tables)
        flips += len(run("production", ReadTable.concatenate(tables).in_time_order()).said)
    return FalseFlips(flips, tag_s / 3600)
