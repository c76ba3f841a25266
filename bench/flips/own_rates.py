"""The event scores again, by how often each tag was itself read.

A store's mean rate hides its tags: at 4 reads a second some are heard ten times as often and some hardly
ever. Here the flips, the found flips and the tag-hours of one row are those of tags with one range of rates,
over the whole recording.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from bench.flips.judging import WARM_UP_S, DetectorRun, latencies
from rfid_reader.simulator.recordings import Score, StoreRecording, match

BANDS_HZ = ((0.0, 0.7), (0.7, 1.4), (1.4, 2.8), (2.8, 5.7), (5.7, 11.3), (11.3, math.inf))
"""Around 1, 2, 4 and 8 reads a second, and what is below and above."""
OFTEN_HZ = 3.0
Runs = list[tuple[StoreRecording, DetectorRun]]


@dataclass(frozen=True)
class OwnRateRow:
    """One method on tags that were read from lowest_hz to highest_hz times a second; thinned_hz is the mean
    rate of the stores (None: all that were run). worst_store_f1 is over stores with such flips."""

    method: str
    lowest_hz: float
    highest_hz: float
    thinned_hz: float | None
    precision: float
    recall: float
    f1: float
    worst_store_f1: float | None
    false_per_tag_hour: float
    latency_s: float | None
    flips: int


def of_tags_read(recording: StoreRecording, run: DetectorRun, lowest_hz: float, highest_hz: float) -> Score:
    """Score over the tags with rates in this range only."""
    epcs = _between(recording, lowest_hz, highest_hz)
    part = replace(recording, tags=len(epcs), flips=[flip for flip in recording.flips if flip.epc in epcs])
    return match([flip for _, flip in run.said if flip.epc in epcs], part, WARM_UP_S)


def _between(recording: StoreRecording, lowest_hz: float, highest_hz: float) -> set[str]:
    epcs, count = np.unique(recording.reads.epc, return_counts=True)
    rate_hz = count / recording.duration_s
    return set(epcs[(rate_hz >= lowest_hz) & (rate_hz < highest_hz)].tolist())


def own_rate_row(
    method: str, runs: Runs, lowest_hz: float, highest_hz: float = math.inf, thinned_hz: float | None = None
) -> OwnRateRow:
    """One row over all of these runs; several runs of one store count as one store."""
    stores: dict[str, Score] = defaultdict(Score)
    waited: list[float] = []
    for recording, run in runs:
        stores[recording.name] += of_tags_read(recording, run, lowest_hz, highest_hz)
        epcs = _between(recording, lowest_hz, highest_hz)
        waited += latencies([(at_s, flip) for at_s, flip in run.said if flip.epc in epcs], recording)
    total = sum(stores.values(), Score())
    scores = [score.f1 for score in stores.values() if score.found + score.missed]
    return OwnRateRow(
        method,
        lowest_hz,
        highest_hz,
        thinned_hz,
        round(total.precision, 3),
        round(total.recall, 3),
        round(total.f1, 3),
        round(min(scores), 3) if scores else None,
        round(total.false_per_tag_hour, 2),
        round(float(np.median(waited)), 2) if waited else None,
        total.found + total.missed,
    )


def own_rate_rows(runs: dict[tuple[str, float], Runs]) -> list[OwnRateRow]:
    """Rows of runs by method and thinned rate: tags read OFTEN_HZ or more at every rate from OFTEN_HZ, then
    at these rates together, then every band over all rates."""
    rows = [
        own_rate_row(method, found, OFTEN_HZ, thinned_hz=rate_hz)
        for (method, rate_hz), found in runs.items()
        if rate_hz >= OFTEN_HZ
    ]
    for method in dict.fromkeys(method for method, _ in runs):
        often = [found for (of, rate_hz), found in runs.items() if of == method and rate_hz >= OFTEN_HZ]
        if len(often) > 1:
            rows.append(own_rate_row(method, [run for found in often for run in found], OFTEN_HZ))
        every = [run for (of, _), found in runs.items() if of == method for run in found]
        rows += [own_rate_row(method, every, *band) for band in BANDS_HZ]
    return [row for row in rows if row.flips or row.false_per_tag_hour]
