from __future__ import annotations

import msgspec
import pytest

from runtime.demo.summary import Summary

GOOD = Summary(
    seconds=60.0, fps=9.9, wanted_fps=10.0, reads_per_s=200.0, gates={"door": (3, 1)}, visits=4, dwells=6,
    transitions=3, flips_true=9, flips_found=8, flips_false=0, matches_right=7, matches_wrong=1,
    matches_nobody=0,
    events_by_kind={"flip": 8}, events_sent=100, events_received=100, events_lost=0, stop_s=1.2,
)  # fmt: skip


def test_a_job_that_ran_has_nothing_to_complain_about() -> None:
    assert GOOD.failures() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"events_received": 0}, "no event arrived"),
        ({"events_lost": 2}, "2 events did not arrive"),
        ({"fps": 3.0}, "only 3.0 frames"),
        ({"reads_per_s": 0.0}, "no tag read"),
        ({"visits": 0, "dwells": 0}, "nobody was seen"),
        ({"flips_found": 0}, "none of 9 flips"),
        ({"stop_s": 5.5}, "took 5.5 s to stop"),
    ],
)
def test_each_part_of_the_job_that_did_not_run_is_named(changes: dict[str, object], sentence: str) -> None:
    (failure,) = msgspec.structs.replace(GOOD, **changes).failures()
    assert sentence in failure
