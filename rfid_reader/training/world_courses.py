"""What the production detector's course network would see in the stores of all worlds, for its training:
every tag's columns at every tick, kept on disk, so that an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

import rfid_reader.flips
import rfid_reader.simulator
import rfid_reader.training
from rfid_reader.antenna_calibration import AntennaCalibration, AntennaCell, calibrate_still
from rfid_reader.errors import AntennaCalibrationError
from rfid_reader.flips.course import COLUMNS, JUDGED, MOMENT, NOT_JUDGED
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.activity import BIN_S, OWN, SHARED
from rfid_reader.flips.features.recurrence import RECURRENCES
from rfid_reader.flips.features.residuals import MAX_ANTENNAS
from rfid_reader.flips.methods.production import Bin, ProductionDetector
from rfid_reader.flips.ticks import REORDER_S
from rfid_reader.half_turns import LONGEST_S, MOST_SHARE, counted, share_of, steps_within_cells
from rfid_reader.reads import ReadTable
from rfid_reader.training.activity_features import silent_course
from rfid_reader.training.disturbances import disturbed
from rfid_reader.training.scenes import SCENES
from rfid_reader.training.worlds import WORLDS, Handling, WorldRecording, simulate

WIDER_S, MARGIN_S = 0.25, 0.75
"""A moment counts as handled from WIDER_S before a handling's start to as long after its end, and not at all
up to MARGIN_S from it."""
CALIBRATED_SHARE = 0.75
SIGNED_COLUMN = OWN + SHARED + RECURRENCES - 2
"""The column whose sign changes with the direction in which a reader counts phase."""
SECONDS = 120.0
MOST_ANTENNAS = 6
NOT_OF_COLUMNS = {"course", "course_model", "windows", "events", "js", "raw", "splices"}
"""Modules that columns do not follow from."""


@dataclass(frozen=True)
class WorldStore:
    """One recording, tick by tick: the middle of the newest bin (ticks,), columns (tags, ticks, COLUMNS),
    group (tags, ticks), of every link heard in a bin the tick and the row of its tag (m,), the earliest
    first, and its columns (m, LINK_COLUMNS), and what is true of the recording."""

    world: str
    time_s: NDArray[np.float64]
    columns: NDArray[np.float16]
    group: NDArray[np.int8]
    link_tick: NDArray[np.int16]
    link_tag: NDArray[np.int16]
    links: NDArray[np.float16]
    epcs: list[str]
    handlings: tuple[Handling, ...]
    tags: int
    duration_s: float
    rates_hz: NDArray[np.float64]

    def worth_judging(self) -> NDArray[np.bool_]:
        """(tags, ticks)."""
        return np.asarray(self.columns[..., JUDGED] > 0)

    def flip_numbers(self) -> NDArray[np.int16]:
        """(tags, ticks): number of the handling that a tag is in (from 1), 0 outside, -1 near its edges."""
        rows = {epc: row for row, epc in enumerate(self.epcs)}
        numbers = np.zeros(self.group.shape, np.int16)
        for number, flip in enumerate((flip for flip in self.handlings if flip.epc in rows), start=1):
            mine = numbers[rows[flip.epc]]
            start_s, end_s = flip.start_s - WIDER_S, flip.end_s + WIDER_S
            inside = (self.time_s >= start_s) & (self.time_s <= end_s)
            more_s = MARGIN_S - WIDER_S
            around = (self.time_s >= start_s - more_s) & (self.time_s <= end_s + more_s)
            mine[around & ~inside & (mine == 0)] = -1
            mine[inside] = number
        return numbers


def calibration_of(recording: WorldRecording) -> AntennaCalibration | None:
    """From a recording's quiet time, None without one."""
    try:
        return calibrate_still(recording.still)
    except AntennaCalibrationError:
        return None


class _Recorder(ProductionDetector):
    """Keeps the columns it would judge instead of judging them."""

    def __init__(self, calibration: AntennaCalibration | None) -> None:
        super().__init__(calibration, None, EventRules(0.5, 0.25), silent_course())
        self.times: list[float] = []
        self.bins: list[Bin] = []

    def _tick(self, time_s: float) -> list:  # type: ignore[type-arg]
        self.times.append(time_s + REORDER_S - BIN_S / 2)
        self.bins.append(self.step())
        return []


def courses_of(recording: WorldRecording, calibrated: bool = True) -> WorldStore:
    """Everything the network would see in one recording, with its calibration or from a cold start."""
    recorder = _Recorder(calibration_of(recording) if calibrated else None)
    return _recorded(recorder, [recording])[0]


def half_turns(recording: WorldRecording) -> bool:
    """Whether the detector would double the phases of this reader."""
    share = share_of(counted(steps_within_cells(recording.reads, LONGEST_S)))
    return share is not None and share > MOST_SHARE


def courses_side_by_side(
    recordings: Sequence[WorldRecording], calibrated: Sequence[bool]
) -> list[WorldStore]:
    """The same of several recordings at once, as if one reader had all their antennas (at most MAX_ANTENNAS),
    which takes a third of the time. None of their readers may be half a turn off at random."""
    cells: dict[str, list[AntennaCell]] = {}
    moved, first, sample = [], 0, None
    for recording, known in zip(recordings, calibrated, strict=True):
        calibration = calibration_of(recording) if known else None
        reads = recording.reads
        moved.append(replace(reads, antenna=reads.antenna + np.int16(first)))
        if calibration is not None:
            sample = calibration
            for epc, own in calibration.cells.items():
                cells[epc] = [msgspec.structs.replace(cell, antenna=cell.antenna + first) for cell in own]
        first += int(recording.reads.antenna.max(initial=0))
    whole = ReadTable.concatenate(moved).in_time_order()
    merged = None
    if sample is not None:
        merged = msgspec.structs.replace(sample, cells=cells, phases_doubled=False)
    return _recorded(_Recorder(merged), recordings, whole)


