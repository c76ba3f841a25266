"""Training of the course network, after that of the network of moments (`activity`), then marks.

    python -m rfid_reader.training.course --cache /tmp/flips     # course and rules, into production.npz

Needs the extra `train` (torch). A good part of its stores have not trained the network of moments: on those
that have, its scores are better than they are in a new store. A batch is some seconds of some stores; each
tick that is worth judging counts. The log-odds of MEMBERS are averaged: their layers go into the file side by
side, as one network. The rules that make flips of scores are chosen on validation stores: the best event F1
among those with few false alarms. Everything follows from seeds: the same code gives the same file on the
same machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rfid_reader.flips.course import (
    AHEAD_BINS,
    COLUMNS,
    MOMENT,
    NOT_JUDGED,
    PREFIX,
    WINDOW_BINS,
    CourseNetwork,
    Courses,
)
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.features.activity import BIN_S
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.recordings import Score, StoreRecording, match
from rfid_reader.training.activity import (
    FIRST_BUSY_SEED,
    FIRST_SCENE_SEED,
    FIRST_TRAINING_SEED,
    FIRST_VALIDATION_SEED,
    RATES_HZ,
    VALIDATION_RATES_HZ,
    put_arrays,
)
from rfid_reader.training.activity_features import WARM_UP_S, FeatureCache
from rfid_reader.training.course_features import CourseCache, StoreCourses
from rfid_reader.training.course_model import Average, CourseModel, loss_of, merged

STORES = (*range(FIRST_TRAINING_SEED, 1131), *range(1146, 1243))
"""Those from 1146 have not trained the network of moments."""
AT_BOTH_RATES = range(1146, 1183)
AT_THE_OTHER_RATE_TOO = range(1183, 1218)
BUSY = range(FIRST_BUSY_SEED + 18, FIRST_BUSY_SEED + 30)
SCENES = range(FIRST_SCENE_SEED, FIRST_SCENE_SEED + 30)
BESET = range(FIRST_SCENE_SEED, FIRST_SCENE_SEED + 150)
BESET_RATES_HZ = (4.0, 6.0, 20.0)
SCENE_RATES_HZ = {
    "carried": (20.0, 4.0),
    "facing": (4.0, 20.0),
    "lone": (4.0, 14.0, 80.0),
    "restless": (6.0,),
}
START_MARKS, LEAST_MARKED = tuple(mark / 40 for mark in range(20, 33)), (2, 3)
FALSE_PER_TAG_HOUR = 0.4
"""Rules are chosen among those with fewer false alarms than this on the validation stores."""


@dataclass(frozen=True)
class Member:
    """One of the networks that are averaged: the width of its window's layer, and how it is trained."""

    course: int
    dropout: float
    epochs: int
    seed: int


MEMBERS = (Member(48, 0.05, 5, 3), Member(64, 0.08, 8, 5))
CROP_TICKS, FIRST_TICK, CROPS = 96, 12, 2
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
AVERAGE_FROM = 0.3
"""Share of the steps before the average of the weights begins."""


def sources() -> list[tuple[int, float, str]]:
    """What trains: seed, read rate and kind, one rate a store or scene unless said otherwise."""
    found = [
        (seed, rate_hz, "store")
        for seed in STORES
        for rate_hz in (RATES_HZ if seed in AT_BOTH_RATES else RATES_HZ[seed % 2 :][:1])
    ]
    found += [(seed, RATES_HZ[seed % 2], "busy") for seed in BUSY]
    for kind, rates_hz in SCENE_RATES_HZ.items():
        found += [(seed, rates_hz[seed % len(rates_hz)], kind) for seed in SCENES]
    found += [(seed, BESET_RATES_HZ[seed % 3], "beset") for seed in BESET]
    found += [(seed, RATES_HZ[1 - seed % 2], "store") for seed in AT_THE_OTHER_RATE_TOO]
    return found


