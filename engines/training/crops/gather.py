"""Cuts persons out of the pool and the crop set, once, into one array on disk.

A crop shows the person's box with a margin on every side, so that augmentation can shift and scale the box:
the box itself is the middle `BOX_WH` of the `CROP_WH` pixels kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import TrainingError
from engines.evaluation.pool import Image, read_image, read_index
from engines.inference.crops import Box, cut

BOX_WH = (96, 192)
MARGIN = 0.1
CROP_WH = (round(BOX_WH[0] * (1 + 2 * MARGIN)), round(BOX_WH[1] * (1 + 2 * MARGIN)))
MIN_HEIGHT_PX = 40
MIN_TRUST = 0.5
INRIA = "inria"
INRIA_BOX = (26.0, 28.0, 70.0, 132.0)
"""The person stands about 96 px tall in the middle of the 96 x 160 crops."""

Crops = NDArray[np.uint8]


@dataclass(frozen=True)
class CropRecord:
    """Where a crop is from: source, file of the pool or crop set, box left, top, right, bottom px."""

    source: str
    file: str
    box: Box
    held_out: bool


@dataclass(frozen=True)
class CropSet:
    """All crops (n, height, width, 3) uint8 BGR, memory-mapped, and a record for each."""

    crops: Crops
    records: list[CropRecord]

    def rows(self, held_out: bool) -> NDArray[np.intp]:
        """Indices of the crops that are, or are not, held out."""
        return np.flatnonzero([record.held_out == held_out for record in self.records])


def with_margin(image: Image, box: Box, size_wh: tuple[int, int] = CROP_WH) -> Image:
    """The box of a picture grown by `MARGIN` of its size on every side and stretched to `size_wh`."""
    left, top, right, bottom = box
    x, y = (right - left) * MARGIN, (bottom - top) * MARGIN
    return cut(image, (left - x, top - y, right + x, bottom + y), size_wh)


def inner_size(crop: Image) -> tuple[int, int]:
    """Width and height of the box itself in a crop with its margin."""
    return round(crop.shape[1] / (1 + 2 * MARGIN)), round(crop.shape[0] / (1 + 2 * MARGIN))


def inner(crop: Image) -> Image:
    """The box itself of a crop with its margin."""
    width, height = inner_size(crop)
    left, top = (crop.shape[1] - width) // 2, (crop.shape[0] - height) // 2
    return np.ascontiguousarray(crop[top : top + height, left : left + width])


def pool_records(pool: Path, limits: dict[str, int], seed: int) -> list[CropRecord]:
    """Persons of the pool who are sure and tall enough, at most `limits[source]` of a source."""
    by_source: dict[str, list[CropRecord]] = {}
    for entry in read_index(pool):
        for box, trust in zip(entry.boxes, entry.trust, strict=True):
            left, top, right, bottom = box
            if trust >= MIN_TRUST and bottom - top >= MIN_HEIGHT_PX and right - left >= MIN_HEIGHT_PX / 4:
                record = CropRecord(entry.source, entry.file, (left, top, right, bottom), entry.held_out)
                by_source.setdefault(entry.source, []).append(record)
    rng = np.random.default_rng(seed)
    kept: list[CropRecord] = []
    for source, records in by_source.items():
        chosen = rng.permutation(len(records))[: limits.get(source, len(records))]
        kept.extend(records[index] for index in np.sort(chosen))
    return kept


def inria_records(data: Path) -> list[CropRecord]:
    """The crop set; every tenth is held out."""
    files = sorted((data / "img-inria-person-crops" / "pos").glob("*.jpg"))
    return [CropRecord(INRIA, path.name, INRIA_BOX, index % 10 == 0) for index, path in enumerate(files)]


def gather(data: Path, pool: Path, folder: Path, limits: dict[str, int], seed: int) -> CropSet:
    """Cuts all crops, or reads those that an earlier call left in `folder`."""
    listing, stored = folder / "crops.json", folder / "crops.npy"
    if not listing.exists():
        folder.mkdir(parents=True, exist_ok=True)
        records = [*pool_records(pool, limits, seed), *inria_records(data)]
        if not records:
            raise TrainingError(f"{pool}: no persons in this pool")
        shape = (len(records), CROP_WH[1], CROP_WH[0], 3)
        crops = np.lib.format.open_memmap(str(stored), mode="w+", dtype=np.uint8, shape=shape)
        for index, crop in enumerate(_cut_all(records, pool, data)):
            crops[index] = crop
        crops.flush()
        listing.write_text(json.dumps([asdict(record) for record in records]))
    records = [
        CropRecord(item["source"], item["file"], tuple(item["box"]), item["held_out"])
        for item in json.loads(listing.read_text())
    ]
    return CropSet(np.load(stored, mmap_mode="r"), records)


def _cut_all(records: list[CropRecord], pool: Path, data: Path) -> Iterator[Image]:
    name, image = "", np.zeros((1, 1, 3), np.uint8)
    for record in records:
        if record.file != name:
            folder = data / "img-inria-person-crops" / "pos" if record.source == INRIA else pool
            name, image = record.file, read_image(folder / record.file)
        yield with_margin(image, record.box)
