"""Crops for the action net, with the pose teacher's labels.

The aisle clip and every tenth crop of the crop set are never taken, and of the supermarket clip only what
lies well before its last two fifths: those are where the crops labelled by eye (`bench/labels/action.csv`)
come from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.crops import cut
from engines.distill.config import TrainingError
from engines.distill.crops.action_pose import PoseTeacher, grown, label, view_of
from engines.distill.crops.gather import (
    INRIA,
    MARGIN,
    CropRecord,
    Crops,
    inria_records,
    pool_records,
    with_margin,
)
from engines.distill.pool import read_image
from engines.models.action import INPUT_HEIGHT, INPUT_WIDTH

KEPT_WH = (round(INPUT_WIDTH * (1 + 2 * MARGIN)), round(INPUT_HEIGHT * (1 + 2 * MARGIN)))
LEAST_HEIGHTS_PX = {"street": 110, "coco": 100, "cafe": 80}
RETAIL, RETAIL_FRAMES, RETAIL_TRAINED = "retail", 502, 0.55
NEVER = ("aisle",)


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
    tall = record.box[3] - record.box[1] >= LEAST_HEIGHTS_PX.get(record.source, 0)
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
        if not teacher.is_file():
            raise TrainingError(
                f"{teacher}: the pose teacher is missing; engines/weights/README.md says whence"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _label_all(stored, data, pool, PoseTeacher(teacher, threads), chosen(data, pool, limits, seed))
    with np.load(stored) as arrays:
        return ActionSet(
            arrays["crops"],
            arrays["handling"],
            arrays["joints"],
            arrays["held_out"],
            json.loads(str(arrays["sources"])),
        )


def _label_all(stored: Path, data: Path, pool: Path, teacher: PoseTeacher, records: list[CropRecord]) -> None:
    crops, values, joints, held_out, sources = [], [], [], [], []
    name, image = "", np.zeros((1, 1, 3), np.uint8)
    for index, record in enumerate(records):
        if record.file != name:
            folder = data / "img-inria-person-crops" / "pos" if record.source == INRIA else pool
            name, image = record.file, read_image(folder / record.file)
        found = label(cut(image, *view_of(record.box)), teacher)
        if np.isnan(found.handling):
            continue
        crops.append(with_margin(image, grown(record.box), KEPT_WH))
        values.append(found.handling)
        joints.append(found.joints)
        held_out.append(_held_out(record, index))
        sources.append(record.source)
        if len(crops) % 500 == 0:
            print(f"pose teacher: {len(crops)} of {index + 1} crops", flush=True)
    if not crops:
        raise TrainingError(f"{pool}: the pose teacher recognises nobody in this pool")
    partial = stored.with_suffix(".part.npz")
    np.savez(
        partial,
        crops=np.stack(crops),
        handling=np.asarray(values, np.float32),
        joints=np.stack(joints),
        held_out=np.asarray(held_out),
        sources=np.asarray(json.dumps(sources)),
    )
    partial.replace(stored)
