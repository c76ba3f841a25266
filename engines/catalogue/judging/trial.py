"""Running a network on the image and looking for the reading that finds the persons."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.backends.protocol import CompilePlan, InputFormat, Network, NetworkSession
from engines.catalogue import Recipe
from engines.catalogue.judging import readings
from engines.catalogue.judging.image import ReferenceImage
from engines.errors import DecoderError, WeightsError
from engines.inference.decoders import DecoderInput, Meaning, OutputDecoder, Shapes, by_name, fitting
from engines.inference.nms import iou_matrix, suppress
from engines.inference.preprocess import Canvas, Fit, Placement
from engines.inference.reading import OVERLAP_LIMIT

SURE = 0.25
"""Least score of a box that counts as found, where the recipe has none."""
SAME_IOU = 0.5
NEAR_IOU = 0.1
ENOUGH = 0.5
"""Share of the persons that must be found."""
FALSE_COSTS = 0.3
CLEARLY_BETTER = 1.03
"""What is usual is left only for something that is better by more than chance."""
TRY_ALL_S = 10.0
"""After so long, no other way of feeding is tried once the persons are found."""
MAX_SCORE = 1.01
AROUND = 0.5
"""Boxes of people cut by the image's edge reach beyond it; none by half the image."""
SEVERAL = 3
"""A box or two outside are chance."""
MAX_CLASSES = 200
MIN_OF_SHARES = 0.2499
"""The least that two sigmoids make of numbers that are 0..1 already."""
INVALID_OUTPUTS = "its outputs do not fit each other"
NO_LOGITS = "its scores do not come before a sigmoid"

Array = NDArray[np.float32]


@dataclass(frozen=True)
class NetworkReading:
    """One way to feed and read a network."""

    decoder: OutputDecoder
    pixels: InputFormat
    fit: Fit
    meaning: Meaning
    person: int


@dataclass(frozen=True)
class Result:
    """What a way finds. `fault` says why its numbers cannot be right, whatever it found."""

    way: NetworkReading
    found: int = 0
    beside: int = 0
    """Boxes where nobody is, at least as sure as the middle one of those that were found."""
    quality: float = -np.inf
    fault: str = ""
    sure: float = 0.0
    """Sum of the boxes' scores, each counted as 1 at most."""

    def is_enough(self, persons: int) -> bool:
        """Whether so many persons were found, and not by boxes everywhere."""
        return not self.fault and self.found >= ENOUGH * persons and self.beside <= persons


class NetworkTrial:
    """A network, an image, and the outputs for every way of feeding, each worked out once."""

    def __init__(
        self, network: Network, picture: ReferenceImage, input_wh: tuple[int, int], threads: int
    ) -> None:
        self._network = network
        self.picture = picture
        self._input_wh = input_wh
        self._threads = threads
        self._session: tuple[InputFormat, NetworkSession] | None = None
        self.began_s = time.monotonic()

    def run(self, pixels: InputFormat, fit: Fit) -> tuple[list[Array], Placement]:
        """The outputs for the image laid out so. Raises WeightsError."""
        if self._session is None or self._session[0] != pixels:
            width, height = self._input_wh
            plan = CompilePlan(width, height, pixels=pixels, threads=self._threads, requests=1)
            self._session = (pixels, self._network.compile(plan))
        session = self._session[1]
        lies = Canvas(session.pixels(0), fit).letterbox(self.picture.image)
        session.start(0)
        return [np.array(output, np.float32) for output in session.wait(0)], lies

    def decoders(self, recipe: Recipe, shapes: Shapes) -> list[OutputDecoder]:
        """Those whose outputs could be of these shapes. DecoderError: one was named in vain."""
        if recipe.decoder is None:
            return fitting(shapes, *self._input_wh)
        named = by_name(recipe.decoder)
        if not named.matches(shapes, *self._input_wh):
            seen = ", ".join(str(list(shape)) for shape in shapes)
            raise DecoderError(f"outputs {seen} are not what decoder {named.name} reads")
        return [named]

    def results(self, recipe: Recipe, decoders: list[OutputDecoder], kind: str) -> Iterator[Result]:
        """What each way finds, the usual ways first; stops early once persons are found and time is short."""
        enough = False
        fits = list(dict.fromkeys(recipe.fit or decoder.fit for decoder in decoders))
        for pixels in readings.pixel_formats(recipe, decoders, kind):
            if enough and time.monotonic() - self.began_s > TRY_ALL_S:
                return
            for fit in fits:
                outputs, lies = self.run(pixels, fit)
                for decoder in decoders:
                    if (recipe.fit or decoder.fit) != fit:
                        continue
                    for way in _ways(recipe, decoder, pixels, fit, outputs):
                        result = self.look(way, outputs, lies, recipe.score or SURE)
                        enough |= result.is_enough(self.picture.persons)
                        yield result

    def look(self, way: NetworkReading, outputs: list[Array], lies: Placement, least: float) -> Result:
        """What one way makes of outputs."""
        width, height = self._input_wh
        scene = DecoderInput(width, height, way.person, least, way.meaning)
        try:
            with np.errstate(all="ignore"):
                seen = way.decoder.decode(outputs, scene)
                if way.meaning.scale == "logits" and not _are_logits(way, outputs, scene):
                    return Result(way, fault=NO_LOGITS)
        except (DecoderError, IndexError, ValueError):
            return Result(way, fault=INVALID_OUTPUTS)
        finite = np.isfinite(seen.boxes).all(1) & np.isfinite(seen.scores)
        boxes, scores = seen.boxes[finite], seen.scores[finite]
        fault = _fault(boxes, scores, self._input_wh)
        if not way.decoder.suppressed:
            kept = suppress(boxes, scores, OVERLAP_LIMIT)
        else:
            kept = np.argsort(-scores, kind="stable")
        placed = lies.to_image(boxes[kept], *self.picture.size_wh)
        sure = float(np.minimum(scores[kept], 1.0).sum())
        return replace(self.matched(way, placed, scores[kept], fault), sure=sure)

    def matched(self, way: NetworkReading, boxes: Array, scores: Array, fault: str = "") -> Result:
        """How many persons of the image boxes (n, 4) in its pixels find, best first."""
        truth = self.picture.boxes
        if truth is None:
            return _counted(way, boxes, scores, fault, self.picture)
        overlap = iou_matrix(boxes, truth)
        near = overlap.max(1, initial=0.0) >= NEAR_IOU
        hits, quality = [], 0.0
        for row, score in enumerate(scores):
            best = int(overlap[row].argmax())
            if overlap[row, best] >= SAME_IOU:
                hits.append(float(score))
                quality += float(score * overlap[row, best])
                overlap[:, best] = 0.0
            else:
                quality -= FALSE_COSTS * float(score)
        middle = float(np.median(hits)) if hits else 0.0
        beside = int((~near & (scores >= middle)).sum())
        return Result(way, len(hits), beside, quality, fault)

    def other_class(self, results: list[Result], least: float) -> tuple[int, int] | None:
        """(class, persons) of a class that finds enough where the person's does not, in the same ways."""
        first = {(result.way.pixels, result.way.decoder.name): result.way for result in reversed(results)}
        for way in reversed(first.values()):
            outputs, lies = self.run(way.pixels, way.fit)
            count = way.decoder.classes([output.shape for output in outputs]) or MAX_CLASSES
            for number in range(min(count, MAX_CLASSES)):
                if number != way.person:
                    other = self.look(replace(way, person=number), outputs, lies, least)
                    if other.is_enough(self.picture.persons):
                        return number, other.found
        return None


