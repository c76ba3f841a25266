"""Persons cut out of photos with published boxes: real crops to be had without asking any detector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np

from engines.errors import TrainingError
from engines.evaluation.pool import Image, cafe, coco, read_image, shrink, street_people
from engines.training.crops.gather import (
    MIN_HEIGHT_PX,
    CropRecord,
    CropSet,
    inria_records,
    with_margin,
)

CAFE_HELD_OUT = 10
"""Every so many photos of the hall is held out: its crops are asked for likeness only, not for boxes."""


def published_crops(data: Path, folder: Path, limits: dict[str, int], seed: int) -> CropSet:
    """Cuts at most `limits[source]` persons of each source, or reads what an earlier call left in `folder`.

    Raises TrainingError where there are no pictures.
    """
    listing, stored = folder / "crops.json", folder / "crops.npy"
    if not listing.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _cut(data, folder, limits, seed)
    records = [
        CropRecord(item["source"], item["file"], tuple(item["box"]), item["held_out"])
        for item in json.loads(listing.read_text())
    ]
    return CropSet(np.load(stored, mmap_mode="r"), records)


def _cut(data: Path, folder: Path, limits: dict[str, int], seed: int) -> None:
    by_source: dict[str, list[tuple[CropRecord, Image]]] = {}
    for record, crop in _all(data):
        by_source.setdefault(record.source, []).append((record, crop))
    if not by_source:
        raise TrainingError(f"{data}: no pictures with published boxes here")
    rng = np.random.default_rng(seed)
    kept: list[tuple[CropRecord, Image]] = []
    for source, found in by_source.items():
        chosen = rng.permutation(len(found))[: limits.get(source, len(found))]
        kept += [found[place] for place in np.sort(chosen)]
    partial = folder / "crops.part.npy"
    np.save(partial, np.stack([crop for _, crop in kept]))
    partial.replace(folder / "crops.npy")
    (folder / "crops.json").write_text(json.dumps([asdict(record) for record, _ in kept]))


def _all(data: Path) -> Iterator[tuple[CropRecord, Image]]:
    for number, picture in enumerate(chain(street_people(data), coco(data), cafe(data)), 1):
        small = shrink(picture)
        held_out = picture.held_out or (picture.source == "cafe" and number % CAFE_HELD_OUT == 0)
        for left, top, right, bottom in small.labels.boxes.tolist():
            if bottom - top >= MIN_HEIGHT_PX and right - left >= MIN_HEIGHT_PX / 4:
                box = (left, top, right, bottom)
                record = CropRecord(picture.source, picture.name, box, held_out)
                yield record, with_margin(small.image, box)
    for record in inria_records(data):
        image = read_image(data / "img-inria-person-crops" / "pos" / record.file)
        yield record, with_margin(image, record.box)
