"""When a track's embeddings go to the store process: once they are known, and again where they have changed.

They are the tracker's moving average of a re-identification network's vectors, reported as half floats.
Colours are not reported: those of two cameras do not compare.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runtime.geometry import Floats

AGAIN_S = 2.0
"""Not reported again within this time."""
CHANGED = 0.9
"""Reported again where the likeness with what was reported falls below this."""
MAX_AT_ONCE = 8
MAX_PERSONS = 100
"""In a larger crowd nobody's embeddings are reported: the record has to stay below its limit."""


class EmbeddingReports:
    """What was reported of the tracks of one tracker."""

    def __init__(self) -> None:
        self._reported: dict[int, tuple[float, Floats]] = {}

    def due(self, looks: Mapping[int, Floats], time_s: float) -> dict[int, bytes]:
        """Of the embeddings (n,) by track those to report now; tracks not among them are forgotten."""
        self._reported = {track: reported for track, reported in self._reported.items() if track in looks}
        found: dict[int, bytes] = {}
        if len(looks) > MAX_PERSONS:
            return found
        for track, vector in looks.items():
            length = float(np.linalg.norm(vector))
            if len(found) >= MAX_AT_ONCE or length == 0:
                continue
            unit: Floats = vector / length
            before = self._reported.get(track)
            changed = before is None or (time_s - before[0] >= AGAIN_S and float(unit @ before[1]) < CHANGED)
            if changed:
                self._reported[track] = time_s, unit
                found[track] = unit.astype(np.float16).tobytes()
        return found
