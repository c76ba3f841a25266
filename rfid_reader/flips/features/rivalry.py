"""How tags compare with the others that hang in the same place: one hand turns one garment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
COMPARED = 5


class Rivals:
    """Tags as members of groups, `group` (tags,) numbers from 0; values are (tags,)."""

    def __init__(self, group: Rows) -> None:
        self._group = group
        self._order = np.argsort(group.astype(np.int16), kind="stable")
        self._sorted = group[self._order]
        self._starts = np.flatnonzero(np.diff(self._sorted, prepend=-1))
        self._size = np.bincount(group).astype(np.float64)
        self._alone = self._size[group] <= 1

    def mean(self, value: Array) -> Array:
        """Mean over the other members of each tag's group (0 without others)."""
        total = np.bincount(self._group, value, len(self._size))[self._group] - value
        return np.where(self._alone, 0.0, total / np.maximum(self._size[self._group] - 1, 1))

    def highest(self, value: Array) -> Array:
        """Maximum over the other members of each tag's group (0 without others)."""
        ordered = value[self._order]
        numbers = self._sorted[self._starts]
        first, second = np.zeros(len(self._size)), np.zeros(len(self._size))
        first[numbers] = np.maximum.reduceat(ordered, self._starts) if len(numbers) else 0.0
        at_top = np.flatnonzero(ordered == first[self._sorted])
        leaders = at_top[np.unique(self._sorted[at_top], return_index=True)[1]]
        ordered[leaders] = -np.inf
        second[numbers] = np.maximum.reduceat(ordered, self._starts) if len(numbers) else 0.0
        others = first[self._group]
        leading = self._order[leaders]
        others[leading] = second[self._group[leading]]
        return np.where(self._alone, 0.0, others)

    def place(self, value: Array) -> Array:
        """Place in the group, the highest value at 0; of equals, the first."""
        ranked = np.lexsort((-value, self._group))
        first = np.repeat(self._starts, np.diff(self._starts, append=len(value)))
        place = np.empty(len(value))
        place[ranked] = np.arange(len(value)) - first
        return place

    def share_above(self, value: Array) -> Array:
        """Place in the group from 0 (the highest) to 1 (the lowest)."""
        return np.asarray(self.place(value) / np.maximum(self._size[self._group] - 1, 1))

    def compared(self, value: Array) -> Array:
        """(COMPARED, tags): the value itself, the others' mean and maximum, its lead over that, and the log
        of its place (from 1)."""
        highest = self.highest(value)
        return np.stack([value, self.mean(value), highest, value - highest, np.log1p(self.place(value))])
