"""What stands before a camera, as far as it says how soon one should look again."""

from __future__ import annotations

from enum import Enum

import numpy as np

from runtime.vision.track.people import Table

YOUNG_S = 2.0
"""A track that was first seen so recently, and is no person yet, may become one at any moment."""

SURELY_STILL_S = 1.0
"""What has shown so much more stillness than life is a thing until something changes."""


class Occupation(Enum):
    """What stood before the camera when one looked last."""

    BUSY = "somebody may be new"
    CALM = "people are known"
    EMPTY = "nobody, or things only"


def scene_of(tracks: Table) -> Occupation:
    """What these tracks make of the scene."""
    known = tracks["confirmed"]
    if np.count_nonzero(~known & (tracks["seen_s"] - tracks["first_s"] < YOUNG_S)):
        return Occupation.BUSY
    if np.count_nonzero(known | (tracks["alive_s"] > -SURELY_STILL_S)):
        return Occupation.CALM
    return Occupation.EMPTY
