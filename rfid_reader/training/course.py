"""Training of the production detector's course network on the stores of all worlds but those held out.

    python -m rfid_reader.training.course --cache DIR --out tuned.npz             # on all worlds
    python -m rfid_reader.training.course --cache DIR --out t.npz --without rays  # to be judged in rays
    python -m rfid_reader.training.course --cache DIR --rules-only                # the rules alone

Needs the extra `train` (torch), after `rfid_reader.training.activity`. It begins with the weights that are
there, with --grow beside more units (`course_model.grown`). A step is a few crops, stretches of CROP_TICKS of
some stores through readers drawn at random; each tick that is worth judging counts, of the ticks at which no
garment is in a hand only a share. The rules (`event_rules`) are chosen on stores that have not trained, of
the worlds that have. Everything follows from seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rfid_reader.flips.course import (
    AHEAD_BINS,
    COLUMNS,
    JUDGED,
    MOMENT,
    NOT_JUDGED,
    PREFIX,
    WINDOW_BINS,
    CourseNetwork,
    course_of,
    load_course,
)
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.link_bins import SIGNED
from rfid_reader.simulator.recordings import Score
from rfid_reader.training.activity import put_arrays
from rfid_reader.training.course_model import Average, CourseModel, Widths, grown, loss_of
from rfid_reader.training.event_rules import OFTEN_HZ, choose_rules, event_score, tick_scores
from rfid_reader.training.world_courses import SIGNED_COLUMN, WorldCourses, WorldStore
from rfid_reader.training.worlds import WORLDS, unavailable

FIRST_TRAINING_SEED, FIRST_TEST_SEED, FIRST_SCENE_SEED = 1000, 9000, 20_000
STORES = {"shop": 180, "rays": 350, "waves": 210, "second": 185}
SCENES = {"worn": 115, "carried": 60, "facing": 15, "beset": 25, "lone": 60}
TEST_STORES = 6
CROP_TICKS, FIRST_TICK, CROPS = 80, 2, 3
KIND_WEIGHT = {"shop": 2.0, "worn": 1.0, "carried": 1.0, "facing": 0.5, "beset": 0.5, "lone": 2.0}
"""Stores of the simulated reader take longest to make and are the fewest; scenes whose tags move all at once
have many flips of one cause."""
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 1.5e-3, 0.02, 0.06
AVERAGE_FROM = 0.3
"""Share of the steps before the average of the weights begins."""
CALM_SHARE = 0.25
DEAF_CROPS, MOST_DEAF = 0.3, 0.4
"""Share of the crops of which some of what links did is left out, and the largest part that is."""
DEAF_SCALE = 1e6
MORE = Widths(link=24, code=20, bin=16, window=32, share=16, rack=24)


class Crops:
    """Stretches of recordings, as the model takes them."""

    def __init__(self, recordings: list[WorldStore]) -> None:
        self.recordings = recordings
        self._judged = [recording.worth_judging() for recording in recordings]
        self._flips = [judged_flips(recording.flip_numbers()) for recording in recordings]
        self.places = [
            (number, start)
            for number, recording in enumerate(recordings)
            for start in range(FIRST_TICK, len(recording.time_s), CROP_TICKS)
        ]

    def crop(self, number: int, start: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Columns, of links the bins and columns, group, what is judged, flip numbers, and by tick the weight
        of calm moments; in half of the crops as a reader would report that counts phase the other way
        round."""
        recording = self.recordings[number]
        here = slice(start, start + CROP_TICKS)
        judged, flips = self._judged[number][:, here], self._flips[number][:, here]
        handled = ((flips != 0) & judged).any(0)
        kept = handled | (rng.random(judged.shape[1]) < CALM_SHARE)
        weight = np.where(handled, 1.0, 1.0 / CALM_SHARE).astype(np.float32)
        first, stop = start - WINDOW_BINS + 1, start + judged.shape[1]
        columns = windows_of(recording.columns, start, stop).astype(np.float32)
        low, high = np.searchsorted(recording.link_tick, (first, stop))
        bin_ = recording.link_tick[low:high].astype(np.int64) - first
        place = recording.link_tag[low:high].astype(np.int64) * columns.shape[1] + bin_
        links = recording.links[low:high].astype(np.float32)
        if rng.random() < DEAF_CROPS:
            heard = rng.random(len(links)) >= rng.uniform(0, MOST_DEAF)
            place, links = place[heard], links[heard]
        if rng.random() < 0.5:
            links[:, SIGNED] *= -1
            columns[..., SIGNED_COLUMN] *= -1
        return (
            torch.from_numpy(columns),
            torch.from_numpy(place),
            torch.from_numpy(links),
            torch.from_numpy(recording.group[:, here].astype(np.int64)),
            torch.from_numpy(judged & kept),
            torch.from_numpy(flips.astype(np.int64)),
            torch.from_numpy(weight),
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


def without_moments(network: CourseNetwork) -> CourseNetwork:
    """The same network, deaf to the moments' scores: another network makes them, which stores of `shop` have
    trained."""
    scale = network.scale.copy()
    scale[[MOMENT, JUDGED]] = DEAF_SCALE
    return replace(network, scale=scale)


def begun(
    network: CourseNetwork, recordings: list[WorldStore], more: Widths | None, seed: int
) -> CourseModel:
    """A model that begins with these weights; grown by `more`, its links standardised by these
    recordings."""
    if more is None:
        return CourseModel.of(network, DROPOUT)
    model = CourseModel.of(grown(network, more, seed), DROPOUT)
    sample = np.concatenate([one.links[::7] for one in recordings]).astype(np.float32)
    mean = sample.mean(0)
    mean[list(SIGNED)] = 0.0
    model.link_mean, model.link_scale = torch.from_numpy(mean), torch.from_numpy(sample.std(0) + 0.02)
    return model


def train(
    model: CourseModel,
    recordings: list[WorldStore],
    steps: int,
    seed: int,
    learning_rate: float = LEARNING_RATE,
    checkpoint: Path | None = None,
) -> CourseModel:
    """AdamW, the learning rate rising and falling once; returns the average of the weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    crops = Crops(recordings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps + 1, pct_start=0.12
    )
    order: list[int] = []
    average, lost = None, 0.0
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        for _ in range(CROPS):
            order = order or rng.permutation(len(crops.places)).tolist()
            number, start = crops.places[order.pop()]
            *inputs, judged, flips, weight = crops.crop(number, start, rng)
            if not judged.any():
                continue
            tag, tick = judged.nonzero(as_tuple=True)
            loss = loss_of(model(*inputs, judged), flips[judged], tag, weight[tick])
            loss = loss * KIND_WEIGHT.get(recordings[number].world, 1.0)
            (loss / 600).backward()
            lost += float(loss.detach())
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if average is not None:
            average.add(model)
        elif step > AVERAGE_FROM * steps:
            average = Average(model)
        if step % 100 == 0:
            used_s = time.process_time()
            print(f"step {step}: loss {lost / 100 / CROPS:.2f} a crop, {used_s:.0f} s", file=sys.stderr)
            lost = 0.0
            if checkpoint is not None and average is not None:
                torch.save(average.model.state_dict(), checkpoint)
    trained = model if average is None else average.model
    trained.eval()
    return trained


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
    parser.add_argument("--steps", type=int, default=3300)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=Path, help="weights to begin with instead of those that ship")
    parser.add_argument("--grow", action="store_true", help="add units beside those that are there")
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
    if options.begin is not None:
        network = course_of(options.begin.read_bytes(), options.begin.stem)
    if "shop" in held_out:
        network = without_moments(network)
    if not options.rules_only:
        cache.prepare(wanted)
        recordings = [cache.courses(kind, seed) for kind, seed in wanted]
        print(f"{len(recordings)} recordings of {worlds} and scenes", file=sys.stderr, flush=True)
        model = begun(network, recordings, MORE if options.grow else None, options.seed)
        checkpoint = options.out.with_suffix(".pt")
        network = train(
            model, recordings, options.steps, options.seed, options.learning_rate, checkpoint
        ).exported()
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
