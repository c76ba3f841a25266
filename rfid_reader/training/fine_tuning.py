"""Fine-tuning of the production detector's course network on the stores of all worlds but those held out.

    python -m rfid_reader.training.fine_tuning --cache DIR --rules-only                # the rules that ship
    python -m rfid_reader.training.fine_tuning --cache DIR --out tuned.npz             # tuned to all worlds
    python -m rfid_reader.training.fine_tuning --cache DIR --out t.npz --without rays  # to be judged in rays

Needs the extra `train` (torch), after `rfid_reader.training.course`: it begins with the weights that are
there. A batch is some seconds of some stores; each tick that is worth judging counts, of the ticks at which
no garment is in a hand only a share. The rules that make flips of scores are chosen on stores that have not
trained, of the worlds that have: the best mean F1 of the worlds, false alarms beyond FALSE_PER_TAG_HOUR taken
off. Everything follows from seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rfid_reader.flips.course import (
    AHEAD_BINS,
    PREFIX,
    CourseNetwork,
    Courses,
    load_course,
)
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.features.activity import BIN_S
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import Score, StoreRecording, match
from rfid_reader.training.activity import put_arrays
from rfid_reader.training.course import judged_flips, windows_of
from rfid_reader.training.course_model import Average, CourseModel, loss_of
from rfid_reader.training.world_courses import WorldCourses, WorldStore
from rfid_reader.training.worlds import WORLDS, unavailable

FIRST_TRAINING_SEED, FIRST_TEST_SEED, FIRST_SCENE_SEED = 1000, 9000, 20_000
STORES = {"shop": 30, "rays": 60, "waves": 60, "second": 60}
SCENES: dict[str, int] = {}
TEST_STORES = 5
CROP_TICKS, FIRST_TICK, CROPS = 64, 10, 3
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 1e-3, 0.02, 0.06
AVERAGE_FROM = 0.3
"""Share of the steps before the average of the weights begins."""
CALM_SHARE = 0.25
START_MARKS, LEAST_MARKED = tuple(mark / 20 for mark in range(6, 19)), (2, 3)
FALSE_PER_TAG_HOUR = 0.4
OFTEN_HZ = 3.0


class ThinnedCrops:
    """Stretches of recordings with most calm ticks left out, each kept one weighing more."""

    def __init__(self, recordings: list[WorldStore]) -> None:
        self._recordings = recordings
        self._judged = [recording.worth_judging() for recording in recordings]
        self._flips = [judged_flips(recording.flip_numbers()) for recording in recordings]
        self.places = [
            (number, start)
            for number, recording in enumerate(recordings)
            for start in range(FIRST_TICK, len(recording.time_s), CROP_TICKS)
        ]

    def crop(self, number: int, start: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Columns, group, what is judged, flip numbers of the tags that are judged at all, and by tick the
        weight of calm moments."""
        recording = self._recordings[number]
        here = slice(start, start + CROP_TICKS)
        judged, flips = self._judged[number][:, here], self._flips[number][:, here]
        handled = ((flips != 0) & judged).any(0)
        kept = handled | (rng.random(judged.shape[1]) < CALM_SHARE)
        weight = np.where(handled, 1.0, 1.0 / CALM_SHARE).astype(np.float32)
        judged = judged & kept
        tags = np.flatnonzero(judged.any(1))
        columns = windows_of(recording.columns, start, min(start + CROP_TICKS, judged.shape[1] + start))[tags]
        return (
            torch.from_numpy(columns.astype(np.float32)),
            torch.from_numpy(recording.group[tags, here].astype(np.int64)),
            torch.from_numpy(judged[tags]),
            torch.from_numpy(flips[tags].astype(np.int64)),
            torch.from_numpy(weight),
        )


