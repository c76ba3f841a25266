"""What the demo found, held against what it knows to be true.

The simulated reader writes down every flip it plays and which person of the paths file did it; the same
paths say where each person is at any moment of the loop. A match is right where the place it gives for
its visitor is that person's and nobody else's.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.facts import Flip, Interaction, Point
from tagsight.errors import TagsightError

SAME_FLIP_S = 1.5
"""A found flip is the true one of the same tag if their middles are no further apart."""

SAME_PERSON_M = 1.5
"""A place further than this from every person belongs to nobody of the paths file."""


@dataclass(frozen=True)
class PlayedFlip:
    """A flip that was played: which tag, when (UTC seconds), by which person."""

    epc: str
    start_s: float
    end_s: float
    person: str

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True)
class DemoScore:
    """Flips and matches, found and true.

    `right` and `wrong` count matches of true flips that name a visitor; `nobody` those that do not;
    `false_flips` were never played. `verdicts` is flip key -> whether it was played and its visitor is the
    right one; a found flip that names nobody has none. `missed` were played and not found.
    """

    true_flips: int
    found_flips: int
    false_flips: int
    right: int
    wrong: int
    nobody: int
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    missed: tuple[PlayedFlip, ...] = ()

    @property
    def right_share(self) -> float | None:
        """Share of named matches that name the right person; None where none was named."""
        named = self.right + self.wrong
        return self.right / named if named else None


class Paths:
    """Where each person of a looped paths file is: CSV with columns time_s, person, x_m, y_m."""

    def __init__(self, path: Path, period_s: float) -> None:
        self.period_s = period_s
        rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        try:
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    rows[row["person"]].append((float(row["time_s"]), float(row["x_m"]), float(row["y_m"])))
        except (OSError, KeyError, ValueError) as error:
            raise TagsightError(f"{path}: not a paths file with time_s, person, x_m, y_m: {error}") from None
        self._walks: dict[str, NDArray[np.float64]] = {
            person: np.array(sorted(points)) for person, points in rows.items()
        }

    def at(self, loop_s: float) -> dict[str, Point]:
        """Every person who is there `loop_s` seconds into the endlessly repeated loop."""
        phase_s = loop_s % self.period_s
        places: dict[str, Point] = {}
        for person, walk in self._walks.items():
            if walk[0, 0] <= phase_s <= walk[-1, 0]:
                x_m = float(np.interp(phase_s, walk[:, 0], walk[:, 1]))
                y_m = float(np.interp(phase_s, walk[:, 0], walk[:, 2]))
                places[person] = (x_m, y_m)
        return places

    def who(self, place: Point, loop_s: float) -> str | None:
        """The person nearest to a place, None if nobody is within `SAME_PERSON_M`."""
        near = ((math.dist(place, at), person) for person, at in self.at(loop_s).items())
        distance_m, person = min(near, default=(math.inf, ""))
        return person if distance_m <= SAME_PERSON_M else None


def score(
    truth: Sequence[PlayedFlip],
    flips: Iterable[Flip],
    matches: Iterable[Interaction],
    paths: Paths,
    epoch_s: float,
) -> DemoScore:
    """Hold found flips and matches against the truth; `epoch_s` is when the first loop began."""
    found: dict[str, PlayedFlip] = {}
    taken: set[int] = set()
    verdicts: dict[str, bool] = {}
    for flip in sorted(flips, key=lambda flip: flip.start_s):
        number = _nearest(truth, taken, flip)
        if number is None:
            verdicts[flip.key] = False
        else:
            taken.add(number)
            found[flip.key] = truth[number]
    false_flips, nobody = len(verdicts), 0
    named: list[bool] = []
    for match in matches:
        true = found.get(match.flip)
        if true is None:
            continue
        if match.visitor is None or match.evidence is None:
            nobody += 1
            continue
        at_s = (match.start_s + match.end_s) / 2 + match.evidence.time_offset_s
        is_right = paths.who(match.evidence.floor_xy_m, at_s - epoch_s) == true.person
        verdicts[match.flip] = is_right
        named.append(is_right)
    missed = tuple(true for number, true in enumerate(truth) if number not in taken)
    right = sum(named)
    return DemoScore(len(truth), len(found), false_flips, right, len(named) - right, nobody, verdicts, missed)


def _nearest(truth: Sequence[PlayedFlip], taken: set[int], flip: Flip) -> int | None:
    middle_s = (flip.start_s + flip.end_s) / 2
    candidates = [
        (abs(true.middle_s - middle_s), number)
        for number, true in enumerate(truth)
        if true.epc == flip.epc and number not in taken
    ]
    gap_s, number = min(candidates, default=(math.inf, -1))
    return number if gap_s <= SAME_FLIP_S else None
