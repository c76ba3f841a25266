"""Average precision at IoU 0.5 of the detectors: ours in every shipped precision, and its teachers.

Every detector runs as `tagsight video` runs it, only with boxes of any score kept. Sets:

- PETS09-S2L1 (every 5th frame) and TUD-Campus, never trained on. PETS has boxes marked not to count; they are
  left out of the truth, so that a detection there is false, and in a second row neither right nor wrong.
- Held-out street photos (every 10th) and COCO photos (every 8th) with their published boxes. The street
  photos' boxes are of the main pedestrians only and end at the neck; a person beside them whom YOLOX-nano
  sees is neither right nor wrong. The second street row has the boxes grown upwards to take in the head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines import backends, catalogue
from engines.backends import cpu
from engines.catalogue import Recipe
from engines.detector import PersonDetector, Source
from engines.distill import evaluate
from engines.distill.labels import Seen, Teachers
from engines.distill.pool import Image, Labels, Picture, coco, street_people

LOWEST_SCORE = 0.02
NANO, RETAIL = "yolox-nano", "person-detection-retail-0013"
TEACHERS = {
    NANO: "det-yolox-nano/yolox_nano.onnx",
    RETAIL: "det-omz-person-retail-0013/person-detection-retail-0013.xml",
}
SURVEILLANCE = ("PETS09-S2L1", "TUD-Campus")
BARS = {"PETS09-S2L1": 0.92, "TUD-Campus": 0.90, "street, held out": 0.88, "COCO, held out": 0.50}

Example = tuple[Image, Labels]


@dataclass(frozen=True)
class Contender:
    """A detector to be measured: its name in the table, and whether it is one of ours."""

    name: str
    precision: str
    ours: bool
    detector: PersonDetector


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
            source = Source(engine.folder / file.file, engine.entry)
            made = PersonDetector(runner, source, threads=threads, score=LOWEST_SCORE)
            found.append(Contender(engine.entry.name, plain, True, made))
            if file.bf16 and runner.name == "openvino" and cpu.has_bf16():
                quick = Source(source.path, engine.entry, "bf16")
                made = PersonDetector(runner, quick, threads=threads, score=LOWEST_SCORE)
                with_bf16 = {"f32": "bf16", "int8": "int8, bf16"}[file.precision]
                found.append(Contender(engine.entry.name, with_bf16, True, made))
    for name in others:
        made = PersonDetector.open(name, threads=threads, score=LOWEST_SCORE)
        found.append(Contender(name, made.source.precision, True, made))
    return found + [teacher(data, name, threads) for name in TEACHERS]


def teacher(data: Path, name: str, threads: int) -> Contender:
    """A teacher as it is published, at its own input size. Raises EngineError."""
    recipe = Recipe(long_side=416)
    source = Source(data / TEACHERS[name], recipe)
    made = PersonDetector(backends.choose("auto"), source, threads=threads, score=LOWEST_SCORE)
    return Contender(name, "fp32", False, made)


def rate(contender: Contender, name: str, examples: list[Example]) -> Rating:
    """Measures one detector on one set."""
    rows: list[tuple[float, float]] = []
    persons = 0
    for image, labels in examples:
        found = contender.detector.detect(image)
        rows += evaluate.matches(Seen(found.boxes, found.scores), labels)
        persons += int((labels.trust > 0).sum())
    result = evaluate.summarise(rows, persons)
    return Rating(
        contender.name,
        contender.precision,
        contender.ours,
        name,
        len(examples),
        result.ap50,
        result.threshold,
        result.precision,
        result.recall,
    )


def measured_sets(data: Path, threads: int) -> Iterator[tuple[str, list[Example]]]:
    """The sets, one after the other, so that only one's pictures are in memory."""
    yield "PETS09-S2L1", list(evaluate.pets(data))
    yield "PETS09-S2L1, unmarked ignored", list(evaluate.pets(data, unmarked_ignored=True))
    yield "TUD-Campus", list(evaluate.tud_campus(data))
    teachers = Teachers(data, threads)
    street = list(held_out(street_people(data), teachers))
    yield "street, held out", [judged(data, *seen) for seen in street]
    yield "street, held out, with heads", [judged(data, *seen, heads=True) for seen in street]
    yield "COCO, held out", [judged(data, *seen) for seen in held_out(coco(data), teachers)]


def held_out(pictures: Iterator[Picture], teachers: Teachers) -> Iterator[tuple[Picture, Labels]]:
    """Held-out photos, each with its own labels and what the teachers add."""
    for picture in pictures:
        if picture.held_out:
            yield picture, teachers.label(picture)


def judged(data: Path, picture: Picture, known: Labels, *, heads: bool = False) -> Example:
    """A held-out photo with its published boxes; who else is known to be there is a place to look away."""
    boxes = evaluate.published_boxes(data, picture.source, picture.name, picture.image)
    return picture.image, evaluate.published_truth(boxes, known, heads=heads)
