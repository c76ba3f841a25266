"""What becomes of a head's outputs over a track's time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Values = tuple[float, ...]


class Aggregation(Protocol):
    """The state of one track for one head."""

    def add(self, row: npt.NDArray[np.floating] | None) -> Values | None:
        """Take in the newest frame's output (m,), None where it has none; what is known of the track."""


class Latest:
    """The newest frame's output; nothing where that frame has none."""

    def add(self, row: npt.NDArray[np.floating] | None) -> Values | None:
        """As the protocol says."""
        return None if row is None else tuple(row.tolist())


class Mean:
    """The mean over the frames that had an output."""

    def __init__(self) -> None:
        self._total: npt.NDArray[np.float64] | None = None
        self._count = 0

    def add(self, row: npt.NDArray[np.floating] | None) -> Values | None:
        """As the protocol says."""
        if row is not None:
            self._total = row.astype(np.float64) if self._total is None else self._total + row
            self._count += 1
        return None if self._total is None else tuple((self._total / self._count).tolist())
