"""The rules that make flips of scores, chosen on stores that have not trained the scores."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.course import AHEAD_BINS, CourseNetwork, Courses
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.features.activity import BIN_S
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import Score, StoreRecording, match
from rfid_reader.training.world_courses import WorldStore

START_MARKS, LEAST_MARKED = tuple(mark / 20 for mark in range(6, 19)), (1, 2, 3)
FALSE_PER_TAG_HOUR = 0.4
FALSE_COST = 0.15
"""What an F1 loses for each false alarm a tag-hour beyond FALSE_PER_TAG_HOUR."""
OFTEN_HZ = 3.0
Ticks = list[tuple[NDArray[np.int64], NDArray[np.float64]]]


def tick_scores(network: CourseNetwork, recording: WorldStore) -> Ticks:
    """Rows and scores of every tick, as the detector has them."""
    courses, scores = Courses(network), []
    edges = np.searchsorted(recording.link_tick, np.arange(len(recording.time_s) + 1))
    for tick, judged in enumerate(recording.worth_judging().T):
        here = slice(edges[tick], edges[tick + 1])
        courses.add(
            recording.columns[:, tick].astype(np.float32),
            recording.link_tag[here].astype(np.int64),
            recording.links[here].astype(np.float32),
        )
        rows = np.flatnonzero(judged)
        scores.append((rows, courses.judge(rows, recording.group[rows, tick].astype(np.int64))))
    return scores


def event_score(recording: WorldStore, scores: Ticks, rules: EventRules, least_hz: float = 0.0) -> Score:
    """Scores of one store's ticks made into flips, against the true ones; of tags read at least least_hz
    only."""
    maker, flips = EventMaker(rules, recording.epcs, BIN_S / 2), []
    for tick, (rows, score) in enumerate(scores):
        group = recording.group[rows, tick].astype(np.int64)
        flips += maker.tick(float(recording.time_s[tick]) - AHEAD_BINS * BIN_S, rows, score, group)
    flips += maker.close(recording.duration_s + 100)
    often = {epc for epc, rate in zip(recording.epcs, recording.rates_hz, strict=True) if rate >= least_hz}
    true = [
        TrueFlip(one.epc, "", None, one.start_s, one.end_s)
        for one in recording.handlings
        if one.epc in often or least_hz <= 0
    ]
    tags = recording.tags if least_hz <= 0 else len(often)
    truth = StoreRecording("", recording.duration_s, tags, ReadTable.empty(), true)
    return match([flip for flip in flips if flip.epc in often], truth)


def choose_rules(scored: Sequence[tuple[WorldStore, Ticks]]) -> EventRules:
    """The rules with the best mean F1 over worlds, less FALSE_COST, of recordings and their scores."""
    worlds = sorted({recording.world for recording, _ in scored})
    found = []
    for start, least in itertools.product(START_MARKS, LEAST_MARKED):
        rules = EventRules(start=start, stop=0.5 * start, least_ticks=least, rival_share=0.9)
        totals = [
            sum((event_score(*one, rules, OFTEN_HZ) for one in scored if one[0].world == world), Score())
            for world in worlds
        ]
        excess = [max(0.0, one.false_per_tag_hour - FALSE_PER_TAG_HOUR) for one in totals]
        value = float(np.mean([one.f1 for one in totals]) - FALSE_COST * np.mean(excess))
        said = ", ".join(
            f"{world} {one.f1:.2f} ({one.false_per_tag_hour:.2f})"
            for world, one in zip(worlds, totals, strict=True)
        )
        print(f"{start}, {least} ticks: {value:.3f}; {said}", file=sys.stderr, flush=True)
        found.append((value, rules))
    return max(found, key=lambda one: one[0])[1]
