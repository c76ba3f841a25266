"""How people look, as embeddings of length 1 whose dot product is their similarity.

The tracker keeps a moving average for each track and weighs the similarity in its association cost. They are
images of a person in effect: they never leave the box. A network's are reported to the store process once a
track, and again where they change; it keeps at most eight a person, in memory, until the person is forgotten.
"""

from __future__ import annotations

import numpy.typing as npt

from engines.inference.reid import unit_rows
from runtime.geometry import Floats
from runtime.vision.heads.head import Head, Image
from runtime.vision.track.appearance import SIZE, colour_signatures


class Colours:
    """The colours of upper and lower body."""

    size = SIZE

    def infer(self, image_bgr: Image, boxes: npt.ArrayLike) -> Floats:
        """As `CropModel.infer`; a box that shows nothing has no colour in particular."""
        return colour_signatures(image_bgr, boxes)


HEAD = Head("appearance", task="reid", decode=unit_rows, for_tracker=True, models={"colours": Colours})
