"""What is wrong with a store's antennas, from a quiet recording beside a plan or an earlier recording.

Every finding is a sentence that says what to do. Unheard is not weak: where an antenna does not hear a tag,
it is taken as UNHEARD_DBM, just below what a reader can hear.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from calibration.store_plan import StorePlan
from rfid_reader.antenna_calibration import AntennaCalibration

UNHEARD_DBM = -85.0
SWAP_MARGIN_DB = 4.0
SWAP_SHARE = 0.6
POWER_STEP_DB = 3.0
LEAST_TAGS = 3
MOST_DIFFERENCE_DB = 20.0
FOREIGN_SHARE = 0.5
FOREIGN_DB = 10.0
ENOUGH_DBM = -62.0
"""A tag that its antenna hears at this still has 10 dB to lose when a body is in the way."""


def rssi_by_antenna(calibration: AntennaCalibration) -> dict[int, dict[str, float]]:
    """Mean RSSI in dBm by antenna and EPC, as far as heard."""
    found: dict[int, dict[str, float]] = {summary.antenna: {} for summary in calibration.antennas}
    for epc, cells in calibration.cells.items():
        for antenna in {cell.antenna for cell in cells}:
            own = [cell for cell in cells if cell.antenna == antenna]
            weight = sum(cell.reads for cell in own)
            found[antenna][epc] = sum(cell.reads * cell.rssi_dbm for cell in own) / weight
    return found


def _profiles(
    heard: dict[int, dict[str, float]], antennas: list[int], epcs: list[str]
) -> NDArray[np.float64]:
    return np.array([[heard[antenna].get(epc, UNHEARD_DBM) for epc in epcs] for antenna in antennas])


def swapped_since(now: AntennaCalibration, before: AntennaCalibration) -> dict[int, int]:
    """Which antenna's place each antenna has taken: {1: 2, 2: 1} where their cables were swapped.

    An antenna has another's place where it hears the tags as the other did before, by SWAP_MARGIN_DB better
    than as it did itself (mean over tags, each difference at most MOST_DIFFERENCE_DB).
    """
    heard, was_heard = rssi_by_antenna(now), rssi_by_antenna(before)
    antennas = sorted(set(heard) & set(was_heard))
    epcs = sorted(set(now.cells) & set(before.cells))
    if len(antennas) < 2 or len(epcs) < LEAST_TAGS:
        return {}
    new, old = _profiles(heard, antennas, epcs), _profiles(was_heard, antennas, epcs)
    apart_db = np.minimum(np.abs(new[:, None] - old[None]), MOST_DIFFERENCE_DB).mean(axis=2)
    rows, columns = linear_sum_assignment(apart_db)
    return {
        antennas[row]: antennas[column]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if row != column and apart_db[row, row] - apart_db[row, column] >= SWAP_MARGIN_DB
    }


def swapped_against(calibration: AntennaCalibration, plan: StorePlan) -> dict[int, int]:
    """Which antenna's rack each antenna hears best: {1: 2, 2: 1} where the cables are swapped.

    An antenna that hears best at least SWAP_SHARE of the garments of another antenna's rack has its place.
    """
    counts: Counter[tuple[int, int]] = Counter()
    for epc, strongest in calibration.strongest.items():
        if epc in plan.port_of:
            counts[plan.port_of[epc], strongest] += 1
    total: Counter[int] = Counter()
    for (planned, _), count in counts.items():
        total[planned] += count
    return {
        strongest: planned
        for (planned, strongest), count in sorted(counts.items())
        if planned != strongest and total[planned] >= LEAST_TAGS and count >= SWAP_SHARE * total[planned]
    }


def _swap_sentences(taken: dict[int, int], what: str) -> list[str]:
    said, told = [], set()
    for antenna, place in sorted(taken.items()):
        if antenna in told:
            continue
        if taken.get(place) == antenna:
            said.append(f"antennas {antenna} and {place} are swapped ({what}): exchange their cables")
            told.add(place)
        else:
            said.append(f"antenna {antenna} is where antenna {place} belongs ({what}): check the cables")
    return said


def against_before(now: AntennaCalibration, before: AntennaCalibration) -> list[str]:
    """What changed since an earlier calibration: dead, swapped, weaker or stronger antennas."""
    heard, was_heard = rssi_by_antenna(now), rssi_by_antenna(before)
    said = [
        f"antenna {antenna} heard {len(was_heard[antenna])} tags before and none now: check its cable"
        for antenna in sorted(set(was_heard) - set(heard))
    ]
    taken = swapped_since(now, before)
    said += _swap_sentences(taken, "they hear what the other heard before")
    for antenna in sorted(set(heard) & set(was_heard)):
        place = taken.get(antenna, antenna)
        both = sorted(set(heard[antenna]) & set(was_heard[place]))
        if len(both) < LEAST_TAGS:
            continue
        step_db = float(np.median([heard[antenna][epc] - was_heard[place][epc] for epc in both]))
        if abs(step_db) >= POWER_STEP_DB:
            word = "weaker" if step_db < 0 else "stronger"
            cause = "its cable or connector may be damaged" if step_db < 0 else "its power was raised"
            said.append(
                f"antenna {antenna} hears the same tags {abs(step_db):.0f} dB {word} than before: "
                f"wrong power setting, or {cause}"
            )
    gone = sorted(set(before.rates) - set(now.rates))
    if gone:
        said.append(f"{len(gone)} tags of the calibration before are not heard any more (first: {gone[0]})")
    return said


def against_plan(calibration: AntennaCalibration, plan: StorePlan) -> list[str]:
    """What differs from store.yaml: swapped antennas, and garments on another rack than theirs."""
    taken = swapped_against(calibration, plan)
    said = _swap_sentences(taken, "each hears the other's rack best")
    strays = [
        epc
        for epc, planned in plan.port_of.items()
        if taken.get(calibration.strongest[epc], calibration.strongest[epc]) != planned
    ]
    if strays:
        first = strays[0]
        said.append(
            f"{len(strays)} garments are heard best at another rack's antenna (first: {first}, "
            f"{plan.rack_of[first]}, at antenna {calibration.strongest[first]}): hang them back "
            "or correct store.yaml"
        )
    return said


def too_loud(calibration: AntennaCalibration) -> list[str]:
    """Antennas that hear much of what belongs to others while their own tags have power to spare."""
    heard = rssi_by_antenna(calibration)
    said = []
    for antenna, levels in sorted(heard.items()):
        own = [levels[epc] for epc in levels if calibration.strongest[epc] == antenna]
        foreign = [
            epc
            for epc, level in levels.items()
            if calibration.strongest[epc] != antenna
            and heard[calibration.strongest[epc]][epc] - level >= FOREIGN_DB
        ]
        spare_db = (min(own) if own else UNHEARD_DBM) - ENOUGH_DBM
        if len(foreign) >= FOREIGN_SHARE * len(levels) and spare_db >= POWER_STEP_DB:
            said.append(
                f"antenna {antenna} also hears {len(foreign)} tags of other racks, and its own have "
                f"{spare_db:.0f} dB to spare: lower its power by {spare_db:.0f} dB, "
                "and its own tags are read more often"
            )
    return said