class Crops:
    """Stretches of recordings, as the model takes them."""

    def __init__(self, recordings: list[StoreCourses]) -> None:
        self._recordings = recordings
        self._judged = [recording.worth_judging() for recording in recordings]
        self._flips = [judged_flips(recording.flip_numbers()) for recording in recordings]
        self.places = [
            (number, start)
            for number, recording in enumerate(recordings)
            for start in range(FIRST_TICK, len(recording.time_s), CROP_TICKS)
        ]

    def crop(self, number: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Columns, group, what is judged, and flip numbers of the tags that are judged at all."""
        recording = self._recordings[number]
        here = slice(start, start + CROP_TICKS)
        judged = self._judged[number][:, here]
        tags = np.flatnonzero(judged.any(1))
        columns = windows_of(recording.columns, start, min(start + CROP_TICKS, judged.shape[1] + start))[tags]
        return (
            torch.from_numpy(columns.astype(np.float32)),
            torch.from_numpy(recording.group[tags, here].astype(np.int64)),
            torch.from_numpy(judged[tags]),
            torch.from_numpy(self._flips[number][tags, here].astype(np.int64)),
        )


def windows_of(columns: NDArray[np.float16], start: int, stop: int) -> NDArray[np.float16]:
    """Of columns (tags, ticks, COLUMNS), ticks start to stop and the WINDOW_BINS - 1 before; blank before
    the first."""
    first = start - WINDOW_BINS + 1
    taken = columns[:, max(first, 0) : stop]
    if first >= 0:
        return taken
    blank = np.zeros((len(taken), -first, COLUMNS), np.float16)
    blank[..., MOMENT] = NOT_JUDGED
    return np.concatenate([blank, taken], 1)


def judged_flips(numbers: NDArray[np.int16]) -> NDArray[np.int16]:
    """Flip numbers (tags, ticks) of the moments that ticks judge."""
    moved = np.zeros_like(numbers)
    moved[:, AHEAD_BINS:] = numbers[:, :-AHEAD_BINS]
    return moved


def train(recordings: list[StoreCourses], member: Member) -> CourseModel:
    """AdamW, the learning rate rising and falling once; returns the average of the weights."""
    torch.manual_seed(member.seed)
    rng = np.random.default_rng(member.seed)
    sample = np.concatenate([one.columns[::5, ::7].reshape(-1, COLUMNS) for one in recordings])
    values = sample.astype(np.float32)
    model = CourseModel(values.mean(0), values.std(0) + 1e-3, member.course, member.dropout)
    crops = Crops(recordings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = member.epochs * (len(crops.places) // CROPS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1
    )
    average, step = None, 0
    for epoch in range(member.epochs):
        order, lost = rng.permutation(len(crops.places)), 0.0
        for start in range(0, len(order) - CROPS + 1, CROPS):
            optimizer.zero_grad()
            for place in order[start : start + CROPS].tolist():
                columns, group, judged, flips = crops.crop(*crops.places[place])
                if not len(columns):
                    continue
                loss = loss_of(model(columns, group, judged), flips[judged], judged.nonzero()[:, 0])
                (loss / 1500).backward()
                lost += float(loss.detach())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if average is not None:
                average.add(model)
            elif step > AVERAGE_FROM * steps:
                average = Average(model)
        print(f"epoch {epoch + 1}: loss {lost / len(order):.2f} a crop", file=sys.stderr)
    trained = model if average is None else average.model
    trained.eval()
    return trained


def tick_scores(
    network: CourseNetwork, recording: StoreCourses
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Rows and scores of every tick, as the detector has them."""
    courses, scores = Courses(network), []
    for tick, judged in enumerate(recording.worth_judging().T):
        courses.add(recording.columns[:, tick].astype(np.float32))
        rows = np.flatnonzero(judged)
        scores.append((rows, courses.judge(rows, recording.group[rows, tick].astype(np.int64))))
    return scores


def event_score(
    recording: StoreCourses, scores: list[tuple[NDArray[np.int64], NDArray[np.float64]]], rules: EventRules
) -> Score:
    """Scores of one store's ticks made into flips, against the true ones."""
    maker, flips = EventMaker(rules, recording.epcs, BIN_S / 2), []
    for tick, (rows, score) in enumerate(scores):
        group = recording.group[rows, tick].astype(np.int64)
        flips += maker.tick(float(recording.time_s[tick]) - AHEAD_BINS * BIN_S, rows, score, group)
    flips += maker.close(recording.duration_s + 100)
    truth = StoreRecording("", recording.duration_s, recording.tags, ReadTable.empty(), recording.flips)
    return match(flips, truth, WARM_UP_S)


def choose_rules(network: CourseNetwork, recordings: list[StoreCourses]) -> tuple[EventRules, Score]:
    """The rules with the best F1 on validation stores among those with few false alarms."""
    scored = [(recording, tick_scores(network, recording)) for recording in recordings]
    found = []
    for start, least in itertools.product(START_MARKS, LEAST_MARKED):
        rules = EventRules(start=start, stop=0.5 * start, least_ticks=least, rival_share=0.9)
        total = sum((event_score(*store, rules) for store in scored), Score())
        found.append((total.f1 - max(0.0, total.false_per_tag_hour - FALSE_PER_TAG_HOUR), rules, total))
        print(
            f"{start}, {least} ticks: F1 {total.f1:.3f}, {total.false_per_tag_hour:.2f} false a tag-hour",
            file=sys.stderr,
        )
    _, rules, total = max(found, key=lambda one: one[0])
    return rules, total


def save(course: CourseNetwork, rules: EventRules, path: Path) -> None:
    """Put the course network and the rules beside the network of moments that is there."""
    arrays: dict[str, NDArray[Any]] = {
        PREFIX + field.name: getattr(course, field.name) for field in fields(CourseNetwork)
    }
    put_arrays(path, arrays | {"rules": np.array(json.dumps(asdict(rules)))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cache", type=Path, default=Path("flip-training"), help="folder for stores, rows")
    parser.add_argument("--validation", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--out", type=Path, default=Path("rfid_reader/flips/production.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    cache = CourseCache(FeatureCache(options.cache, options.seconds))
    recordings = []
    for seed, rate_hz, kind in sources():
        recordings.append(cache.courses(seed, rate_hz, kind))
        print(f"{kind} {seed}: {recordings[-1].worth_judging().sum()} moments", file=sys.stderr)
    started_s = time.process_time()
    network = merged([train(recordings, member).exported() for member in MEMBERS])
    seeds = range(FIRST_VALIDATION_SEED, FIRST_VALIDATION_SEED + options.validation)
    validation = [cache.courses(seed, rate_hz) for seed in seeds for rate_hz in VALIDATION_RATES_HZ]
    rules, score = choose_rules(network, validation)
    save(network, rules, options.out)
    print(f"{options.out}: trained in {time.process_time() - started_s:.0f} s; {rules}")
    print(
        f"validation: F1 {score.f1:.3f}, precision {score.precision:.3f}, recall {score.recall:.3f}, "
        f"{score.false_per_tag_hour:.2f} false alarms a tag-hour"
    )


if __name__ == "__main__":
    main()
