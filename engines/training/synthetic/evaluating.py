"""Detectors that were trained on real pictures, on films of staged shops: average precision by how much of a
person shows, and what is taken for a person that is none.

A box finds a person at an intersection over union of 0.5 with the whole body's box, cut to the picture.
Precision counts every alarm that finds nobody; people outside the asked-for range of visibility are neither
to be found nor wrong to find. Average precision is the area under the precision envelope at every recall.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from engines.scene.spec import Scene
from engines.training.synthetic.filming import Studio, read_labels
from engines.training.synthetic.labels import Label, Picture
from engines.training.synthetic.stage import kind_of

IOU = 0.5
MIN_WITHIN = 0.4
MIN_PX = 30.0
RANGES = ((0.8, 1.01), (0.5, 0.8), (0.2, 0.5))
ALARM_SCORE = 0.5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluatedFrame:
    """A picture, its people, what a detector found in it, and its id buffer."""

    size: tuple[int, int]
    people: list[Label]
    boxes: Floats
    scores: Floats
    numbers: NDArray[np.int32]


def evaluate_films(folders: Sequence[Path], detectors: Sequence[str], every: int) -> Iterator[str]:
    """A table for each detector. Raises EngineError for a folder without a film."""
    opened = {name: PersonDetector.open(name, score=0.05) for name in detectors}
    seen: dict[str, list[EvaluatedFrame]] = {name: [] for name in detectors}
    for folder in folders:
        for size, picture, image, numbers in _pictures(folder, every):
            for name, detector in opened.items():
                found = detector.detect(image)
                seen[name].append(
                    EvaluatedFrame(
                        size,
                        picture.people,
                        np.asarray(found.boxes, np.float64),
                        np.asarray(found.scores, np.float64),
                        numbers,
                    )
                )
    pictures = len(next(iter(seen.values())))
    yield f"{pictures} pictures of {len(folders)} films, every {every}th; persons of at least {MIN_PX:g} px"
    yield f"{'detector':<28} {'shows':>7} {'persons':>8} {'AP':>6} {'mannequins aside':>17}"
    for name in detectors:
        for low, high in RANGES:
            precision, persons = average_precision(seen[name], low, high)
            aside, _ = average_precision(seen[name], low, high, "mannequin")
            shows = f"{low:.1f}-{min(high, 1.0):.1f}"
            yield f"{Path(name).stem:<28} {shows:>7} {persons:8d} {precision:6.3f} {aside:17.3f}"
    yield f"false alarms a frame at a score of {ALARM_SCORE:g}, by what is there"
    kinds = ("mannequin", "hanging clothes", "poster", "thing", "carried", "background", "person")
    yield f"{'detector':<28} " + " ".join(f"{kind:>15}" for kind in kinds)
    for name in detectors:
        alarms = false_alarms(seen[name])
        yield f"{Path(name).stem:<28} " + " ".join(
            f"{alarms[kind] / max(pictures, 1):15.3f}" for kind in kinds
        )


def average_precision(
    pictures: Sequence[EvaluatedFrame], low: float, high: float, aside: str | None = None
) -> tuple[float, int]:
    """Of people of whom `low` to `high` shows, and how many there are; nan where there is nobody. Alarms at
    things of the kind `aside` are left out."""
    scores: list[float] = []
    hits: list[bool] = []
    persons = 0
    for seen in pictures:
        boxes, wanted = _truth(seen, low, high)
        persons += int(wanted.sum())
        taken = np.zeros(len(boxes), bool)
        for place in np.argsort(-seen.scores, kind="stable"):
            overlap = _overlaps(seen.boxes[place], boxes)
            best = int(np.where(taken, -1.0, overlap).argmax()) if len(boxes) else -1
            if best >= 0 and not taken[best] and overlap[best] >= IOU:
                taken[best] = True
                if wanted[best]:
                    scores.append(float(seen.scores[place]))
                    hits.append(True)
                continue
            if aside is None or _filling(seen.numbers, seen.boxes[place]) != aside:
                scores.append(float(seen.scores[place]))
                hits.append(False)
    if not persons:
        return math.nan, 0
    order = np.argsort(-np.array(scores), kind="stable")
    right = np.cumsum(np.array(hits)[order]) if len(order) else np.zeros(0)
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], right / persons])
    return float((np.diff(recall) * envelope).sum()), persons


def false_alarms(pictures: Sequence[EvaluatedFrame]) -> Counter[str]:
    """Boxes above `ALARM_SCORE` that find nobody, by what fills most of their middle."""
    alarms: Counter[str] = Counter()
    for seen in pictures:
        everybody = np.array([_cut(one, seen.size) for one in seen.people if one.box is not None]).reshape(
            -1, 4
        )
        for box, score in zip(seen.boxes, seen.scores, strict=True):
            if score < ALARM_SCORE or (len(everybody) and _overlaps(box, everybody).max() >= IOU):
                continue
            alarms[_filling(seen.numbers, box)] += 1
    return alarms


def _filling(numbers: NDArray[np.int32], box: Floats) -> str:
    x0, y0, x1, y1 = box
    wide, high = (x1 - x0) * 0.2, (y1 - y0) * 0.1
    part = numbers[
        max(0, int(y0 + high)) : max(1, int(y1 - high)), max(0, int(x0 + wide)) : max(1, int(x1 - wide))
    ]
    named = Counter(kind_of(int(number)) for number in part.ravel() if number)
    kind, count = named.most_common(1)[0] if named else ("background", 0)
    return kind if count > 0.25 * part.size else "background"


def _truth(seen: EvaluatedFrame, low: float, high: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Boxes of everybody, cut to the picture, and who is to be found."""
    told = [one for one in seen.people if one.box is not None and one.visible > 0.02]
    boxes = np.array([_cut(one, seen.size) for one in told]).reshape(-1, 4)
    wanted = [
        low <= one.visible / max(one.within, 1e-6) < high
        and one.within >= MIN_WITHIN
        and box[3] - box[1] >= MIN_PX
        for one, box in zip(told, boxes, strict=True)
    ]
    return boxes, np.array(wanted, bool)


def _cut(one: Label, size: tuple[int, int]) -> list[float]:
    assert one.box is not None
    left, top, right, bottom = one.box
    return [max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))]


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    if not len(boxes):
        return np.zeros(0)
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.clip(high - low, 0, None).prod(1)
    either = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - common
    return np.asarray(common / np.maximum(either, 1e-9))


def _pictures(
    folder: Path, every: int
) -> Iterator[tuple[tuple[int, int], Picture, NDArray[np.uint8], NDArray[np.int32]]]:
    """Every so many pictures of every camera, their labels, and their id buffers, drawn anew."""
    scene = scene_of(folder)
    studio = Studio(scene, samples=0)
    for number, camera in enumerate(scene.cameras):
        labels = list(read_labels(folder / f"{camera.name}.labels.jsonl"))
        with av.open(str(folder / f"{camera.name}.mp4")) as container:
            for place, frame in enumerate(container.decode(video=0)):
                if place % every == 0 and place < len(labels):
                    yield (
                        camera.size,
                        labels[place],
                        frame.to_ndarray(format="bgr24"),
                        studio.ids(number, place),
                    )


def scene_of(folder: Path) -> Scene:
    """The scene that a film was made of."""
    try:
        return msgspec.json.decode((folder / "scene.json").read_bytes(), type=Scene)
    except (OSError, msgspec.DecodeError) as error:
        raise EngineError(
            f"{folder}: no film there ({error}); a folder that `render` made would be right"
        ) from None
