"""Builds the pool: gathers the pictures, lets the teachers label them, cuts persons out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from engines.evaluation.pool import (
    EMPTY,
    Image,
    LabelledImage,
    Labels,
    PoolEntry,
    all_images,
    save_image,
    shrink,
    write_index,
)
from engines.evaluation.teachers import Teachers
from engines.training.detector import cutouts


def build_pool(data: Path, folder: Path, threads: int) -> list[PoolEntry]:
    """Writes pictures, `pool.json`, cut-outs and empty scenes into `folder`; tells progress every 250."""
    folder.mkdir(parents=True, exist_ok=True)
    teachers = Teachers(data, threads)
    entries: list[PoolEntry] = []
    persons: list[cutouts.Cutout] = []
    frames_of: dict[str, list[Image]] = {}
    start = time.monotonic()
    for original in all_images(data):
        original.labels = teachers.label(original)
        picture = shrink(original)
        entries.append(save_image(folder, picture))
        if picture.source == "street" and not picture.held_out:
            persons.extend(cutouts.from_picture(picture))
        if picture.source in ("retail", "hall") and not picture.held_out:
            frames_of.setdefault(picture.source, []).append(picture.image)
        if len(entries) % 250 == 0:
            print(
                f"pool: {len(entries)} pictures, {len(persons)} cut-outs, {time.monotonic() - start:.0f} s",
                flush=True,
            )
    for source, frames in frames_of.items():
        entries.append(save_image(folder, empty_scene(source, frames, teachers)))
    write_index(folder, entries)
    persons.extend(cutouts.from_crops(data / "img-inria-person-crops" / "pos", teachers.yolox))
    cutouts.save_cutouts(folder / "cutouts", persons)
    print(
        f"pool: done, {len(entries)} pictures, {len(persons)} cut-outs, {time.monotonic() - start:.0f} s",
        file=sys.stdout,
    )
    return entries


def empty_scene(name: str, frames: list[Image], teachers: Teachers) -> LabelledImage:
    """The median of a clip; whoever stood still and is still seen in it is a place to look away from."""
    image = np.median(np.stack(frames[:: max(1, len(frames) // 25)]), 0).astype(np.uint8)
    seen = teachers.yolox.look(image, (416, 640, 960))
    labels = Labels.certain(seen.boxes)
    labels.trust[:] = 0
    return LabelledImage(name, EMPTY, False, image, labels, complete=True)
