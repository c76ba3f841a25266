"""The production detector on what real readers heard.

rfid-r420-locate: clips of a tag that a person carries about, and of one that lies still; each by itself, from
a cold start: no rack around the tag, no quiet time before. A clip's score is the highest in it.
rfid-cwnu-rda, rfid-body-gestures: tags that people wear (the first very probably: see its source's note), so
the spans in which they walk or make gestures are to be found as moved. No real reads of people beside
untouched tags are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.flips.clips import area_under_roc
from bench.flips.judging import ScoreLog, run
from bench.flips.real_reads import WALK_LABELS, load_gesture, load_locate, load_rda, still_part
from rfid_reader.flips import DetectedFlip
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.reads import ReadTable

MIN_READS = 40
MIN_IN_SPAN, WITHIN_S = 12, 1.5
STILL, MOVED = ("Test12", "Test13"), ("MovementTesting", "WalkingTest")


@dataclass(frozen=True)
class MovedAgainstStill:
    auc: float
    moved: int
    still: int


@dataclass(frozen=True)
class Worn:
    """Spans of a worn tag in which its wearer moves, and how many of them were found as moved."""

    spans: int
    found: int

    @property
    def recall(self) -> float:
        return self.found / max(self.spans, 1)


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
    moved = [load_locate(path) for name in MOVED for path in sorted((folder / name).rglob("*.csv"))]
    scores = [
        np.array([clip_score(table) for table in tables if len(table) >= MIN_READS])
        for tables in (moved, still_tables(folder))
    ]
    return MovedAgainstStill(round(area_under_roc(*scores), 4), len(scores[0]), len(scores[1]))


def still_tables(folder: Path) -> list[ReadTable]:
    """Of the recordings of still tags, the parts in which they are still (`real_reads.still_part`)."""
    paths = [path for name in STILL for path in sorted((folder / name).rglob("*.csv"))]
    return [still_part(table) for path in paths if len(table := load_locate(path)) >= MIN_READS]


def still_flips(folder: Path) -> FalseFlips:
    """Flips in recordings of one still tag each, from a cold start: all are false."""
    return _false(still_tables(folder))


def _false(tables: list[ReadTable]) -> FalseFlips:
    tag_s = sum(len(np.unique(one.epc)) * float(one.time_s[-1] - one.time_s[0]) for one in tables)
    return FalseFlips(sum(len(run("production", one).said) for one in tables), tag_s / 3600)


def _spans_found(spans: list[tuple[float, float, ReadTable]], found: list[DetectedFlip]) -> tuple[int, int]:
    """Of the tags with MIN_IN_SPAN reads in a span: how many there are, how many have a flip in it."""
    there = right = 0
    for start_s, end_s, inside in spans:
        for epc, count in zip(*np.unique(inside.epc, return_counts=True), strict=True):
            if count < MIN_IN_SPAN:
                continue
            there += 1
            right += any(
                flip.epc == epc and flip.start_s <= end_s + WITHIN_S and flip.end_s >= start_s - WITHIN_S
                for flip in found
            )
    return there, right


def worn_rda(folder: Path) -> Worn:
    """Tags worn by somebody who walks (WALK_LABELS), after the other activities of the same person in the
    order in which they were recorded."""
    there = right = 0
    for volunteer in sorted(path for path in folder.iterdir() if path.is_dir()):
        tables = [(path, table) for path in sorted(volunteer.glob("*.txt")) if len(table := load_rda(path))]
        tables.sort(key=lambda one: float(one[1].time_s[0]))
        spans = [
            (float(table.time_s[0]), float(table.time_s[-1]), table)
            for path, table in tables
            if int(path.stem.rsplit("_")[-1]) in WALK_LABELS
        ]
        whole = ReadTable.concatenate([table for _, table in tables]).in_time_order()
        found = [flip for _, flip in run("production", whole).said]
        more, hits = _spans_found(spans, found)
        there, right = there + more, right + hits
    return Worn(there, right)


def worn_gestures(data: Path, every: int = 6) -> Worn:
    """Tags on the arms and body of somebody who makes a gesture; each recording by itself, from a cold
    start; every sixth one."""
    there = right = 0
    for path in sorted((data / "rfid-body-gestures").rglob("*.csv"))[::every]:
        reads = load_gesture(path)
        if len(reads) < MIN_READS:
            continue
        found = [flip for _, flip in run("production", reads).said]
        more, hits = _spans_found([(float(reads.time_s[0]), float(reads.time_s[-1]), reads)], found)
        there, right = there + more, right + hits
    return Worn(there, right)
