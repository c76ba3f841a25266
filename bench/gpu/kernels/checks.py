"""Random cases of every kernel on the host build against the oracle.

A check raises Mismatch, or gives the largest error it saw. Every output begins as rubbish, so an element that
is not written shows; every buffer has exactly the size it needs, so the sanitizers see one step beyond.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.gpu.kernels.box_checks import check_decoders, check_normalise, check_suppress
from bench.gpu.kernels.cases import Runner
from bench.gpu.kernels.image_checks import check_crops, check_half, check_letterbox

Check = Callable[[Runner, np.random.Generator], dict[str, float]]

CHECKS: dict[str, tuple[Check, int]] = {
    "letterbox": (check_letterbox, 40),
    "half": (check_half, 60),
    "crops": (check_crops, 40),
    "decoders": (check_decoders, 40),
    "suppress": (check_suppress, 24),
    "normalise": (check_normalise, 30),
}
"""Name -> check and how many cases make one round."""


def run_checks(
    runner: Runner, rounds: float = 1.0, names: tuple[str, ...] = tuple(CHECKS)
) -> dict[str, float]:
    """The largest error of each kind over `rounds` rounds. Raises Mismatch."""
    largest: dict[str, float] = {}
    for name in names:
        check, cases = CHECKS[name]
        for seed in range(max(1, round(cases * rounds))):
            for what, error in check(runner, np.random.default_rng((seed, len(name)))).items():
                largest[what] = max(error, largest.get(what, 0.0))
            runner.forget()
    return largest
