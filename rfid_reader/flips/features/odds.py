"""How much likelier a read is of a garment in a hand than of one at rest.

In a hand a garment is turned and moved by more than half a wavelength, so any phase is as likely as another,
and its level falls and scatters. At rest, phase and level scatter about their slowly followed rest by what is
usual there. The log of the ratio of both likelihoods adds up over reads.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TURN_FLOOR = 0.01
HALF_TURN_TURN = 0.4
"""What a step of exactly half a turn counts as: readers take a weak read's phase half a turn wrong."""
SHIFT_FLOOR = 0.3
HANDLED_SHIFT_DB, HANDLED_SPREAD_DB = -4.0, 7.0
LEAST_ODDS, MOST_ODDS = -2.0, 4.0


def turn_of(angle_rad: Array) -> Array:
    """1 - cos of angles, half a turn taken for a rare error of the reader."""
    return np.asarray(np.minimum(1 - np.cos(angle_rad), 1 + np.cos(angle_rad) + HALF_TURN_TURN))


def phase_odds(turn: Array, usual_turn: Array) -> Array:
    """Log-odds of any angle being as likely as another, against a von Mises distribution whose mean turn
    (1 - cos) is usual_turn; I0 by its asymptotic form."""
    narrow = 0.5 / (TURN_FLOOR + usual_turn)
    return np.asarray(np.clip(narrow * turn - 0.5 * np.log1p(2 * math.pi * narrow), LEAST_ODDS, MOST_ODDS))


def rssi_odds(shift_db: Array, usual_shift: Array) -> Array:
    """Log-odds of a level as in a hand (weaker, and spread), against one spread by usual_shift (dB^2)."""
    variance = SHIFT_FLOOR + usual_shift
    calm = shift_db**2 / (2 * variance) + 0.5 * np.log(variance)
    handled = (shift_db - HANDLED_SHIFT_DB) ** 2 / (2 * HANDLED_SPREAD_DB**2) + math.log(HANDLED_SPREAD_DB)
    return np.asarray(np.clip(calm - handled, LEAST_ODDS, MOST_ODDS))
