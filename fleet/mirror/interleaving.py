"""Two ways of choosing compared on one screen: team-draft interleaving (Radlinski et al. 2008)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple


class Interleaved(NamedTuple):
    """What is shown, and which ranker each was drawn for: 0 or 1."""

    shown: tuple[str, ...]
    team: tuple[int, ...]

    def credit(self, chosen: str) -> int | None:
        """The ranker that a choice speaks for; None where it was not shown."""
        return self.team[self.shown.index(chosen)] if chosen in self.shown else None


def interleaved(one: Sequence[str], other: Sequence[str], most: int, drawn: random.Random) -> Interleaved:
    """In each round both rankers give their best that is not shown yet; who goes first is drawn."""
    left = (list(one), list(other))
    shown: list[str] = []
    team: list[int] = []
    while len(shown) < most and (left[0] or left[1]):
        for ranker in drawn.sample((0, 1), 2):
            mine = left[ranker]
            while mine and mine[0] in shown:
                mine.pop(0)
            if mine and len(shown) < most:
                shown.append(mine.pop(0))
                team.append(ranker)
    return Interleaved(tuple(shown), tuple(team))
