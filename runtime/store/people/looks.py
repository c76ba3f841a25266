"""How people look, as unit vectors of a re-identification network, and what a likeness of two says.

A likeness (dot product) means little by itself: networks, cameras and light differ. So it is held against
the likenesses of this shop: of one person before two cameras, where place and time leave no doubt, and of two
people who are seen at one moment in two places. Both are taken for normal; their ratio is the evidence.
Vectors stay in memory, at most `MAX_VECTORS` a person, and go with the person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

MAX_VECTORS = 8
CLIP = 4.0
"""Likeness never says more than this, in nats, nor less."""
PRIOR_COUNT = 40.0
"""For how many observations stands what was found elsewhere."""
SAME, DIFFERENT = (0.55, 0.18), (0.24, 0.14)
"""Mean and standard deviation of likenesses of `person-reid` between cameras,
before a shop has shown its own."""
MEMORY = 0.999
"""What an observation keeps of its weight with each further one."""
LEAST_SD = 0.05


def vector_of(encoded: bytes) -> Vector:
    """The unit vector of half floats that a camera's record carries."""
    vector = np.frombuffer(encoded, np.float16).astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def encode(vector: npt.ArrayLike) -> bytes:
    """The same as a record carries it."""
    return np.asarray(vector, np.float16).tobytes()


@dataclass
class Gallery:
    """Some vectors of one person, of as many cameras as there are; the oldest go first."""

    vectors: list[tuple[str, Vector]] = field(default_factory=list)
    _middle: Vector | None = None

    def add(self, camera: str, vector: Vector) -> None:
        """Remember how the person looks before a camera; of one camera no more than two.

        Vectors of another network than this one's say nothing any more.
        """
        self.vectors = [each for each in self.vectors if len(each[1]) == len(vector)]
        mine = [number for number, (name, _) in enumerate(self.vectors) if name == camera]
        if len(mine) >= 2:
            del self.vectors[mine[0]]
        elif len(self.vectors) >= MAX_VECTORS:
            del self.vectors[0]
        self.vectors.append((camera, vector))
        self._middle = None

    def extend(self, other: Gallery) -> None:
        """Remember what is known of who turned out to be the same person."""
        for camera, vector in other.vectors:
            self.add(camera, vector)

    def middle(self) -> Vector | None:
        """The mean direction; None where nothing is known."""
        if self._middle is not None or not self.vectors:
            return self._middle
        mean = np.mean([vector for _, vector in self.vectors], axis=0)
        length = float(np.linalg.norm(mean))
        self._middle = None if length < 1e-6 else np.asarray(mean / length, np.float32)
        return self._middle


@dataclass
class _Spread:
    """A running mean and standard deviation that begin with what was found elsewhere."""

    mean: float
    sd: float
    count: float = PRIOR_COUNT

    def add(self, value: float, weight: float) -> None:
        self.count = MEMORY * self.count + weight
        share = weight / self.count
        off = value - self.mean
        self.mean += share * off
        self.sd = math.sqrt(max(LEAST_SD**2, (1 - share) * (self.sd**2 + share * off * off)))

    def log_density(self, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return -0.5 * ((value - self.mean) / self.sd) ** 2 - math.log(self.sd)


class Likeness:
    """What likenesses say in this shop."""

    def __init__(self) -> None:
        self.same, self.different = _Spread(*SAME), _Spread(*DIFFERENT)

    @property
    def _open(self) -> float:
        """A likeness that says nothing: midway, for networks that cannot be compared."""
        return (self.same.mean + self.different.mean) / 2

    def learn(self, one: Vector, other: Vector, same: bool, weight: float = 1.0) -> None:
        """Take in a pair of which it is known whether it is one person."""
        (self.same if same else self.different).add(float(one @ other), weight)

    def ratio(self, one: Vector, others: Sequence[Vector]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratio "same" to "different", (n,), of one person and each of others.

        It rises with likeness: far out nothing is made of which spread is the wider.
        """
        if all(len(each) == len(one) for each in others):
            alike = np.stack(others).astype(np.float64) @ one
        else:
            alike = np.array([float(each @ one) if len(each) == len(one) else self._open for each in others])
        most = max(self.same.mean + self.same.sd, self.different.mean)
        likeness = np.minimum(np.maximum(alike, self.different.mean), most)
        found = self.same.log_density(likeness) - self.different.log_density(likeness)
        return np.minimum(np.maximum(found, -CLIP), CLIP)
