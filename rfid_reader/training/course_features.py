"""What the production detector's course network would see in generated stores, for training: every tag's
columns at every tick, kept on disk beside the rows of `flip_features`.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.course import COLUMNS, JUDGED, MOMENT, NOT_JUDGED
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.activity import BIN_S, FEATURES
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.network import FeedForward, load_network
from rfid_reader.flips.ticks import REORDER_S
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import StoreRecording, thinned
from rfid_reader.training.activity_features import MARGIN_S, FeatureCache, silent_course, write_whole


@dataclass(frozen=True)
class StoreCourses:
    """One recording, tick by tick: the middle of the newest bin (ticks,), columns (tags, ticks, COLUMNS),
    group (tags, ticks), and what is true of it."""

    time_s: NDArray[np.float64]
    columns: NDArray[np.float16]
    group: NDArray[np.int8]
    epcs: list[str]
    flips: list[TrueFlip]
    tags: int
    duration_s: float

    def worth_judging(self) -> NDArray[np.bool_]:
        """(tags, ticks)."""
        return np.asarray(self.columns[..., JUDGED] > 0)

    def flip_numbers(self) -> NDArray[np.int16]:
        """(tags, ticks): number of the flip that a tag is in (from 1), 0 outside, -1 within MARGIN_S of its
        edges."""
        rows = {epc: row for row, epc in enumerate(self.epcs)}
        numbers = np.zeros(self.group.shape, np.int16)
        for number, flip in enumerate((flip for flip in self.flips if flip.epc in rows), start=1):
            mine = numbers[rows[flip.epc]]
            inside = (self.time_s >= flip.start_s) & (self.time_s <= flip.end_s)
            around = (self.time_s >= flip.start_s - MARGIN_S) & (self.time_s <= flip.end_s + MARGIN_S)
            mine[around & ~inside & (mine == 0)] = -1
            mine[inside] = number
        return numbers


class _Recorder(ProductionDetector):
    """Keeps the columns it would judge instead of judging them."""

    def __init__(self, network: FeedForward) -> None:
        super().__init__(None, network, EventRules(0.5, 0.25), silent_course())
        self.ticks: list[tuple[float, NDArray[np.float16], NDArray[np.int8]]] = []

    def _tick(self, time_s: float) -> list:  # type: ignore[type-arg]
        _, groups, columns = self.step()
        newest_s = time_s + REORDER_S - BIN_S / 2
        self.ticks.append((newest_s, columns.astype(np.float16), groups.astype(np.int8)))
        return []


def courses_of(recording: StoreRecording, network: FeedForward) -> StoreCourses:
    """Everything the course network would see in one recording."""
    recorder = _Recorder(network)
    recorder.feed(recording.reads)
    recorder.finish()
    epcs = recorder.tag_rows.epcs
    columns = np.zeros((len(epcs), len(recorder.ticks), COLUMNS), np.float16)
    columns[..., MOMENT] = NOT_JUDGED
    group = np.full(columns.shape[:2], -1, np.int8)
    for tick, (_, seen, groups) in enumerate(recorder.ticks):
        columns[: len(seen), tick], group[: len(seen), tick] = seen, groups
    times = np.array([tick[0] for tick in recorder.ticks])
    flips, tags = recording.flips, recording.tags
    return StoreCourses(times, columns, group, list(epcs), flips, tags, recording.duration_s)


class CourseCache:
    """Courses under the folder of a FeatureCache, by the code and by the network of moments."""

    def __init__(self, features: FeatureCache) -> None:
        self._features = features
        self._network, _ = load_network("production", FEATURES)
        digest = hashlib.sha256(b"".join(weight.tobytes() for weight in self._network.weights)).hexdigest()
        self.folder: Path = features.rows / f"courses-{digest[:12]}"
        self.folder.mkdir(exist_ok=True)

    def courses(self, seed: int, rate_hz: float, kind: str = "store") -> StoreCourses:
        """Of a store, or of one of the scenes, thinned to a read rate."""
        path = self.folder / f"{self._features.name(seed, kind)}-{rate_hz:g}.pickle"
        if not path.exists():
            recording = thinned(self._features.recording(seed, kind), rate_hz, seed)
            write_whole(path, pickle.dumps(courses_of(recording, self._network)))
        found: StoreCourses = pickle.loads(path.read_bytes())
        return found
