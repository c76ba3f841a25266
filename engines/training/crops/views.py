"""Hard views of every crop, drawn once, and what the teachers say of each: of the view, not of the crop.

A student that has to say of a blurred, far or half-covered person what a teacher says of the clean picture is
asked for what cannot be seen. Here the teachers look at the same pixels as the student (a patient and
consistent teacher: Beyer et al. 2022), so that every view has an answer that can be learned.
"""

from __future__ import annotations

import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.backends import cpu
from engines.errors import TrainingError
from engines.evaluation.pool import Image
from engines.evaluation.reid_teachers import Embeddings, teachers
from engines.models.reid import INPUT_HEIGHT, INPUT_WIDTH
from engines.training.crops.augment import Hardships, as_batch, augmented
from engines.training.crops.gather import CropSet, inner

HARDSHIPS = Hardships(covered=0.15, few_pixels=0.6, least_height_px=40, tint=0.04)
CROPS_AT_ONCE = 256


@dataclass(frozen=True)
class ViewSet:
    """All views (n * a, 3, INPUT_HEIGHT, INPUT_WIDTH) uint8 BGR, `each` = a of a crop in a row, the first of
    them the crop as it is; the teachers' embeddings of all of them; which of the n crops are held out, and
    the source of each.
    """

    pictures: NDArray[np.uint8]
    each: int
    teachers: list[Embeddings]
    held_out: NDArray[np.bool_]
    sources: list[str]

    def rows(self, crops: NDArray[np.intp], view: NDArray[np.intp] | int) -> NDArray[np.intp]:
        """Rows of a view of each of these crops."""
        return np.asarray(crops * self.each + view, np.intp)


def views_of(crop_set: CropSet, row: int, each: int, seed: int) -> list[Image]:
    """The crop as it is, then `each` - 1 hard views of it, with parts of another crop before some."""
    rng = np.random.default_rng((seed, row))
    crop = np.asarray(crop_set.crops[row])
    views = [inner(crop)]
    while len(views) < each:
        other = np.asarray(crop_set.crops[int(rng.integers(len(crop_set.records)))])
        views.append(augmented(crop, inner(other), rng, HARDSHIPS))
    return views


def view_set(crops: CropSet, data: Path, folder: Path, each: int, seed: int, threads: int) -> ViewSet:
    """Draws the views and asks the teachers, or reads what an earlier call left in `folder`.

    The teachers compute in bfloat16 where the CPU has it, which moves a cosine by 0.02 at most. Raises
    TrainingError where what an earlier call left cannot be read.
    """
    stored, told = folder / "views.npy", folder / "views-teachers.npz"
    if not told.exists():
        _draw(crops, data, stored, told, each, seed, threads)
    try:
        with np.load(told) as arrays:
            embeddings = [np.asarray(arrays[name], np.float32) for name in sorted(arrays.files)]
        pictures = np.load(stored, mmap_mode="r")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(
            f"{told}, {stored.name}: damaged ({error}); delete both and the views are drawn again"
        ) from error
    held_out = np.asarray([record.held_out for record in crops.records])
    sources = [record.source for record in crops.records]
    return ViewSet(pictures, each, embeddings, held_out, sources)


def _draw(crops: CropSet, data: Path, stored: Path, told: Path, each: int, seed: int, threads: int) -> None:
    count = len(crops.records)
    shape = (count * each, 3, INPUT_HEIGHT, INPUT_WIDTH)
    pictures = np.lib.format.open_memmap(str(stored), mode="w+", dtype=np.uint8, shape=shape)
    asked = teachers(data, threads, "bf16" if cpu.has_bf16() else "f32")
    said: dict[str, list[NDArray[np.float16]]] = {name: [] for name in asked}
    start_s = time.monotonic()
    for first in range(0, count, CROPS_AT_ONCE):
        rows = range(first, min(first + CROPS_AT_ONCE, count))
        views = [view for row in rows for view in views_of(crops, row, each, seed)]
        pictures[first * each : rows.stop * each] = as_batch(views, (INPUT_WIDTH, INPUT_HEIGHT))
        for name, teacher in asked.items():
            said[name].append(teacher.embed(views).astype(np.float16))
        print(f"views: {rows.stop} of {count} crops, {time.monotonic() - start_s:.0f} s", flush=True)
    pictures.flush()
    partial = told.with_suffix(".part.npz")
    arrays = {name: np.concatenate(parts) for name, parts in said.items()}
    np.savez(partial, osnet_x0_25=arrays["osnet_x0_25"], retail_0286=arrays["retail_0286"])
    partial.replace(told)
