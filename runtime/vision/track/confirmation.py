"""Which tracks are people: those that move, and those that stand and live; and which were not after all."""

from __future__ import annotations

import numpy as np

from runtime.geometry import Bools, Floats
from runtime.vision.track import motion
from runtime.vision.track.people import Table, stationary
from runtime.vision.track.settings import TrackerSettings


def life_after(tracks: Table, shares: Floats, time_s: float, settings: TrackerSettings) -> Floats:
    """Seconds of life (n,) of tracks after a look.

    `shares` (n, 2) is the living change since some tenths of a second and some seconds, nan where nothing
    is known. What changes slowly counts less: looks that follow on each other show much the same.
    """
    beyond = (shares - settings.still_share) / settings.alive_share
    quick, slow = np.clip(beyond, -settings.still_weight, 1.0).T
    slow = np.where(slow > 0, settings.slow_weight * slow, slow)
    rate = np.fmax(quick, slow)
    hasty = np.isnan(slow) & (quick < 0)
    rate[hasty] *= settings.hasty_weight
    rate[np.isnan(rate)] = settings.unknown_weight
    life_s = tracks["alive_s"] + rate * np.minimum(time_s - tracks["seen_s"], settings.alive_gap_s)
    clipped: Floats = np.clip(life_s, -settings.still_most_s, settings.alive_most_s)
    return clipped


def are_people(tracks: Table, scale: Floats, time_s: float, settings: TrackerSettings) -> Bools:
    """Which unconfirmed tracks, seen at `time_s`, were seen often enough and move or live.

    `scale` (n,) is the plane's units a metre at each.
    """
    age_s = time_s - tracks["first_s"] + 1e-6
    often = (tracks["sightings"] >= 3) & (age_s >= settings.confirm_s)
    often |= (tracks["sightings"] >= 2) & (age_s >= settings.confirm_sparse_s)
    alive = tracks["alive_s"] >= settings.confirm_alive_s
    way = tracks["mean"][:, :2] - tracks["stood_at"]
    moved_m = np.hypot(way[:, 0], way[:, 1]) / scale
    still = stationary(tracks, settings.stationary_s)
    moved = moved_m > np.where(still, settings.stationary_move_m, settings.confirm_move_m)
    moved &= tracks["alive_s"] > -settings.still_move_s
    # Who walks changes the picture: a box that moved over one that stayed as it was has slipped.
    moved &= ~tracks["unchanged"]
    if np.count_nonzero(moved):
        covariance = tracks["covariance"][:, :2, :2] + tracks["stood_covariance"]
        squared = np.einsum("ni,nij,nj->n", way, motion.inverse_2x2(covariance), way)
        moved &= squared > settings.confirm_move_sd**2
    people: Bools = often & (alive | moved)
    return people


def as_things(tracks: Table, settings: TrackerSettings) -> Table:
    """Tracks that go on as stationary things where they stand."""
    tracks["confirmed"], tracks["id"] = False, 0
    tracks["first_s"] = tracks["seen_s"] - 2 * settings.stationary_s
    tracks["alive_s"] = -settings.still_most_s
    tracks["stood_at"] = tracks["mean"][:, :2]
    tracks["stood_covariance"] = tracks["covariance"][:, :2, :2]
    return tracks
