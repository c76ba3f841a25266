"""Re-identification on PETS09-S2L1 and TUD-Campus: ours (whole person, parts, both), its teachers, and plain
colours.

The labelled boxes of every 15th frame of PETS (about 30 x 75 px, 19 people, one camera) and of every 4th of
TUD (about 80 x 200 px, 8 people, one camera, 3 s) are the crops. Each asks all others for the same person;
those of the same person less than 100 frames away, of TUD 20, do not count, so that it is not asked to
recognise a pose. Rank-1 is the share of first answers that are right, mAP the mean average precision. Neither
was ever trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.reid_teachers import teachers
from engines.evaluation.retrieval import NO_SPREAD, LikenessSpread, retrieve
from engines.inference.reid import GLOBAL_FEATURES, REID_WEIGHTS, PersonEmbedder
from runtime.vision.track.appearance import colour_signatures

APART = 100
"""Frames of PETS between two sightings of a person that are to be recognised."""

HISTOGRAM = (16, 8, 8)
"""Bins of hue, saturation and value of the plain histogram over the whole box."""

BEHIND = 0.02
"""How far ours may be behind the better teacher."""

OURS = ("ours, whole person", "ours, parts", "ours, fused")
COLOURS = "HSV histogram"
TAUGHT = ("osnet_x0_25", "retail_0286")

Image = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class ReidClip:
    """A labelled clip: its film, every how many frames are looked at, and how many frames lie between two
    sightings of a person that are to be recognised."""

    name: str
    film: Path
    every: int
    apart: int


PETS = ReidClip("PETS09-S2L1", Path("video-mot15-pets09-s2l1/PETS09-S2L1.mp4"), 15, APART)
TUD = ReidClip("TUD-Campus", Path("video-mot15-tud-campus/TUD-Campus.mp4"), 4, 20)
CLIPS = (PETS, TUD)


@dataclass(frozen=True)
class ReidRating:
    """What one kind of vector reached; `numbers` is its length, `queries` how many crops had an answer;
    `same` and `different` say how likenesses of one person and of two spread."""

    name: str
    numbers: int
    queries: int
    rank1: float
    mean_ap: float
    data: str = PETS.name
    same: LikenessSpread = NO_SPREAD
    different: LikenessSpread = NO_SPREAD


@dataclass(frozen=True)
class _Frame:
    """A picture with the boxes (n, 4) left, top, right, bottom px and ids (n,) of the people in it."""

    number: int
    image: Image
    boxes: Boxes
    ids: NDArray[np.int64]


def rate_all(
    data: Path, threads: int, others: Sequence[str] = (), clips: Sequence[ReidClip] = CLIPS
) -> list[ReidRating]:
    """Ours, `others` by name or file, the teachers and colours on the same crops of each clip.

    Raises EngineError.
    """
    return [rating for clip in clips for rating in _rate_clip(data, threads, others, clip)]


def _rate_clip(data: Path, threads: int, others: Sequence[str], clip: ReidClip) -> list[ReidRating]:
    embedder = PersonEmbedder.open(REID_WEIGHTS, threads=threads)
    beside = {name: PersonEmbedder.open(name, threads=threads) for name in others}
    taught = teachers(data, threads)
    kinds: dict[str, Callable[[_Frame], Vectors]] = {
        OURS[2]: lambda frame: embedder.embed(frame.image, frame.boxes),
        **{name: _by_embedder(one) for name, one in beside.items()},
        **{name: _by_teacher(teacher.embed) for name, teacher in taught.items()},
        "tracker's colours": lambda f: np.asarray(colour_signatures(f.image, f.boxes), np.float32),
        COLOURS: lambda frame: np.stack([_histogram(crop) for crop in _crops(frame)]),
    }
    found: dict[str, list[Vectors]] = {name: [] for name in kinds}
    ids, numbers = [], []
    for frame in frames(data, clip):
        for name, vectors_of in kinds.items():
            found[name].append(vectors_of(frame))
        ids.append(frame.ids)
        numbers.append(np.full(len(frame.ids), frame.number))
    vectors = {name: np.concatenate(parts) for name, parts in found.items()}
    fused = vectors[OURS[2]]
    every_kind = {
        OURS[0]: _unit(fused[:, :GLOBAL_FEATURES]),
        OURS[1]: _unit(fused[:, GLOBAL_FEATURES:]),
        **vectors,
    }
    who, when = np.concatenate(ids), np.concatenate(numbers)
    rated = [rate(name, rows, who, when, clip.apart) for name, rows in every_kind.items()]
    return [replace(rating, data=clip.name) for rating in rated]


def rate(
    name: str, vectors: Vectors, ids: NDArray[np.int64], numbers: NDArray[np.int64], apart: int = APART
) -> ReidRating:
    """Retrieval by the cosine of unit vectors (n, k) of people `ids` (n,) in frames `numbers` (n,)."""
    same = ids[:, None] == ids[None, :]
    near = np.abs(numbers[:, None] - numbers[None, :]) < apart
    found = retrieve(vectors, ids, vectors, ids, (same & near) | np.eye(len(ids), dtype=bool))
    return ReidRating(
        name,
        vectors.shape[1],
        found.queries,
        found.rank1,
        found.mean_ap,
        same=found.same,
        different=found.different,
    )


def verdicts(ratings: list[ReidRating]) -> list[str]:
    """A line for each thing owed, on PETS."""
    of = {rating.name: rating for rating in ratings if rating.data == PETS.name}
    fused, colours = of[OURS[2]], of[COLOURS]
    taught = [of[name] for name in TAUGHT if name in of]
    lines = []
    for figure in ("rank1", "mean_ap"):
        mine = float(getattr(fused, figure))
        best = max(taught, key=lambda rating: float(getattr(rating, figure)))
        owed = float(getattr(best, figure)) - BEHIND
        lines.append(
            f"owed: {figure} >= {owed:.3f} ({best.name} - {BEHIND:g}); fused {mine:.3f}, {_met(mine >= owed)}"
        )
        plain = float(getattr(colours, figure))
        lines.append(f"owed: {figure} above colours {plain:.3f}; fused {mine:.3f}, {_met(mine > plain)}")
        parts = max(float(getattr(of[name], figure)) for name in OURS[:2])
        lines.append(
            f"owed: {figure} above whole person and parts {parts:.3f}; fused {mine:.3f}, {_met(mine > parts)}"
        )
    return lines


def frames(data: Path, clip: ReidClip) -> Iterator[_Frame]:
    """Every n-th frame of the clip that shows labelled people."""
    truth = np.loadtxt((data / clip.film).with_name("gt.txt"), delimiter=",")
    capture = cv2.VideoCapture(str(data / clip.film))
    number = 0
    while capture.grab():
        number += 1
        there = truth[(truth[:, 0] == number) & (truth[:, 6] == 1)]
        if (number - 1) % clip.every or not len(there):
            continue
        image = np.asarray(capture.retrieve()[1], np.uint8)
        boxes = np.concatenate([there[:, 2:4], there[:, 2:4] + there[:, 4:6]], axis=1)
        limits = np.array([image.shape[1], image.shape[0]] * 2)
        inside = np.clip(boxes, 0, limits)
        big = (inside[:, 2:] - inside[:, :2] > 4).all(axis=1)
        yield _Frame(number, image, inside[big], there[big, 1].astype(np.int64))
    capture.release()


def _by_embedder(embedder: PersonEmbedder) -> Callable[[_Frame], Vectors]:
    return lambda frame: embedder.embed(frame.image, frame.boxes)


def _by_teacher(embed: Callable[[list[Image]], Vectors]) -> Callable[[_Frame], Vectors]:
    return lambda frame: embed(_crops(frame))


def _crops(frame: _Frame) -> list[Image]:
    whole = np.rint(frame.boxes).astype(int).tolist()
    return [frame.image[top:bottom, left:right] for left, top, right, bottom in whole]


def _histogram(crop: Image) -> Vectors:
    hsv = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(HISTOGRAM), [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _met(kept: bool) -> str:
    return "met" if kept else "missed"
