"""Re-identification across cameras: Market-1501 by its own protocol, and drawn people who are held out.

Market-1501's pictures (Zheng et al. 2015) are not ours to pass on: put them into `market-1501` of the data
folder. Its protocol: each picture of `query` orders all of `bounding_box_test`; those of the same person
before the same camera do not count, nor does junk (person -1); distractors (person 0) do, as nobody.

Drawn people (`python -m engines.training.synthetic identities`) ask all crops of everybody who is held out;
those of the same person before the same camera do not count. They are no real pictures: what they say is how
far a net has learnt what it was taught.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.vision.accuracy_reid import OURS, ReidRating
from engines.evaluation.retrieval import retrieve
from engines.inference.reid import REID_WEIGHTS, PersonEmbedder
from tagsight.errors import TagsightError

MARKET = "Market-1501"
MARKET_FOLDER = "market-1501"
QUERY, GALLERY = "query", "bounding_box_test"
NAME = re.compile(r"(-1|\d{4})_c(\d)s\d_\d{6}_\d{2}\.jpg")
"""Person, camera, sequence, frame, number of the box."""
JUNK = -1
DRAWN = "drawn people, held out"

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class CameraSightings:
    """Crops with who (n,) is before which camera (n,)."""

    crops: list[Image]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]


def rate_all(data: Path, threads: int, others: Sequence[str], drawn: Path | None) -> list[ReidRating]:
    """Ours and `others` on the sets that are there; says of those that are not why they were not run.

    Raises EngineError, and TagsightError for a set that is damaged.
    """
    names = {OURS[2]: REID_WEIGHTS, **{name: name for name in others}}
    embedders = {name: PersonEmbedder.open(file, threads=threads) for name, file in names.items()}
    found: list[ReidRating] = []
    folder = data / MARKET_FOLDER
    if (folder / QUERY).is_dir() and (folder / GALLERY).is_dir():
        asked, there = sightings(folder / QUERY), sightings(folder / GALLERY)
        found += [rate(name, MARKET, one, asked, there) for name, one in embedders.items()]
    else:
        click.echo(f"{MARKET}: not run: no pictures in {folder}", err=True)
    if drawn is not None:
        everybody = _drawn(drawn)
        found += [rate(name, DRAWN, one, everybody, everybody) for name, one in embedders.items()]
    return found


def rate(
    name: str, data: str, embedder: PersonEmbedder, asked: CameraSightings, there: CameraSightings
) -> ReidRating:
    """Retrieval across cameras."""
    same = asked.persons[:, None] == there.persons[None]
    skipped = (same & (asked.cameras[:, None] == there.cameras[None])) | (there.persons == JUNK)[None]
    rows = [_embedded(embedder, each.crops) for each in (asked, there)]
    found = retrieve(rows[0], asked.persons, rows[1], there.persons, skipped)
    return ReidRating(
        name, embedder.size, found.queries, found.rank1, found.mean_ap, data, found.same, found.different
    )


def sightings(folder: Path) -> CameraSightings:
    """The pictures of a folder of Market-1501. Raises TagsightError for one that is not named as there."""
    crops, persons, cameras = [], [], []
    for path in sorted(folder.glob("*.jpg")):
        named = NAME.fullmatch(path.name)
        if named is None:
            raise TagsightError(f"{path}: not named as in {MARKET}; 0001_c1s1_001051_00.jpg would be right")
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise TagsightError(f"{path}: not a picture that OpenCV can read")
        crops.append(np.asarray(picture, np.uint8))
        persons.append(int(named[1]))
        cameras.append(int(named[2]))
    return CameraSightings(crops, np.array(persons, np.int64), np.array(cameras, np.int64))


def _drawn(folder: Path) -> CameraSightings:
    from engines.training.crops.tuning.drawn import drawn_crops

    found = drawn_crops(folder, held_out=True)
    cameras = np.unique(found.cameras, return_inverse=True)[1]
    return CameraSightings(found.plain(range(len(found.persons))), found.persons, cameras.astype(np.int64))


def _embedded(embedder: PersonEmbedder, crops: list[Image]) -> NDArray[np.float32]:
    def rows() -> Iterator[NDArray[np.float32]]:
        for crop in crops:
            height, width = crop.shape[:2]
            yield embedder.embed(crop, [[0, 0, width, height]])

    return np.concatenate(list(rows())) if crops else np.zeros((0, embedder.size), np.float32)
