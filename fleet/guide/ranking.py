"""An order of coupons: what others redeemed counts most, then shops' heat, conversion, and the value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class CouponWeights(NamedTuple):
    """`band` is that of redemptions by people of the same coarse attributes: off, since it brought nothing
    on real redemptions (`docs/guide.md`)."""

    redeemed: float = 1.0
    heat: float = 0.25
    conversion: float = 0.25
    value: float = 0.25
    band: float = 0.0


class CouponSignals(NamedTuple):
    """By coupon; NaN is unknown and counts as the middle of those known.

    `redeemed`: by others; `heat`: person-seconds in its shop; `conversion`: share of visitors of its shop who
    buy; `value`: in money; `by_band`: redeemed by others of the same coarse attributes.
    """

    redeemed: Floats
    heat: Floats
    conversion: Floats
    value: Floats
    by_band: Floats


OURS = CouponWeights()


def scores(signals: CouponSignals, weights: CouponWeights = OURS) -> Floats:
    """Higher first. Counts and sums by their logarithm; each signal with mean 0 and deviation 1."""
    found = np.zeros(len(signals.redeemed))
    for name, values in signals._asdict().items():
        weight: float = getattr(weights, "band" if name == "by_band" else name)
        if weight:
            found += weight * _standardised(values if name == "conversion" else np.log1p(values))
    return found


def _standardised(values: Floats) -> Floats:
    is_known = ~np.isnan(values)
    if not is_known.any():
        return np.zeros(len(values))
    known = values[is_known]
    spread = float(known.std())
    centred = np.where(is_known, values, known.mean()) - known.mean()
    return centred / spread if spread > 0 else np.zeros(len(values))
