"""Which box is which track: one cost for place, size, overlap and appearance, and the cheapest pairing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from runtime.geometry import Bools, Floats
from runtime.vision.track.settings import TrackerSettings

NO_MATCH = 1e6

Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
NOTHING: Pairs = (np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))


def pair_up(cost: Floats, rows: Bools, columns: Bools) -> Pairs:
    """The cheapest one-to-one pairing of the marked rows and columns of `cost` (n, m).

    Entries of NO_MATCH never pair. Returns row and column indices into `cost`. An entry that is the only
    one of its row and of its column needs no search, which is the common case of a shop that is not crowded.
    """
    row_ids, column_ids = np.flatnonzero(rows), np.flatnonzero(columns)
    if not len(row_ids) or not len(column_ids):
        return NOTHING
    part = cost[np.ix_(row_ids, column_ids)]
    possible = part < NO_MATCH
    if (possible.sum(axis=0) <= 1).all() and (possible.sum(axis=1) <= 1).all():
        chosen_rows, chosen_columns = np.nonzero(possible)
    else:
        chosen_rows, chosen_columns = linear_sum_assignment(part)
        kept = possible[chosen_rows, chosen_columns]
        chosen_rows, chosen_columns = chosen_rows[kept], chosen_columns[kept]
    return row_ids[chosen_rows], column_ids[chosen_columns]


def pair_costs(
    squared_distance: Floats,
    spread_log: Floats,
    overlap: Floats,
    height_gap: Floats,
    likeness: Floats | None,
    settings: TrackerSettings,
) -> Floats:
    """Cost (n, m) of every track with every sighting: a negative log likelihood, NO_MATCH beyond the gate.

    The spread counts, so that a track lost for long, which could be anywhere, does not take a box from one
    that was expected right there. `height_gap` is in standard deviations; `likeness` of appearance in -1..1.
    """
    cost = 0.5 * (squared_distance + spread_log) + settings.overlap_weight * (1 - overlap)
    cost += 0.5 * settings.height_weight * np.minimum(height_gap, 4.0) ** 2
    if likeness is not None:
        cost += 0.5 * settings.appearance_weight * (1 - likeness)
    cost[(squared_distance > settings.gate) | (cost > settings.worst_cost)] = NO_MATCH
    return cost
