"""What the production detector would judge in generated stores, as rows for training: kept on disk, so that
several processes can prepare a share each and an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rfid_reader.flips
import rfid_reader.simulator
from rfid_reader.flips.course import COLUMNS, WINDOW_BINS, CourseNetwork
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.activity import BIN_S, FEATURES, LOOK_AHEAD_BINS
from rfid_reader.flips.features.link_bins import LINK_COLUMNS
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.network import FeedForward
from rfid_reader.flips.ticks import REORDER_S
from rfid_reader.simulator.recordings import StoreRecording, flip_mask, record_store, thinned
from rfid_reader.training import scenes
from rfid_reader.training.scenes import (
    beset_scene,
    busy_store,
    carried_scene,
    facing_scene,
    lone_scene,
    restless_scene,
    with_pauses,
)

MARGIN_S = 0.3
WARM_UP_S = 15.0
SCENES = {
    "lone": lone_scene,
    "carried": carried_scene,
    "facing": facing_scene,
    "restless": restless_scene,
    "beset": beset_scene,
    "busy": busy_store,
}
Rows = NDArray[np.int64]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """Rows that the detector would judge in one store: time, tag row, group, features (float16) and label (1
    flip, 0 none, -1 within MARGIN_S of a flip's edges); epcs by tag row."""

    time_s: NDArray[np.float64]
    tag: Rows
    group: Rows
    features: NDArray[np.float16]
    label: NDArray[np.int8]
    epcs: list[str]


def moment_s(tick_s: float) -> float:
    """The middle of the bin that the network of moments judges at a tick."""
    return tick_s + REORDER_S - BIN_S / 2 - LOOK_AHEAD_BINS * BIN_S


class _Recorder(ProductionDetector):
    """Keeps the features it would judge instead of judging them."""

    def __init__(self) -> None:
        super().__init__(None, _silent_network(), EventRules(0.5, 0.25), silent_course())
        self.rows: list[tuple[float, Rows, Array, Rows]] = []

    def _tick(self, time_s: float) -> list:  # type: ignore[type-arg]
        found = self.step()
        rows, groups = found.rows, found.groups
        if len(rows):
            self.rows.append((moment_s(time_s), rows, self.activity.features(rows), groups[rows]))
        return []


def _silent_network() -> FeedForward:
    empty = np.zeros((FEATURES, 1), np.float32)
    ones = np.ones(FEATURES, np.float32)
    return FeedForward(np.zeros(FEATURES, np.float32), ones, (empty,), (np.full(1, -40, np.float32),))


def silent_course() -> CourseNetwork:
    """A network of one neuron a layer that judges nothing."""
    arrays = []
    for size in (COLUMNS, LINK_COLUMNS):
        arrays += [np.zeros(size, np.float32), np.ones(size, np.float32)]
    inputs = {
        "link": LINK_COLUMNS,
        "code": 1,
        "bin": COLUMNS + 2,
        "window": WINDOW_BINS,
        "share": 1,
        "rack": 3,
    }
    for size in (*inputs.values(), 1):
        arrays += [np.zeros((size, 1), np.float32), np.zeros(1, np.float32)]
    return CourseNetwork(*arrays)


def judged_rows(recording: StoreRecording) -> Judged:
    """Everything the detector would judge in one store."""
    recorder = _Recorder()
    recorder.feed(recording.reads)
    recorder.finish()
    none = np.zeros(0, np.int64)
    found = recorder.rows or [(0.0, none, np.zeros((0, FEATURES), np.float32), none)]
    times = np.array([row[0] for row in found])
    mask = flip_mask(recording.flips, recorder.tag_rows.epcs, times, MARGIN_S)
    return Judged(
        np.concatenate([np.full(len(row[1]), row[0]) for row in found]),
        np.concatenate([row[1] for row in found]),
        np.concatenate([row[3] for row in found]),
        np.concatenate([row[2] for row in found]).astype(np.float16),
        np.concatenate([mask[row[1], place] for place, row in enumerate(found)]),
        recorder.tag_rows.epcs,
    )


def _digest(*packages: object) -> str:
    """Of the source that features follow from: another code, another cache."""
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(str(getattr(package, "__file__", ""))).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class FeatureCache:
    """Recordings and features of generated stores under one folder, by the code that made them."""

    def __init__(self, folder: Path, seconds: float) -> None:
        simulator = _digest(rfid_reader.simulator)
        self._recordings = folder / f"stores-{simulator}-{seconds:g}s"
        self.rows = folder / f"rows-{simulator}-{_digest(rfid_reader.flips)}-{seconds:g}s"
        self._scenes = hashlib.sha256(Path(scenes.__file__).read_bytes()).hexdigest()[:12]
        self._seconds = seconds
        for place in (self._recordings, self.rows):
            place.mkdir(parents=True, exist_ok=True)

    def name(self, seed: int, kind: str) -> str:
        """What files of a store or scene are called."""
        return f"{seed}" if kind == "store" else f"{kind}-{seed}-{self._scenes}"

    def recording(self, seed: int, kind: str = "store") -> StoreRecording:
        """A store, or one of the scenes of SCENES."""
        if kind == "paused":
            return with_pauses(self.recording(seed), seed)
        path = self._recordings / f"{self.name(seed, kind)}.pickle"
        if not path.exists():
            made = record_store(seed, self._seconds) if kind == "store" else SCENES[kind](seed)
            write_whole(path, pickle.dumps(made))
        recording: StoreRecording = pickle.loads(path.read_bytes())
        return recording

    def judged(self, seed: int, rate_hz: float, kind: str = "store") -> Judged:
        path = self.rows / f"{self.name(seed, kind)}-{rate_hz:g}.pickle"
        if not path.exists():
            write_whole(path, pickle.dumps(judged_rows(thinned(self.recording(seed, kind), rate_hz, seed))))
        judged: Judged = pickle.loads(path.read_bytes())
        return judged


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all, whoever else writes it."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
