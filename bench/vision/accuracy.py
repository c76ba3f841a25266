"""Average precision at IoU 0.5 of the detectors: ours in every shipped precision, and its teachers.

Every detector runs as `tagsight video` runs it, only with boxes of any score kept: pictures as tight as they
go into an input 416 px long. The full net is measured at its other sizes too, 320 px long, and 640 x 384,
which fits 16:9. Sets:

- PETS09-S2L1 (every 5th frame) and TUD-Campus, never trained on. PETS has boxes marked not to count; they
  are left out of the truth, so that a detection there is false, and in a second column neither right nor
  wrong. Every 20th frame of PETS and every 5th of TUD stand beside: what is owed comes from figures of the
  teachers on these few.
- Held-out street photos (every 10th) and COCO photos (every 8th) with their published boxes. The street
  photos' boxes are of the main pedestrians only and end at the neck; a person beside them whom a teacher
  sees is neither right nor wrong. The second street column has the boxes grown upwards to take in the head.
  Most of these photos have a near copy among those trained on (`near_copies`); the third column leaves
  them out and has few persons left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.vision.near_copies import have_near_copy, thumbnail
from engines import backends, catalogue
from engines.backends import cpu
from engines.catalogue import Recipe
from engines.catalogue.source import NetworkSource
from engines.evaluation import accuracy as evaluate
from engines.evaluation.pool import Image, LabelledImage, Labels, coco, street_people
from engines.evaluation.teachers import TeacherBoxes, Teachers
from engines.inference.detector import PersonDetector

MIN_SCORE = 0.02
NANO, RETAIL = "yolox-nano", "person-detection-retail-0013"
TEACHERS = {
    NANO: "det-yolox-nano/yolox_nano.onnx",
    RETAIL: "det-omz-person-retail-0013/person-detection-retail-0013.xml",
}
USUAL_INPUT = "416"
OTHER_INPUTS: dict[str, dict[str, Any]] = {"320": {"long_side": 320}, "640 x 384": {"input": (640, 384)}}
SIZED = "person-detector"
"""Which of ours is measured at the other inputs too."""

PETS, PETS_FEW = "PETS09-S2L1", "PETS, every 20th"
TUD, TUD_FEW = "TUD-Campus", "TUD, every 5th"
PETS_EVERY, PETS_FEW_EVERY, TUD_FEW_EVERY = 5, 20, 5
SURVEILLANCE = (PETS, PETS_FEW, TUD, TUD_FEW)
BARS = {
    PETS: 0.92,
    PETS_FEW: 0.92,
    TUD: 0.90,
    TUD_FEW: 0.90,
    "street, held out": 0.88,
    "COCO, held out": 0.50,
}


@dataclass(frozen=True)
class Pictures:
    """Pictures looked at once, and by what truths they are judged: labels for each picture, by name; None for
    a picture that this truth leaves out."""

    images: list[Image]
    truths: dict[str, list[Labels | None]]


@dataclass(frozen=True)
class Contender:
    """A detector to be measured: its name in the table, whether it is one of ours, and its input."""

    name: str
    precision: str
    ours: bool
    detector: PersonDetector
    input: str = USUAL_INPUT


@dataclass(frozen=True)
class Rating:
    """What one detector reached on one set; `score` is the threshold of the best F1."""

    detector: str
    precision: str
    ours: bool
    data: str
    pictures: int
    ap50: float
    score: float
    precision_there: float
    recall_there: float
    input: str = USUAL_INPUT


def contenders(data: Path, threads: int, others: Sequence[str] = ()) -> list[Contender]:
    """Our detectors in all precisions this machine runs, `others` by name or file, then the teachers.

    Raises EngineError.
    """
    runner = backends.choose("auto")
    found = []
    for engine in catalogue.known_engines():
        if not engine.shipped or engine.entry.task != "detector":
            continue
        for file in engine.entry.files:
            plain = {"f32": "fp32", "int8": "int8"}[file.precision]
            source = NetworkSource(engine.folder / file.file, engine.entry)
            made = PersonDetector(runner, source, threads=threads, score=MIN_SCORE)
            found.append(Contender(engine.entry.name, plain, True, made))
            if engine.entry.name == SIZED and plain == "fp32":
                found += at_other_inputs(found[-1], threads)
            if file.bf16 and runner.name == "openvino" and cpu.has_bf16():
                quick = NetworkSource(source.path, engine.entry, "bf16")
                made = PersonDetector(runner, quick, threads=threads, score=MIN_SCORE)
                with_bf16 = {"f32": "bf16", "int8": "int8, bf16"}[file.precision]
                found.append(Contender(engine.entry.name, with_bf16, True, made))
    for name in others:
        made = PersonDetector.open(name, threads=threads, score=MIN_SCORE)
        found.append(Contender(name, made.source.precision, True, made))
    return found + [teacher(data, name, threads) for name in TEACHERS]


def at_other_inputs(usual: Contender, threads: int) -> list[Contender]:
    """The same network at each of OTHER_INPUTS. Raises EngineError."""
    runner, source = backends.choose("auto"), usual.detector.source
    found = []
    for label, changes in OTHER_INPUTS.items():
        recipe = msgspec.structs.replace(source.recipe, **changes)
        sized = NetworkSource(source.path, recipe, source.precision)
        made = PersonDetector(runner, sized, threads=threads, score=MIN_SCORE)
        found.append(Contender(usual.name, usual.precision, True, made, label))
    return found


def teacher(data: Path, name: str, threads: int) -> Contender:
    """A teacher as it is published, at its own input size. Raises EngineError."""
    recipe = Recipe(long_side=416)
    source = NetworkSource(data / TEACHERS[name], recipe)
    made = PersonDetector(backends.choose("auto"), source, threads=threads, score=MIN_SCORE)
    return Contender(name, "fp32", False, made)


def rate(contender: Contender, pictures: Pictures) -> list[Rating]:
    """Measures one detector on one set of pictures, by each of its truths."""
    seen = []
    for image in pictures.images:
        found = contender.detector.detect(image)
        seen.append(TeacherBoxes(found.boxes, found.scores))
    ratings = []
    for name, truth in pictures.truths.items():
        judged = [(each, labels) for each, labels in zip(seen, truth, strict=True) if labels is not None]
        rows = [row for each, labels in judged for row in evaluate.matches(each, labels)]
        result = evaluate.summarise(rows, sum(int((labels.trust > 0).sum()) for _, labels in judged))
        rating = Rating(
            contender.name,
            contender.precision,
            contender.ours,
            name,
            len(judged),
            result.ap50,
            result.threshold,
            result.precision,
            result.recall,
            contender.input,
        )
        ratings.append(rating)
    return ratings


def measured_sets(data: Path, threads: int) -> Iterator[Pictures]:
    """The sets, one after the other, so that only one's pictures are in memory."""
    strict = list(evaluate.pets(data, PETS_EVERY))
    lenient = evaluate.pets(data, PETS_EVERY, unmarked_ignored=True)
    counted = [labels for _, labels in strict]
    truths: dict[str, list[Labels | None]] = {
        PETS: [*counted],
        "unmarked ignored": [labels for _, labels in lenient],
        PETS_FEW: every_nth(counted, PETS_FEW_EVERY // PETS_EVERY),
    }
    yield Pictures([image for image, _ in strict], truths)
    campus = list(evaluate.tud_campus(data))
    counted = [labels for _, labels in campus]
    yield Pictures(
        [image for image, _ in campus], {TUD: [*counted], TUD_FEW: every_nth(counted, TUD_FEW_EVERY)}
    )
    teachers = Teachers(data, threads)
    trained_on: list[NDArray[np.float32]] = []
    street: list[tuple[LabelledImage, Labels]] = []
    for picture in street_people(data):
        if picture.held_out:
            street.append((picture, teachers.label(picture)))
        else:
            trained_on.append(thumbnail(picture.image))
    copies = have_near_copy([thumbnail(picture.image) for picture, _ in street], trained_on)
    headless = [published(data, *seen) for seen in street]
    with_heads = [published(data, *seen, heads=True) for seen in street]
    truths = {
        "street, held out": [*headless],
        "with heads": [*with_heads],
        "heads, no near copy": [
            None if copy else labels for labels, copy in zip(with_heads, copies, strict=True)
        ],
    }
    yield Pictures([picture.image for picture, _ in street], truths)
    photos = [(picture, teachers.label(picture)) for picture in coco(data) if picture.held_out]
    truths = {"COCO, held out": [published(data, *seen) for seen in photos]}
    yield Pictures([picture.image for picture, _ in photos], truths)


def every_nth(labels: Sequence[Labels], nth: int) -> list[Labels | None]:
    """The first and every n-th after it, None for the others."""
    return [each if place % nth == 0 else None for place, each in enumerate(labels)]


def published(data: Path, picture: LabelledImage, known: Labels, *, heads: bool = False) -> Labels:
    """A held-out photo's published boxes; who else is known to be there is a place to look away from."""
    boxes = evaluate.published_boxes(data, picture.source, picture.name, picture.image)
    return evaluate.published_truth(boxes, known, heads=heads)
