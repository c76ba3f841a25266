"""Do the tracks that are taken for one person show one? Where they disagree for long, they do not.

Feet that furniture hides put a person decimetres off, a tracker that slips onto somebody else or onto a
thing metres. So it is the mean offset over `AGREEMENT_S` that is judged, by the same odds by which tracks
are joined: the density of such an offset between two views of one person against a stranger's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from runtime.store.people.global_track import LEAD_TIMEOUT_S
from runtime.store.people.motion import Position, RecentMotion, slope
from runtime.store.people.reassociation import CO_LOCATION_SIGMA_M, co_location, reassociation

AGREEMENT_S = 1.5
"""So much of the last seconds is compared."""
LEAST_SHARED_S = 1.0
APART = math.log(0.1)
"""Log-odds "same" below which tracks are parted."""
TOGETHER_M = 2 * CO_LOCATION_SIGMA_M
"""Up to this offset two tracks may still show one person: where they part is looked for beyond."""
JOIN = math.log(20.0)
"""Log-odds "same" from which two persons who walk together turn out to be one."""
CROWD_PER_M2 = 0.1
"""Density of others around somebody in a shop: customers stand where customers stand, not anywhere."""
JOIN_WALK_M_PER_S = 0.5
SAME_VELOCITY_SD, ANY_VELOCITY_SD = 0.35, 1.2
"""How velocities differ of two views of one person, and of people at large; m/s along each axis."""
SURE_JUMP = 0.01
"""Odds below which a track that comes back after a gap is somebody else: its tracker had reasons, too."""
JUMP_M, JUMP_M_PER_S = 1.2, 3.0


def disagreement(own: RecentMotion, others: Iterable[RecentMotion], stranger: float) -> float:
    """Log-odds "same person" of a track with those that other cameras have of that person.

    0, which says nothing, where less than `LEAST_SHARED_S` of the last seconds is shared.
    """
    recent = own.since(own.last.time_s - AGREEMENT_S)
    found = 0.0
    for other in others:
        shared = [each for each in recent if other.at(each.time_s, 0.0) is not None]
        if len(shared) < 2 or shared[-1].time_s - shared[0].time_s < LEAST_SHARED_S:
            continue
        density = co_location(other, shared, 0.0)
        found += math.log(max(density, 1e-12) / stranger)
    return found


def togetherness(one: RecentMotion, other: RecentMotion, stranger: float) -> float:
    """Log-odds "one person" of two who are seen by different cameras; -inf unless both walk.

    Who stands beside somebody would be taken for them; who walks as they do, for seconds, at one spot, not.
    """
    recent = one.since(one.last.time_s - AGREEMENT_S)
    shared = [each for each in recent if other.at(each.time_s, 0.0) is not None]
    if len(shared) < 3 or shared[-1].time_s - shared[0].time_s < LEAST_SHARED_S:
        return -math.inf
    twin = [Position(each.time_s, *(other.at(each.time_s, 0.0) or (0.0, 0.0))) for each in shared]
    velocity, twins = slope(shared), slope(twin)
    if (
        velocity is None
        or twins is None
        or min(math.hypot(*velocity), math.hypot(*twins)) < JOIN_WALK_M_PER_S
    ):
        return -math.inf
    place = co_location(other, shared, 0.0) / max(stranger, CROWD_PER_M2)
    alike = math.dist(velocity, twins) / SAME_VELOCITY_SD, math.hypot(*velocity) / ANY_VELOCITY_SD
    scale = 2 * math.log(ANY_VELOCITY_SD / SAME_VELOCITY_SD)
    return math.log(max(place, 1e-12)) + scale + (alike[1] ** 2 - alike[0] ** 2) / 2


def parted_since(own: RecentMotion, others: list[RecentMotion]) -> list[Position]:
    """The last positions of a track, all further from the others than two views of one person are."""
    positions = own.since(-math.inf)
    for number in range(len(positions) - 1, -1, -1):
        each = positions[number]
        places = [at for other in others if (at := other.at(each.time_s, LEAD_TIMEOUT_S)) is not None]
        if places and min(math.dist(at, (each.x_m, each.y_m)) for at in places) < TOGETHER_M:
            return positions[number + 1 :] or positions[-1:]
    return positions


def jumps(motion: RecentMotion, position: Position, stranger: float) -> bool:
    """Whether nobody can have walked from where a track was to where it is now said to be."""
    last = motion.last
    gap_s = position.time_s - last.time_s
    moved_m = float(np.hypot(position.x_m - last.x_m, position.y_m - last.y_m))
    if moved_m > JUMP_M + JUMP_M_PER_S * max(gap_s, 0.0):
        return True
    if gap_s <= LEAD_TIMEOUT_S or moved_m < JUMP_M:
        return False
    new = RecentMotion()
    new.add(position)
    return reassociation(motion, new, position, gap_s) < SURE_JUMP * stranger
