"""What a decoder is told besides the network's outputs, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Units = Literal["pixels", "shares"]
"""Of boxes: pixels of the input, or shares (0..1) of its width and height."""
Form = Literal["centre", "corners", "yx-corners"]
"""Four numbers of a box: x, y, width, height; or left, top, right, bottom; or top, left, bottom, right."""
Scale = Literal["shares", "logits", "softmax"]
"""Of scores: 0..1; or before the sigmoid; or before a softmax over the classes, of which the last is nobody.
"""
Role = Literal["boxes", "labels", "scores", "other"]

MAX_LOGIT = 60.0
"""exp() of more is no score in fp32; keeps a broken network from overflowing."""


@dataclass(frozen=True)
class Meaning:
    """What a network's numbers stand for, where exporters of one family differ."""

    units: Units = "pixels"
    form: Form = "centre"
    scale: Scale = "shares"
    roles: tuple[Role, ...] = ()
    """What each output is, in the network's order; for lists of six numbers, what the last two are."""


PLAIN = Meaning()


@dataclass(frozen=True)
class DecoderInput:
    """What a decoder must know: the input's size in pixels, which class is a person, the least score."""

    width: int
    height: int
    person_class: int
    least_score: float
    meaning: Meaning = PLAIN


@dataclass(frozen=True)
class CandidateBoxes:
    """Boxes before suppression: (n, 4) left, top, right, bottom in input pixels; scores (n,)."""

    boxes: Array
    scores: Array


def corners(centre: Array, size: Array) -> Array:
    """Boxes (n, 4) from centres and sizes (n, 2)."""
    half = size * np.float32(0.5)
    return np.concatenate((centre - half, centre + half), 1)


def boxes_of(four: Array, scene: DecoderInput) -> Array:
    """Boxes (n, 4) left, top, right, bottom in input pixels from four numbers each, by their meaning."""
    if scene.meaning.form == "centre":
        four = corners(four[:, :2], four[:, 2:4])
    elif scene.meaning.form == "yx-corners":
        four = four[:, (1, 0, 3, 2)]
    if scene.meaning.units == "shares":
        four = four * np.array((scene.width, scene.height) * 2, np.float32)
    return np.ascontiguousarray(four, np.float32)


def scores_of(table: Array, scene: DecoderInput) -> Array:
    """The person's scores (n,) in 0..1 from a table of classes (n, C), by their meaning."""
    if scene.meaning.scale == "softmax":
        powers = np.exp(table - table.max(1, keepdims=True))
        return np.asarray(powers[:, scene.person_class] / powers.sum(1), np.float32)
    return as_shares(table[:, scene.person_class], scene)


def as_shares(values: Array, scene: DecoderInput) -> Array:
    """Scores in 0..1 of any shape, from logits where the network gives those."""
    if scene.meaning.scale == "shares":
        return values
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -MAX_LOGIT, MAX_LOGIT))), np.float32)
