"""Crops for the action net, with the pose teacher's labels or with labels made by eye.

The table clip is left out because its people turn their backs: whatever the teacher says of their hands is
a guess. The aisle clip and every tenth crop of the crop set are never taken, and of the supermarket clip only
what lies well before its last two fifths: those are where the crops to be tested on
(`bench/vision/labels/action.csv`) come from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import TrainingError
from engines.evaluation.eye_labels import HANDLING, UNCLEAR, labelled_images, read_labels
from engines.evaluation.pool import Image, read_image
from engines.inference.crops import Box, cut
from engines.models.action import INPUT_HEIGHT, INPUT_WIDTH
from engines.training.crops.action_pose import Joints, PoseTeacher, PseudoLabel, grown, label, view_of
from engines.training.crops.gather import (
    INRIA,
    MARGIN,
    CropRecord,
    Crops,
    inria_records,
    pool_records,
    with_margin,
)

KEPT_WH = (round(INPUT_WIDTH * (1 + 2 * MARGIN)), round(INPUT_HEIGHT * (1 + 2 * MARGIN)))
MIN_HEIGHTS_PX = {"street": 110, "coco": 100, "cafe": 80}
RETAIL, RETAIL_FRAMES, RETAIL_TRAINED = "retail", 502, 0.55
NEVER = ("aisle", "table")


@dataclass(frozen=True)
class ActionSet:
    """Crops (n, height, width, 3) with a margin, labels (n,) in 0..1, joints (n, 8, 3), who is held out."""

    crops: Crops
    handling: NDArray[np.float32]
    joints: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    sources: list[str]


def chosen(data: Path, pool: Path, limits: dict[str, int], seed: int) -> list[CropRecord]:
    """The persons to learn from."""
    found = [record for record in pool_records(pool, {}, seed) if _usable(record)]
    found += [record for record in inria_records(data) if not record.held_out]
    rng = np.random.default_rng(seed)
    kept = []
    for source in sorted({record.source for record in found}):
        rows = [record for record in found if record.source == source]
        order = rng.permutation(len(rows))[: limits.get(source, len(rows))]
        kept += sorted((rows[index] for index in order), key=lambda record: record.file)
    return kept


def _usable(record: CropRecord) -> bool:
    tall = record.box[3] - record.box[1] >= MIN_HEIGHTS_PX.get(record.source, 0)
    late = record.source == RETAIL and _frame(record) >= RETAIL_TRAINED * RETAIL_FRAMES
    return tall and not late and record.source not in NEVER


def _frame(record: CropRecord) -> int:
    return int(Path(record.file).stem.split("-")[1])


def _held_out(record: CropRecord, index: int) -> bool:
    """The pool's own hold-out, and the last fifth of what is taken of the supermarket clip."""
    if record.source == RETAIL:
        return _frame(record) >= 0.8 * RETAIL_TRAINED * RETAIL_FRAMES
    return record.held_out or (record.source in (INRIA, "cafe") and index % 8 == 0)


def labelled(
    data: Path, pool: Path, folder: Path, teacher: Path, limits: dict[str, int], seed: int, threads: int
) -> ActionSet:
    """Cuts and labels the crops, or reads those of an earlier call; unknown poses are left out."""
    stored = folder / "action.npz"
    if not stored.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _label_all(stored, data, pool, _teacher(teacher, threads), chosen(data, pool, limits, seed))
    return _read(stored)


def labelled_by_eye(data: Path, labels: Path, folder: Path, teacher: Path, threads: int) -> ActionSet:
    """Cuts the clearly labelled persons and has their joints found, or reads those of an earlier call.

    Raises TrainingError where a picture or the teacher is missing.
    """
    stored = folder / "eye.npz"
    if not stored.exists():
        folder.mkdir(parents=True, exist_ok=True)
        boxes = [box for box in read_labels(labels) if box.label != UNCLEAR]
        poses = _teacher(teacher, threads)
        found = _Gathered()
        for image, here in labelled_images(data, boxes):
            for box in here:
                seen = label(cut(image, *view_of(box.box)), poses)
                sure = replace(seen, handling=float(box.label == HANDLING))
                found.add(image, box.box, sure, box.clip, box.held_out)
        found.write(stored)
    return _read(stored)


def _label_all(stored: Path, data: Path, pool: Path, teacher: PoseTeacher, records: list[CropRecord]) -> None:
    found = _Gathered()
    name, image = "", np.zeros((1, 1, 3), np.uint8)
    for index, record in enumerate(records):
        if record.file != name:
            folder = data / "img-inria-person-crops" / "pos" if record.source == INRIA else pool
            name, image = record.file, read_image(folder / record.file)
        seen = label(cut(image, *view_of(record.box)), teacher)
        if not np.isnan(seen.handling):
            found.add(image, record.box, seen, record.source, _held_out(record, index))
    if not found.crops:
        raise TrainingError(f"{pool}: the pose teacher recognises nobody in this pool")
    found.write(stored)


@dataclass
class _Gathered:
    """An ActionSet as it grows."""

    crops: list[Image] = field(default_factory=list)
    handling: list[float] = field(default_factory=list)
    joints: list[Joints] = field(default_factory=list)
    held_out: list[bool] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def add(self, image: Image, box: Box, seen: PseudoLabel, source: str, held_out: bool) -> None:
        self.crops.append(with_margin(image, grown(box), KEPT_WH))
        self.handling.append(seen.handling)
        self.joints.append(seen.joints)
        self.held_out.append(held_out)
        self.sources.append(source)
        if len(self.crops) % 500 == 0:
            print(f"pose teacher: {len(self.crops)} crops", flush=True)

    def write(self, stored: Path) -> None:
        partial = stored.with_suffix(".part.npz")
        np.savez(
            partial,
            crops=np.stack(self.crops),
            handling=np.asarray(self.handling, np.float32),
            joints=np.stack(self.joints),
            held_out=np.asarray(self.held_out),
            sources=np.asarray(json.dumps(self.sources)),
        )
        partial.replace(stored)


def _read(stored: Path) -> ActionSet:
    with np.load(stored) as arrays:
        return ActionSet(
            arrays["crops"],
            arrays["handling"],
            arrays["joints"],
            arrays["held_out"],
            json.loads(str(arrays["sources"])),
        )


def _teacher(path: Path, threads: int) -> PoseTeacher:
    if not path.is_file():
        raise TrainingError(f"{path}: the pose teacher is missing; engines/weights/README.md says whence")
    return PoseTeacher(path, threads)