def _recorded(
    recorder: _Recorder, recordings: Sequence[WorldRecording], reads: ReadTable | None = None
) -> list[WorldStore]:
    recorder.feed(recordings[0].reads if reads is None else reads)
    recorder.finish()
    epcs = recorder.tag_rows.epcs
    columns = np.zeros((len(epcs), len(recorder.bins), COLUMNS), np.float16)
    columns[..., MOMENT] = NOT_JUDGED
    group = np.full(columns.shape[:2], -1, np.int8)
    for tick, one in enumerate(recorder.bins):
        columns[: len(one.columns), tick], group[: len(one.groups), tick] = one.columns, one.groups
    heard = [len(one.link_tags) for one in recorder.bins]
    every = WorldStore(
        "",
        np.array(recorder.times),
        columns,
        group,
        np.repeat(np.arange(len(heard)), heard).astype(np.int16),
        np.concatenate([one.link_tags for one in recorder.bins]).astype(np.int16),
        np.concatenate([one.links for one in recorder.bins]).astype(np.float16),
        *(epcs, (), len(epcs), 0.0, np.zeros(len(epcs))),
    )
    return [_of_store(recording, every) for recording in recordings]


def _of_store(recording: WorldRecording, every: WorldStore) -> WorldStore:
    """The part of several recordings side by side that is of one of them."""
    heard, count = np.unique(recording.reads.epc, return_counts=True)
    rates_hz = dict(zip(heard.tolist(), (count / recording.duration_s).tolist(), strict=True))
    rows = [row for row, epc in enumerate(every.epcs) if epc in rates_hz]
    ticks = int(np.searchsorted(every.time_s, recording.duration_s + 4.0))
    place = np.full(len(every.epcs), -1)
    place[rows] = np.arange(len(rows))
    mine = (place[every.link_tag] >= 0) & (every.link_tick < ticks)
    epcs = [every.epcs[row] for row in rows]
    return WorldStore(
        recording.name.split("-")[0],
        every.time_s[:ticks],
        every.columns[rows, :ticks],
        every.group[rows, :ticks],
        every.link_tick[mine],
        place[every.link_tag[mine]].astype(np.int16),
        every.links[mine],
        epcs,
        recording.handlings,
        recording.tags,
        recording.duration_s,
        np.array([rates_hz[epc] for epc in epcs]),
    )


def recording_of(kind: str, seed: int, seconds: float) -> WorldRecording:
    """A store of a world, or a scene."""
    return simulate(kind, seed, seconds) if kind in WORLDS else SCENES[kind](seed)


def _digest() -> str:
    """Of the source that columns follow from: another code, another cache."""
    digest = hashlib.sha256()
    for package in (rfid_reader.flips, rfid_reader.simulator, rfid_reader.training):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            if path.stem not in NOT_OF_COLUMNS:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _calibrated(seed: int) -> bool:
    return bool(np.random.default_rng([seed, 7]).random() < CALIBRATED_SHARE)


class WorldCourses:
    """Courses under one folder, by the code that made them."""

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self.folder = folder / f"worlds-{_digest()}-{seconds:g}s"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._seconds = seconds

    def _path(self, kind: str, seed: int, plain: bool) -> Path:
        return self.folder / f"{kind}-{seed}{'-plain' if plain else ''}.pickle"

    def holds(self, kind: str, seed: int, plain: bool = False) -> bool:
        """Whether it is there already."""
        return self._path(kind, seed, plain).exists()

    def prepare(self, wanted: Sequence[tuple[str, int]]) -> None:
        """Make the courses of disturbed stores, several at a time; those of readers that are half a turn off
        at random by themselves."""
        batch: list[tuple[str, int, WorldRecording]] = []
        for kind, seed in wanted:
            if self.holds(kind, seed):
                continue
            recording = disturbed(recording_of(kind, seed, self._seconds), seed)
            if half_turns(recording):
                self._write(self._path(kind, seed, False), courses_of(recording, _calibrated(seed)))
                continue
            batch.append((kind, seed, recording))
            antennas = sum(int(one.reads.antenna.max(initial=0)) for *_, one in batch)
            if antennas > MAX_ANTENNAS - MOST_ANTENNAS:
                self._make(batch)
                batch = []
        self._make(batch)

    def _make(self, batch: Sequence[tuple[str, int, WorldRecording]]) -> None:
        if batch:
            made = courses_side_by_side(
                [one for *_, one in batch], [_calibrated(seed) for _, seed, _ in batch]
            )
            for (kind, seed, _), courses in zip(batch, made, strict=True):
                self._write(self._path(kind, seed, False), courses)

    @staticmethod
    def _write(path: Path, courses: WorldStore) -> None:
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(pickle.dumps(courses))
        draft.replace(path)

    def courses(self, kind: str, seed: int, plain: bool = False) -> WorldStore:
        """Of a store or scene through a reader drawn at random; plain: as its world's own reader heard it."""
        path = self._path(kind, seed, plain)
        if not path.exists():
            recording = recording_of(kind, seed, self._seconds)
            calibrated = plain or _calibrated(seed)
            self._write(path, courses_of(recording if plain else disturbed(recording, seed), calibrated))
        found: WorldStore = pickle.loads(path.read_bytes())
        return found
