"""How a tag moves when its garment is handled, and when a neighbour is.

A flip is the hand taking the garment out, turning it, and putting it back not quite where it was. A push is
the short shove that neighbours on the rail get, with the swing that follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLIP, PUSH = "flip", "push"
SWING_FREQUENCY_HZ = 0.9
SWING_DECAY_S = 0.9
SWING_SHARE = 0.12
TWIST_SHARE = 0.3
TWO_PI = 2 * math.pi


@dataclass(frozen=True)
class Motion:
    """One movement of one tag. Times are scenario seconds; reach_m (3,) is how far it is taken out, rest_m
    (3,) how far from its old place it ends; turn_rad and rest_turn_rad likewise for its rotation;
    hand_loss_db is the two-way loss while a hand is on the garment; wander_m and wander_hz the hand's
    unrest, twist_share by how much of itself the rotation changes with it. by_hand: a hand is at the garment
    itself from start to end, which the garments beside it feel too.
    """

    tag: int
    kind: str
    start_s: float
    end_s: float
    reach_m: NDArray[np.float64]
    rest_m: NDArray[np.float64]
    turn_rad: float
    rest_turn_rad: float
    hand_loss_db: float
    wander_m: float
    wander_hz: float
    wander_phase_rad: float
    by_hand: bool = False
    twist_share: float = TWIST_SHARE

    @property
    def settled_s(self) -> float:
        """When the tag hangs still again."""
        return self.end_s + 4 * SWING_DECAY_S


@dataclass(frozen=True)
class TagMotion:
    """Displacement (n, 3) metres, rotation (n,) radians, two-way loss (n,) dB, for n times."""

    offset_m: NDArray[np.float64]
    turn_rad: NDArray[np.float64]
    loss_db: NDArray[np.float64]


def _smooth(share: NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3 - 2 * share)


class Motions:
    """Several motions as columns, so that all moving tags are posed at once."""

    def __init__(self, motions: list[Motion]) -> None:
        def column(name: str) -> NDArray[np.float64]:
            return np.array([getattr(motion, name) for motion in motions], np.float64)

        self.tag = np.array([motion.tag for motion in motions], np.int64)
        self.start_s = column("start_s")
        self.end_s = column("end_s")
        self.reach_m = column("reach_m").reshape(-1, 3)
        self.rest_m = column("rest_m").reshape(-1, 3)
        self.turn_rad = column("turn_rad")
        self.rest_turn_rad = column("rest_turn_rad")
        self.hand_loss_db = column("hand_loss_db")
        self.wander_m = column("wander_m")
        self.wander_hz = column("wander_hz")
        self.wander_phase_rad = column("wander_phase_rad")
        self.twist_share = column("twist_share")
        self.by_hand = np.flatnonzero([motion.by_hand for motion in motions])

    def poses(self, which: NDArray[np.int64], time_s: NDArray[np.float64]) -> TagMotion:
        """Where motion `which[i]` has taken its tag at `time_s[i]`."""
        start_s, end_s = self.start_s[which], self.end_s[which]
        edge_s = np.minimum(0.5, 0.35 * (end_s - start_s))
        out = _smooth((time_s - start_s) / edge_s)
        back = _smooth((time_s - (end_s - edge_s)) / edge_s)
        held = out * (1 - back)
        unrest = np.sin(TWO_PI * self.wander_hz[which] * (time_s - start_s) + self.wander_phase_rad[which])
        after_s = np.maximum(time_s - end_s, 0.0)
        swing = np.exp(-after_s / SWING_DECAY_S) * np.sin(TWO_PI * SWING_FREQUENCY_HZ * after_s)
        reach_m = self.reach_m[which]
        length_m = np.sqrt((reach_m**2).sum(1))
        along = self.wander_m[which] * unrest * held + SWING_SHARE * length_m * swing
        offset_m = (
            held[:, None] * reach_m
            + back[:, None] * self.rest_m[which]
            + (along / np.maximum(length_m, 1e-6))[:, None] * reach_m
        )
        turn_rad = (
            held * self.turn_rad[which] * (1 + self.twist_share[which] * unrest)
            + back * self.rest_turn_rad[which]
        )
        return TagMotion(offset_m, turn_rad, held * self.hand_loss_db[which])


def make_flip(
    tag: int,
    start_s: float,
    end_s: float,
    outward: NDArray[np.float64],
    rng: np.random.Generator,
    vigour: float = 1.0,
) -> Motion:
    """A flip of a garment, taken out along `outward` (3,), a unit vector from the rack towards the person,
    and moved to and fro by 1 to 5 cm times `vigour`; one that is hardly moved, or walked about with, is
    turned less."""
    sideways = np.array([-outward[1], outward[0], 0.0])
    calm = min(vigour, 1 / vigour)
    reach_m = (
        outward * rng.uniform(0.08, 0.35)
        + sideways * rng.uniform(-0.12, 0.12)
        + np.array([0, 0, rng.uniform(-0.10, 0.15)])
    )
    return Motion(
        tag=tag,
        kind=FLIP,
        start_s=start_s,
        end_s=end_s,
        reach_m=min(vigour, 1.0) ** 0.5 * reach_m,
        rest_m=rng.normal(0, [0.012, 0.012, 0.004]),
        turn_rad=calm**0.5 * float(rng.choice([-1, 1]) * rng.uniform(0.6, 3.0)),
        rest_turn_rad=float(rng.normal(0, 0.12)),
        hand_loss_db=float(rng.uniform(0.5, 6.0)),
        wander_m=vigour * float(rng.uniform(0.01, 0.05)),
        wander_hz=float(rng.uniform(0.5, 1.6)),
        wander_phase_rad=float(rng.uniform(0, 2 * math.pi)),
        by_hand=True,
        twist_share=TWIST_SHARE * calm,
    )


def make_push(
    tag: int,
    start_s: float,
    along: NDArray[np.float64],
    strength: float,
    rng: np.random.Generator,
    by_hand: bool = False,
) -> Motion:
    """The shove a garment gets along the rail; `strength` (0..1) falls with the distance to the hand."""
    size_m = strength * rng.uniform(0.005, 0.035)
    return Motion(
        tag=tag,
        kind=PUSH,
        start_s=start_s,
        end_s=start_s + float(rng.uniform(0.4, 1.0)),
        reach_m=along * size_m * float(rng.choice([-1, 1])),
        rest_m=along * float(rng.normal(0, 0.3 * size_m)),
        turn_rad=float(rng.normal(0, 0.15 * strength)),
        rest_turn_rad=float(rng.normal(0, 0.03 * strength)),
        hand_loss_db=float(rng.uniform(0.0, 1.0) * strength),
        wander_m=0.002,
        wander_hz=SWING_FREQUENCY_HZ,
        wander_phase_rad=0.0,
        by_hand=by_hand,
    )
