"""The ways in which a network may want its image and mean its answers, the usual ones first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from engines.backends.protocol import InputFormat
from engines.catalogue import Recipe
from engines.inference.decoders import (
    AS_IT_IS,
    IMAGENET_BGR,
    UNIT_BGR,
    UNIT_RGB,
    Meaning,
    OutputDecoder,
    Shapes,
)
from engines.inference.decoders.lists import class_roles, detection_roles
from engines.inference.decoders.scene import Form, Role, Scale, Units

_AS_IT_IS_RGB = InputFormat("rgb")
_IMAGENET_RGB = InputFormat("rgb", IMAGENET_BGR.mean[::-1], IMAGENET_BGR.std[::-1])
_HALVES = (127.5, 127.5, 127.5)
PIXELS = (
    UNIT_RGB,
    UNIT_BGR,
    AS_IT_IS,
    _AS_IT_IS_RGB,
    _IMAGENET_RGB,
    IMAGENET_BGR,
    InputFormat("rgb", _HALVES, _HALVES),
    InputFormat("bgr", _HALVES, _HALVES),
)
"""0..1, 0..255, by ImageNet's mean and spread, -1..1; both orders of colour."""

BOTH_UNITS: tuple[Units, ...] = ("pixels", "shares")
BOTH_FORMS: tuple[Form, ...] = ("centre", "corners")
ALL_FORMS: tuple[Form, ...] = ("corners", "centre", "yx-corners")
TWO_SCALES: tuple[Scale, ...] = ("shares", "logits")
ALL_SCALES: tuple[Scale, ...] = ("logits", "softmax", "shares")
COCO_WITH_BACKGROUND = 91
"""Classes of networks that number COCO's from 1, as DETR and torchvision do; its person is 1."""

_TABLES: dict[str, tuple[tuple[Units, ...], tuple[Form, ...], tuple[Scale, ...]]] = {
    "ltrb": (("pixels",), ("centre",), TWO_SCALES),
    "yolox": (("pixels",), ("centre",), TWO_SCALES),
    "nanodet": (("pixels",), ("centre",), TWO_SCALES),
    "fastestdet": (("pixels",), ("centre",), ("shares",)),
    "ssd": (("shares", "pixels"), ("corners",), ("shares",)),
    "end2end": (BOTH_UNITS, ALL_FORMS, TWO_SCALES),
    "batched": (BOTH_UNITS, ("corners",), ("shares",)),
    "detections": (BOTH_UNITS, ALL_FORMS, TWO_SCALES),
    "detr": (BOTH_UNITS, BOTH_FORMS, ALL_SCALES),
    "yolo-nas": (BOTH_UNITS, BOTH_FORMS, TWO_SCALES),
}
_ANY = (BOTH_UNITS, BOTH_FORMS, TWO_SCALES)


def pixel_formats(recipe: Recipe, decoders: list[OutputDecoder], kind: str) -> list[InputFormat]:
    """What may be fed: the families' own ways, then all others; only what the recipe leaves open.

    kind: of number of the input; one of 8 bits takes 0..255.
    """
    first = [decoder.pixels for decoder in decoders]
    swapped = [_swapped(pixels) for pixels in first]
    usual = (AS_IT_IS, _AS_IT_IS_RGB) if kind == "u8" else (*first, *swapped, *PIXELS)
    asked = [
        InputFormat(recipe.colour or each.colour, recipe.mean or each.mean, recipe.std or each.std)
        for each in usual
    ]
    return list(dict.fromkeys(asked))


def _swapped(pixels: InputFormat) -> InputFormat:
    return InputFormat("rgb" if pixels.colour == "bgr" else "bgr", pixels.mean[::-1], pixels.std[::-1])


def meanings(recipe: Recipe, decoder: OutputDecoder, shapes: Shapes) -> list[Meaning]:
    """What the outputs may mean, the decoder's usual first; only what the recipe leaves open."""
    units, forms, scales = _TABLES.get(decoder.name, _ANY)
    roles = [tuple(recipe.outputs)] if recipe.outputs else _roles(decoder, shapes)
    usual = decoder.usual
    every = product(
        _first(usual.units, (recipe.box_units,) if recipe.box_units else units),
        _first(usual.form, (recipe.box_form,) if recipe.box_form else forms),
        _first(usual.scale, (recipe.score_scale,) if recipe.score_scale else scales),
        roles,
    )
    return [Meaning(*each) for each in every]


def _first(value: Any, values: tuple[Any, ...]) -> list[Any]:
    return sorted(values, key=lambda each: each != value)


def _roles(decoder: OutputDecoder, shapes: Shapes) -> list[tuple[Role, ...]]:
    if decoder.name == "end2end":
        return [("scores", "labels"), ("labels", "scores")]
    if decoder.name == "detections":
        return detection_roles(shapes)
    return class_roles(shapes) if decoder.name in ("detr", "yolo-nas") else [()]


def person_classes(recipe: Recipe, decoder: OutputDecoder, shapes: Shapes) -> Iterator[int]:
    """Which class may be the person: what was said, else what COCO's networks have.

    Raises CatalogueError for a recipe that contradicts itself.
    """
    if recipe.person is not None or recipe.classes is not None:
        yield recipe.person_class(default=decoder.person)
        return
    yield decoder.person
    count = decoder.classes(shapes)
    labelled = decoder.name in ("end2end", "batched", "detections")
    if decoder.person == 0 and (labelled or (count is not None and count >= COCO_WITH_BACKGROUND)):
        yield 1
