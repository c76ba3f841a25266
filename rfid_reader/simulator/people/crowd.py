"""Where people are on the simulated floor.

People come from a track file (CSV `time_s,person,x_m,y_m`, floor metres, looped with a period), from paths
given in the scenario, or from a seeded random walk between the racks of a generated store.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfid_reader.errors import ScenarioError

TRACK_COLUMNS = ("time_s", "person", "x_m", "y_m")
LONGEST_GAP_S = 2.0
GRID_S = 0.1


@dataclass(frozen=True)
class CrowdPath:
    """One person's way: times (n,) seconds, rising, and floor_xy_m (n, 2). Between points it is straight;
    over a gap of more than LONGEST_GAP_S the person is away."""

    person: str
    time_s: NDArray[np.float64]
    floor_xy_m: NDArray[np.float64]


class Crowd:
    """All people's tracks on a common grid of times, looped every `period_s` (infinity: not looped)."""

    def __init__(self, tracks: list[CrowdPath], period_s: float = math.inf) -> None:
        self.people = [track.person for track in tracks]
        self.period_s = period_s
        self.last_s = last_s = max((float(track.time_s[-1]) for track in tracks), default=0.0)
        times = np.arange(0.0, min(last_s, period_s) + 2 * GRID_S, GRID_S)
        self._grid = np.full((len(tracks), len(times), 2), np.nan)
        for row, track in enumerate(tracks):
            self._grid[row] = _interpolate(track, times)

    def positions(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Floor positions (people, times, 2) in metres; NaN while a person is away."""
        within = time_s if math.isinf(self.period_s) else np.mod(time_s, self.period_s)
        place = np.asarray(within, np.float64) / GRID_S
        before = np.clip(place.astype(np.int64), 0, self._grid.shape[1] - 2)
        share = (place - before)[:, None]
        here = self._grid[:, before] + share * (self._grid[:, before + 1] - self._grid[:, before])
        outside = (share[:, 0] < 0) | (share[:, 0] > 1)
        return np.where(outside[:, None], np.nan, here)


def _interpolate(track: CrowdPath, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.full((len(time_s), 2), np.nan)
    times = track.time_s
    after = np.searchsorted(times, time_s, side="right")
    inside = (time_s >= times[0]) & (time_s <= times[-1])
    if not inside.any():
        return result
    after = np.clip(after, 1, len(times) - 1) if len(times) > 1 else np.zeros_like(after)
    before = np.maximum(after - 1, 0)
    gap_s = times[after] - times[before]
    share = np.where(gap_s > 0, (time_s - times[before]) / np.where(gap_s > 0, gap_s, 1.0), 0.0)
    here = inside & (gap_s <= LONGEST_GAP_S)
    points = track.floor_xy_m[before] + share[:, None] * (track.floor_xy_m[after] - track.floor_xy_m[before])
    result[here] = points[here]
    return result


def load_tracks(path: Path) -> list[CrowdPath]:
    """Read a track file. Raises ScenarioError with the line and what would be right."""
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(line for line in file if not line.startswith("#"))
            header = next(reader, [])
            if tuple(header[:4]) != TRACK_COLUMNS:
                raise ScenarioError(
                    f"{path}: the first line is {header}; {','.join(TRACK_COLUMNS)} would be right"
                )
            for row in reader:
                try:
                    time_s, x_m, y_m = float(row[0]), float(row[2]), float(row[3])
                    if not (math.isfinite(time_s) and math.isfinite(x_m) and math.isfinite(y_m)):
                        raise ValueError("not finite")
                except (ValueError, IndexError):
                    raise ScenarioError(
                        f"{path}: line {reader.line_num}: {row} is not time_s,person,x_m,y_m"
                    ) from None
                rows[row[1]].append((time_s, x_m, y_m))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: the track file cannot be read: {error}") from None
    tracks = []
    for person, points in sorted(rows.items()):
        table = np.array(sorted(points))
        tracks.append(CrowdPath(person, table[:, 0], table[:, 1:]))
    return tracks
