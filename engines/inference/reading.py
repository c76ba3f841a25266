"""How a network is fed and its outputs are read, from its recipe and its decoder."""

from __future__ import annotations

from dataclasses import dataclass

from engines.backends.protocol import InputFormat
from engines.catalogue import Recipe
from engines.inference.decoders import Meaning, OutputDecoder
from engines.inference.decoders.scene import PLAIN
from engines.inference.preprocess import Fit

MIN_SCORE = 0.1
"""Weak boxes are wanted: the tracker continues a known person with them."""

OVERLAP_LIMIT = 0.6


@dataclass(frozen=True)
class NetworkIO:
    """How a network is fed and its outputs are read, whatever runs it (see `engines.inference.decoders`)."""

    decoder: str
    pixels: InputFormat
    fit: Fit
    person_class: int
    least_score: float
    overlap: float
    """Boxes that share more than this (intersection over union) are one person."""
    meaning: Meaning = PLAIN


def reading_of(recipe: Recipe, decoder: OutputDecoder, score: float | None = None) -> NetworkIO:
    """What the recipe says, and the decoder's usual where it is silent. Raises CatalogueError.

    score: least score of a box, instead of the recipe's.
    """
    return NetworkIO(
        decoder.name,
        pixels_of(recipe, decoder.pixels),
        recipe.fit or decoder.fit,
        recipe.person_class(default=decoder.person),
        score if score is not None else (recipe.score or MIN_SCORE),
        recipe.overlap or OVERLAP_LIMIT,
        meaning_of(recipe, decoder),
    )


def meaning_of(recipe: Recipe, decoder: OutputDecoder) -> Meaning:
    """What the outputs' numbers stand for."""
    usual = decoder.usual
    return Meaning(
        recipe.box_units or usual.units,
        recipe.box_form or usual.form,
        recipe.score_scale or usual.scale,
        tuple(recipe.outputs or usual.roles),
    )


def pixels_of(recipe: Recipe, usual: InputFormat) -> InputFormat:
    """Colour order and scale of the input."""
    return InputFormat(recipe.colour or usual.colour, recipe.mean or usual.mean, recipe.std or usual.std)
