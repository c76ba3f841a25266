"""What can be measured of a product picture on a plain backdrop: how light, how patterned, how wide."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.search.words import Vocabulary

Pictures = npt.NDArray[np.uint8]
"""(count, rows, columns), the backdrop 0 and what is worn above it."""
Described = npt.NDArray[np.bool_]
"""(count, concepts of the vocabulary): which of them hold of each picture."""
BACKDROP = 12
EVEN = 20.0
"""Added to the mean brightness, so that noise in a dark garment is no pattern."""
LOOKS = {"tone": ("dark", "light"), "pattern": ("plain", "patterned"), "cut": ("slim", "wide")}


class Looks(NamedTuple):
    """Of each picture: mean brightness of the garment (0 to 255), change from pixel to pixel within it as a
    share of its brightness, and mean width as a share of the picture."""

    tone: npt.NDArray[np.float64]
    pattern: npt.NDArray[np.float64]
    cut: npt.NDArray[np.float64]


def measured(pictures: Pictures) -> Looks:
    """All looks of all pictures."""
    is_garment = pictures > BACKDROP
    area = is_garment.sum((1, 2)) + 1
    tone = (pictures * is_garment).sum((1, 2)) / area
    wide = pictures.astype(np.int16)
    change = np.abs(np.diff(wide, axis=1))[:, :, 1:] + np.abs(np.diff(wide, axis=2))[:, 1:]
    inner = is_garment[:, 1:, 1:] & is_garment[:, :-1, 1:] & is_garment[:, 1:, :-1]
    pattern = (change * inner).sum((1, 2)) / (inner.sum((1, 2)) + 1) / (tone + EVEN)
    rows = np.maximum(1, is_garment.any(2).sum(1))
    return Looks(tone, pattern, area / (rows * pictures.shape[2]))


def described(looks: Looks, kinds: npt.NDArray[np.intp], vocabulary: Vocabulary) -> Described:
    """Kind and looks as concepts: of each kind the lowest third is dark, plain, slim; the highest the other.

    `kinds` are numbers of concepts. The middle third has no word, as nobody would say one.
    """
    number = {concept: place for place, concept in enumerate(vocabulary.concepts)}
    found = np.zeros((len(kinds), len(number)), dtype=bool)
    found[np.arange(len(kinds)), kinds] = True
    for facet, (low, high) in LOOKS.items():
        values: npt.NDArray[np.float64] = getattr(looks, facet)
        for kind in np.unique(kinds):
            of_kind = kinds == kind
            lower, upper = np.quantile(values[of_kind], [1 / 3, 2 / 3])
            found[of_kind & (values <= lower), number[low]] = True
            found[of_kind & (values > upper), number[high]] = True
    return found
