"""How long a new track waits before it is decided who it is."""

from __future__ import annotations

import pytest

from runtime.store.people.motion import Position, RecentMotion
from runtime.store.people.probation import OVERLAP_S, PROBATION_S, SLOW_PROBATION_S, PendingTrack


def waiting(*times_s: float) -> PendingTrack:
    return PendingTrack(RecentMotion(), [Position(time_s, 0.0, 0.0) for time_s in times_s])


@pytest.mark.parametrize(
    ("changes", "waited_s", "over"),
    [
        ({}, SLOW_PROBATION_S - 0.01, False),
        ({}, SLOW_PROBATION_S, True),
        ({"looked_again": True}, PROBATION_S - 0.01, False),
        ({"looked_again": True}, PROBATION_S, True),
        ({"alone": True}, 0.0, True),
        ({"alone": False}, 0.0, False),
        ({"ended": True}, 0.0, True),
        ({"hurried": True}, 0.0, True),
    ],
)
def test_it_is_over_after_a_while_or_where_waiting_tells_nothing(
    changes: dict[str, bool], waited_s: float, over: bool
) -> None:
    track = waiting(0.0)
    for name, value in changes.items():
        setattr(track, name, value)
    assert track.is_over(waited_s) is over


def test_two_that_one_camera_showed_at_once_are_two_people() -> None:
    first, second = waiting(0.0, 2.0), waiting(1.0, 3.0)
    assert first.beside(second) and second.beside(first)


def test_a_dying_track_and_its_successor_may_overlap_a_little() -> None:
    dying, successor = waiting(0.0, 1.0), waiting(1.0 - OVERLAP_S / 2, 3.0)
    assert not dying.beside(successor) and not successor.beside(dying)
