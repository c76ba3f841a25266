"""Real people on a real square (PETS09-S2L1): counts through the tracker against those of labelled paths."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from contract.facts import Footfall
from runtime.config import load
from runtime.geometry import Floats, Homography
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import FloorPlan
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings

FPS = 10.0
FRAMES = 795


@pytest.fixture(scope="module")
def labels(shared_data: Path) -> Floats:
    """Columns frame, id, left, top, width, height."""
    table: Floats = np.loadtxt(shared_data / "video-mot15-pets09-s2l1/gt.txt", delimiter=",")
    return table[:, :6]


@pytest.fixture(scope="module")
def plaza(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FloorPlan, Homography]:
    """The floor of the demo's store, and its camera's map onto it."""
    text = (repo / "runtime/demo/plaza.yaml").read_text()
    folder = tmp_path_factory.mktemp("plaza")
    (folder / "vtest.avi").touch()
    (folder / "store.yaml").write_text(text)
    config = load(folder / "store.yaml")
    assert config.cameras[0].homography is not None
    return FloorPlan.from_config(config), Homography(config.cameras[0].homography)


def labelled(labels: Floats, homography: Homography) -> Iterator[PersonsSeen]:
    for frame in range(1, FRAMES + 1):
        rows = labels[labels[:, 0] == frame]
        feet = np.stack([rows[:, 2] + rows[:, 4] / 2, rows[:, 3] + rows[:, 5]], axis=1)
        places = homography.to_floor(feet)
        persons = tuple(
            Person(int(row[1]), (row[2], row[3], row[4], row[5]), 0.9, (float(x_m), float(y_m)))
            for row, (x_m, y_m) in zip(rows, places, strict=True)
        )
        yield PersonsSeen("square", frame, frame / FPS, persons)


def through_tracker(labels: Floats, homography: Homography, every: int) -> Iterator[PersonsSeen]:
    """The labelled boxes as a detector might tell them: jittered, one in ten missed."""
    rng = np.random.default_rng(1)
    tracker = FloorTracker(TrackerSettings(), CameraView(768, 576, homography))
    for frame in range(1, FRAMES + 1, every):
        rows = labels[labels[:, 0] == frame]
        rows = rows[rng.random(len(rows)) > 0.1]
        corners = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        boxes = corners + rng.normal(0, 0.03, corners.shape) * rows[:, 5:6]
        tracks = tracker.update(boxes, np.full(len(boxes), 0.9), frame / FPS)
        yield from seen_before("square", frame, tracks)
        yield persons_seen("square", frame, frame / FPS, tracks, tracker.ended)


def count(records: Iterable[PersonsSeen], plan: FloorPlan) -> dict[tuple[str, str], int]:
    numbers = itertools.count(1)
    behaviour = Behaviour(plan, 0.0, lambda: f"v{next(numbers)}")
    facts = [fact for record in records for fact in behaviour.persons(record)]
    facts += behaviour.finish(FRAMES / FPS)
    latest = {fact.key: fact for fact in facts if isinstance(fact, Footfall)}
    counted = {(entrance.name, way): 0 for entrance in plan.entrances for way in ("in", "out")}
    for fact in latest.values():
        counted[fact.entrance, "in"] += fact.entered
        counted[fact.entrance, "out"] += fact.left
    return counted


@pytest.mark.parametrize("every", [1, 2])
def test_real_people_are_counted_as_their_labelled_paths_say(
    labels: Floats, plaza: tuple[FloorPlan, Homography], every: int
) -> None:
    plan, homography = plaza
    truth = count(labelled(labels, homography), plan)
    assert sum(truth.values()) > 40
    told = count(through_tracker(labels, homography, every), plan)
    assert sum(abs(told[gate] - truth[gate]) for gate in truth) <= 1
