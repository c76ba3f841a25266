from __future__ import annotations

import msgspec
import pytest

from runtime.demo.score import DemoScore
from runtime.demo.summary import Summary, named_share

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
        ({"fps": 0.0}, "no picture was analysed"),
        ({"reads_per_s": 0.0}, "no tag read"),
        ({"visits": 0, "dwells": 0}, "nobody was seen"),
        ({"flips_found": 0}, "none of 9 flips"),
        ({"stop_s": 5.5}, "took 5.5 s to stop"),
    ],
)
def test_each_part_of_the_job_that_did_not_run_is_named(changes: dict[str, object], sentence: str) -> None:
    (failure,) = msgspec.structs.replace(GOOD, **changes).failures()
    assert sentence in failure


def test_a_machine_that_keeps_up_is_told_no_more_than_that() -> None:
    assert GOOD.verdict() == "Everything worked."


@pytest.mark.parametrize(
    ("fps", "share"), [(5.1, "half of it: 5.1 of 10"), (3.0, "30% of it"), (0.4, "4% of it")]
)
def test_a_slow_machine_is_told_its_share_and_has_not_failed(fps: float, share: str) -> None:
    slow = msgspec.structs.replace(GOOD, fps=fps)
    assert slow.failures() == []
    assert slow.verdict().startswith(f"Everything worked; your CPU managed {share}")


def test_what_a_slow_machine_missed_is_explained_and_no_failure() -> None:
    missed = {"visits": 0, "dwells": 0, "flips_found": 0, "stop_s": 7.0}
    slow = msgspec.structs.replace(GOOD, fps=1.0, **missed)
    assert slow.failures() == []
    for sentence in ("nobody was seen", "none of 9 flips", "7.0 s to stop"):
        assert sentence in slow.verdict()
    assert len(msgspec.structs.replace(GOOD, **missed).failures()) == 3


@pytest.mark.parametrize("changes", [{"events_lost": 1}, {"events_received": 0}, {"reads_per_s": 0.0}])
def test_a_slow_machine_is_no_excuse_for_what_has_nothing_to_do_with_it(changes: dict[str, object]) -> None:
    assert len(msgspec.structs.replace(GOOD, fps=2.0, **changes).failures()) == 1


def test_a_demo_that_named_nobody_says_so() -> None:
    assert named_share(DemoScore(3, 2, 0, 0, 0, 2)) == "none was named"
    assert named_share(DemoScore(3, 3, 0, 2, 1, 0)) == "67% of 3 named are right"
