"""Crops of drawn people (`python -m engines.training.synthetic identities`), for training and for judging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError, TrainingError
from engines.training.crops.gather import Crops, inner, inner_size
from engines.training.synthetic.identities import CROP_WH, DrawnPerson, crops_of, drawn_people

MIDDLE_WH = (77, 173)
"""What of a drawn crop is the box with the margin that `augment` reckons with."""


@dataclass(frozen=True)
class DrawnCrops:
    """Crops (n, height, width, 3) with their margin; who (n,), from 0; the camera of each; the part (n,) of
    drawing, in which people meet."""

    crops: Crops
    persons: NDArray[np.int64]
    cameras: list[str]
    parts: NDArray[np.int64]

    def plain(self, rows: Sequence[int]) -> list[NDArray[np.uint8]]:
        """The boxes themselves of some crops."""
        return [inner(np.asarray(self.crops[row])) for row in rows]


def drawn_crops(folder: Path, held_out: bool, parts: int | None = None) -> DrawnCrops:
    """Who is, or is not, held out of the first `parts` parts drawn, or of all.

    Raises TrainingError where nobody is.
    """
    try:
        drawn = [person for person in drawn_people(folder) if parts is None or _part(person) < parts]
        people = [person for person in drawn if person.held_out == held_out]
        pictures = [_middle(crops_of(folder, person)) for person in people]
    except EngineError as error:
        raise TrainingError(str(error)) from error
    if not people:
        raise TrainingError(
            f"{folder}: nobody drawn there is {'held out' if held_out else 'to be trained on'}"
        )
    return DrawnCrops(
        np.concatenate(pictures),
        np.repeat(np.arange(len(people)), [len(each) for each in pictures]),
        [crop.camera for person in people for crop in person.crops],
        np.repeat([_part(person) for person in people], [len(each) for each in pictures]),
    )


def _part(person: DrawnPerson) -> int:
    return int(person.person.partition("-")[0])


def _middle(crops: Crops) -> Crops:
    left, top = (CROP_WH[0] - MIDDLE_WH[0]) // 2, (CROP_WH[1] - MIDDLE_WH[1]) // 2
    middle = crops[:, top : top + MIDDLE_WH[1], left : left + MIDDLE_WH[0]]
    assert inner_size(middle[0]) == (64, 144)
    return np.ascontiguousarray(middle)
