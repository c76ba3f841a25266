"""Who stands is followed and what only looks so is not counted: how the bench tells."""

from __future__ import annotations

import numpy as np

from bench.vision.track.standing import Loss, has_mannequins, standing_of
from runtime.vision.tracklog import TrackRow

SHOPPER, DUMMY = (10.0, 10.0, 40.0, 100.0), (100.0, 10.0, 40.0, 100.0)
FPS = 10.0


def truth(frames: int, visible: float = 1.0) -> np.ndarray:
    rows = []
    for frame in range(1, frames + 1):
        rows.append([frame, 1, *SHOPPER, 1, 1, visible])
        rows.append([frame, 1000, *DUMMY, 0, 7, 1.0])
    return np.array(rows, dtype=float)


def rows(box: tuple[float, float, float, float], frames: range, track: int = 1) -> list[TrackRow]:
    return [TrackRow(frame, frame / FPS, track, box, 0.9, None) for frame in frames]


def test_the_share_of_a_customers_time_and_the_mannequins_that_were_counted() -> None:
    found = rows(SHOPPER, range(10, 100))
    told = standing_of(truth(100), rows(SHOPPER, range(25, 100)), found, range(100), FPS)
    assert told.detected == 0.9
    assert (told.customers, told.followed, told.followed_least) == (1, 0.75, 0.75)
    assert (told.mannequins, told.counted) == (1, 0)
    both = rows(SHOPPER, range(100)) + rows(DUMMY, range(50), track=2)
    assert standing_of(truth(100), both, [], range(100), FPS).counted == 1


def test_a_track_of_a_person_beside_a_mannequin_counts_no_mannequin() -> None:
    beside = np.array(truth(100))
    beside[beside[:, 7] == 7, 2] = 16.0
    assert standing_of(beside, rows(SHOPPER, range(100)), [], range(100), FPS).counted == 0


def test_who_hardly_shows_is_not_asked_for() -> None:
    assert standing_of(truth(100, visible=0.3), [], [], range(100), FPS).customers == 0
    assert has_mannequins(truth(1)) and not has_mannequins(truth(1)[:, :7])


def test_each_lost_moment_has_its_cause() -> None:
    def box(frames: range, width: float, score: float) -> list[TrackRow]:
        return [TrackRow(frame, frame / FPS, 0, (10.0, 10.0, width, 100.0), score, None) for frame in frames]

    found = box(range(20, 50), 15.0, 0.9) + box(range(50, 60), 40.0, 0.4) + box(range(60, 100), 40.0, 0.9)
    losses = standing_of(truth(100), rows(SHOPPER, range(75, 100)), found, range(100), FPS).losses
    assert losses == {
        Loss.NO_BOX.value: 0.2,
        Loss.OTHER_BOX.value: 0.3,
        Loss.WEAK_BOX.value: 0.1,
        Loss.NOT_TOLD.value: 0.15,
    }
