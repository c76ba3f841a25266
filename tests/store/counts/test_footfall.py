"""Crossings in the interval in which watching began."""

from __future__ import annotations

import pytest

from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.entrances import Crossing
from runtime.store.counts.footfall import FootfallBook
from runtime.store.floorplan import EntranceLine

DOOR = EntranceLine("door", ((0.0, 0.0), (2.0, 0.0)), (1.0, 1.0))
BEGIN_S = 1_000_030.0
"""Watching begins ten seconds after a minute has: 1,000,020 is a multiple of sixty."""


@pytest.mark.parametrize(("before_s", "entered"), [(-5.0, 1), (5.0, 0), (15.0, 0)])
@pytest.mark.parametrize("closed", [False, True])
def test_a_crossing_before_watching_began_is_not_counted_whenever_it_is_heard_of(
    before_s: float, entered: int, closed: bool
) -> None:
    book = FootfallBook((DOOR,), 60.0, BEGIN_S, CoverageMeter((), BEGIN_S, 600.0))
    told = book.close(BEGIN_S + 100.0) if closed else []
    book.add(crossing(BEGIN_S - before_s))
    told += book.close(BEGIN_S + 120.0)
    assert [fact.entered for fact in told if fact.start_s == BEGIN_S][-1] == entered
    assert book.counts["uncounted_late"] == 1 - entered


def crossing(time_s: float) -> Crossing:
    return Crossing("door", 1, "in", time_s)