def best_of(results: list[Result], persons: int) -> Result:
    """The way that finds the persons best; an earlier one unless a later one is clearly better.

    That there is anything at all finds persons as well as that there is a person, where nothing else is to be
    seen. So where a product of both finds them, neither factor is taken for a class.
    """
    if any(result.way.decoder.objectness and result.is_enough(persons) for result in results):
        results = [result for result in results if result.way.decoder.objectness]
    best = results[0]
    for result in results[1:]:
        if bool(result.fault) != bool(best.fault):
            best = best if result.fault else result
        elif result.quality > max(best.quality, best.quality * CLEARLY_BETTER):
            best = result
    return best


def _ways(
    recipe: Recipe, decoder: OutputDecoder, pixels: InputFormat, fit: Fit, outputs: list[Array]
) -> Iterator[NetworkReading]:
    shapes = [output.shape for output in outputs]
    for meaning in readings.meanings(recipe, decoder, shapes):
        for person in readings.person_classes(recipe, decoder, shapes):
            yield NetworkReading(decoder, pixels, fit, meaning, person)


def _are_logits(way: NetworkReading, outputs: list[Array], scene: DecoderInput) -> bool:
    """Whether a sigmoid leaves somebody out: of numbers that are 0..1 already, it makes 0.5 and more."""
    scores = way.decoder.decode(outputs, replace(scene, least_score=-1.0)).scores
    return not len(scores) or bool(np.nanmin(scores) < MIN_OF_SHARES)


def _fault(boxes: Array, scores: Array, input_wh: tuple[int, int]) -> str:
    """Why boxes and scores cannot be right."""
    if not len(scores):
        return ""
    if scores.max() > MAX_SCORE:
        return f"scores reach {scores.max():.3g}, and a score is 0 to 1"
    size = np.array(input_wh, np.float32)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    outside = ((boxes[:, :2] < -AROUND * size) | (boxes[:, 2:] > (1 + AROUND) * size)).any(1)
    outside |= ((centre < 0) | (centre > size)).any(1) | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    count = np.count_nonzero(outside)
    if count >= SEVERAL and 2 * count > len(boxes):
        return "boxes lie outside the picture"
    return ""


def _counted(way: NetworkReading, boxes: Array, scores: Array, fault: str, picture: ReferenceImage) -> Result:
    """For an image whose persons are only counted: boxes of a size that a person can have."""
    width, height = picture.size_wh
    sides = (boxes[:, 2:] - boxes[:, :2]) / np.array((width, height), np.float32)
    sized = (sides >= 0.01).all(1) & (sides.prod(1) <= 0.9)
    found = 0 if fault else min(int(sized.sum()), picture.persons)
    order = -np.sort(-scores[sized])
    quality = float(order[:found].sum() - FALSE_COSTS * (order[found:].sum() + scores[~sized].sum()))
    beside = int(sized.sum()) - found
    return Result(way, found, max(0, beside - 2 * picture.persons - 3), quality, fault)


def check_finite(outputs: list[Array]) -> None:
    """Raises WeightsError where no output holds a number."""
    if any(output.size and not np.isfinite(output).any() for output in outputs):
        raise WeightsError("answers with values that are no numbers (NaN or infinite); export it again")
