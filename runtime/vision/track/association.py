"""Which box is which track: one cost for place, size, overlap and appearance, and the cheapest pairing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from runtime.geometry import Floats
from runtime.vision.track.settings import TrackerSettings

NO_MATCH = 1e6

Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
NOTHING: Pairs = (np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))


def pair_up(cost: Floats) -> Pairs:
    """The cheapest one-to-one pairing of rows and columns of `cost` (n, m).

    Entries of NO_MATCH never pair. Returns row and column indices into `cost`. An entry that is the only
    one of its row and of its column needs no search, which is the common case of a shop that is not crowded.
    """
    possible = cost < NO_MATCH
    count = np.count_nonzero(possible)
    if not count:
        return NOTHING
    used_rows, used_columns = np.logical_or.reduce(possible, axis=1), np.logical_or.reduce(possible, axis=0)
    if np.count_nonzero(used_rows) == count == np.count_nonzero(used_columns):
        only_rows, only_columns = possible.nonzero()
        return only_rows, only_columns
    row_ids, column_ids = used_rows.nonzero()[0], used_columns.nonzero()[0]
    part = cost[row_ids][:, column_ids]
    chosen_rows, chosen_columns = linear_sum_assignment(part)
    kept = part[chosen_rows, chosen_columns] < NO_MATCH
    return row_ids[chosen_rows[kept]], column_ids[chosen_columns[kept]]


def pair_costs(
    squared_distance: Floats,
    log_determinant: Floats,
    iou: Floats,
    height_gap: Floats,
    similarity: Floats | None,
    settings: TrackerSettings,
) -> Floats:
    """Cost (n, m) of every track with every sighting: a negative log likelihood, NO_MATCH beyond the gate.

    The covariance counts, so that a track lost for long, which could be anywhere, does not take a box from
    one that was expected right there. `height_gap` is in standard deviations; `similarity` of appearance in
    -1..1.
    """
    cost = squared_distance + log_determinant
    cost *= 0.5
    cost += settings.iou_weight * (1 - iou)
    gap = np.minimum(height_gap, 4.0)
    gap *= gap
    gap *= 0.5 * settings.height_weight
    cost += gap
    if similarity is not None:
        cost += 0.5 * settings.appearance_weight * (1 - similarity)
    cost[(squared_distance > settings.gate) | (cost > settings.worst_cost)] = NO_MATCH
    return cost