def train(
    recordings: list[WorldStore], epochs: int, seed: int, checkpoint: Path | None = None
) -> CourseModel:
    """AdamW from the shipped weights, the learning rate rising and falling once; returns the average of the
    weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = CourseModel.of(load_course("production"), DROPOUT)
    crops = ThinnedCrops(recordings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(crops.places) // CROPS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.15
    )
    average, step = None, 0
    for epoch in range(epochs):
        order, lost, started_s = rng.permutation(len(crops.places)), 0.0, time.process_time()
        for start in range(0, len(order) - CROPS + 1, CROPS):
            optimizer.zero_grad()
            for place in order[start : start + CROPS].tolist():
                number, first = crops.places[place]
                columns, group, judged, flips, weight = crops.crop(number, first, rng)
                if not len(columns):
                    continue
                tag, tick = judged.nonzero(as_tuple=True)
                loss = loss_of(model(columns, group, judged), flips[judged], tag, weight[tick])
                (loss / 1000).backward()
                lost += float(loss.detach())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if average is not None:
                average.add(model)
            elif step > AVERAGE_FROM * steps:
                average = Average(model)
        used_s = time.process_time() - started_s
        print(
            f"epoch {epoch + 1}: loss {lost / len(order):.2f} a crop, {used_s:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        if checkpoint is not None:
            torch.save(model.state_dict(), checkpoint)
    trained = model if average is None else average.model
    trained.eval()
    return trained


Ticks = list[tuple[NDArray[np.int64], NDArray[np.float64]]]


def tick_scores(network: CourseNetwork, recording: WorldStore) -> Ticks:
    """Rows and scores of every tick, as the detector has them."""
    courses, scores = Courses(network), []
    for tick, judged in enumerate(recording.worth_judging().T):
        courses.add(recording.columns[:, tick].astype(np.float32))
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
    """The rules with the best mean F1 over worlds, of recordings and their scores."""
    worlds = sorted({recording.world for recording, _ in scored})
    found = []
    for start, least in itertools.product(START_MARKS, LEAST_MARKED):
        rules = EventRules(start=start, stop=0.5 * start, least_ticks=least, rival_share=0.9)
        totals = [
            sum((event_score(*one, rules, OFTEN_HZ) for one in scored if one[0].world == world), Score())
            for world in worlds
        ]
        value = float(
            np.mean([one.f1 - 0.15 * max(0.0, one.false_per_tag_hour - FALSE_PER_TAG_HOUR) for one in totals])
        )
        said = ", ".join(
            f"{world} {one.f1:.2f} ({one.false_per_tag_hour:.2f})"
            for world, one in zip(worlds, totals, strict=True)
        )
        print(f"{start}, {least} ticks: {value:.3f}; {said}", file=sys.stderr, flush=True)
        found.append((value, rules))
    return max(found, key=lambda one: one[0])[1]


def save(course: CourseNetwork, rules: EventRules, path: Path) -> None:
    """Put a network and its rules into a copy of what ships, or into it."""
    if not path.exists():
        path.write_bytes(files("rfid_reader.flips").joinpath("production.npz").read_bytes())
    arrays: dict[str, NDArray[Any]] = {
        PREFIX + field.name: getattr(course, field.name) for field in fields(CourseNetwork)
    }
    put_arrays(path, arrays | {"rules": np.array(json.dumps(asdict(rules)))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cache", type=Path, default=Path("flip-training"), help="folder for stores, rows")
    parser.add_argument("--without", default="", help="worlds to hold out, separated by commas")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument(
        "--rules-only", action="store_true", help="choose rules for the network that is there"
    )
    parser.add_argument("--present", action="store_true", help="take only what the cache holds already")
    parser.add_argument("--out", type=Path, default=Path("rfid_reader/flips/production.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    cache = WorldCourses(options.cache)
    held_out = [name for name in options.without.split(",") if name]
    worlds = [world for world in WORLDS if world not in held_out and not unavailable(world)]
    wanted = [(world, FIRST_TRAINING_SEED + number) for world in worlds for number in range(STORES[world])]
    wanted += [(kind, FIRST_SCENE_SEED + number) for kind, count in SCENES.items() for number in range(count)]
    if options.present:
        wanted = [one for one in wanted if cache.holds(*one)]
    network = load_course("production")
    if not options.rules_only:
        recordings = [cache.courses(kind, seed) for kind, seed in wanted]
        print(f"{len(recordings)} recordings of {worlds} and scenes", file=sys.stderr, flush=True)
        network = train(recordings, options.epochs, options.seed, options.out.with_suffix(".pt")).exported()
    tests = {
        world: [
            cache.courses(world, seed, plain=True)
            for seed in range(FIRST_TEST_SEED, FIRST_TEST_SEED + TEST_STORES)
            if not options.present or cache.holds(world, seed, plain=True)
        ]
        for world in WORLDS
        if not unavailable(world)
    }
    scored = {world: [(one, tick_scores(network, one)) for one in stores] for world, stores in tests.items()}
    rules = choose_rules([one for world in worlds for one in scored[world]])
    save(network, rules, options.out)
    print(f"{options.out}: {rules}")
    for world, stores in scored.items():
        for least_hz in (OFTEN_HZ, 0.0):
            scores = [event_score(*one, rules, least_hz) for one in stores]
            total = sum(scores, Score())
            apart = " (held out)" if world in held_out else ""
            print(
                f"{world}{apart} from {least_hz:g}/s: F1 {total.f1:.3f}, precision {total.precision:.2f}, "
                f"recall {total.recall:.2f}, {total.false_per_tag_hour:.2f} false a tag-hour, "
                f"worst store {min(one.f1 for one in scores):.2f}"
            )


if __name__ == "__main__":
    main()
