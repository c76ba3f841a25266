"""Turns at the network: company for a few milliseconds, nobody starves, the quiet give way first."""

from __future__ import annotations

import pytest

from runtime.vision.batching import (
    QUIET_AFTER_S,
    TARGET_LOAD,
    BatchPolicy,
    BatchSettings,
    CameraPlan,
    Demand,
    allot,
)


def policy(*plans: CameraPlan, gather_s: float = 0.004, max_batch: int = 8) -> BatchPolicy:
    made = BatchPolicy(BatchSettings(gather_s, max_batch))
    for plan in plans:
        made.add(plan, 0.0)
    return made


def plans(count: int, fps: float = 10.0, floor_fps: float = 1.0) -> list[CameraPlan]:
    return [CameraPlan(f"c{n}", fps, floor_fps) for n in range(count)]


def test_a_lone_camera_is_served_at_once() -> None:
    dealer = policy(*plans(1))
    dealer.offer("c0", 1.0)
    assert dealer.wait_s(1.0) == 0.0
    assert dealer.take(1.0) == ["c0"]
    assert dealer.take(1.0) == []


def test_the_first_frame_waits_a_few_milliseconds_for_others() -> None:
    dealer = policy(*plans(3))
    dealer.offer("c0", 1.000)
    assert dealer.take(1.001) == []
    assert dealer.wait_s(1.001) == pytest.approx(0.003)
    dealer.offer("c1", 1.002)
    assert sorted(dealer.take(1.004)) == ["c0", "c1"]


def test_when_everybody_is_there_nobody_waits() -> None:
    dealer = policy(*plans(2))
    dealer.offer("c0", 1.0)
    dealer.offer("c1", 1.0)
    assert sorted(dealer.take(1.0)) == ["c0", "c1"]


def test_a_newer_frame_keeps_the_age_of_the_one_it_replaces() -> None:
    dealer = policy(*plans(2))
    dealer.offer("c0", 1.000)
    dealer.offer("c0", 1.003)
    assert dealer.take(1.004) == ["c0"]


def test_nothing_waiting_means_nothing_to_wait_for() -> None:
    assert policy(*plans(2)).wait_s(5.0) is None


def test_no_camera_starves_when_batches_are_small() -> None:
    dealer = policy(*plans(5), max_batch=2)
    served = {f"c{n}": 0 for n in range(5)}
    for tick in range(50):
        for name in served:
            dealer.offer(name, tick * 0.1)
        for name in dealer.take(tick * 0.1):
            served[name] += 1
    assert set(served.values()) == {20}


def test_a_faster_camera_gets_more_turns_under_pressure() -> None:
    dealer = policy(CameraPlan("fast", 20, 1), CameraPlan("slow", 5, 1), max_batch=1)
    served = {"fast": 0, "slow": 0}
    for tick in range(100):
        for name in served:
            dealer.offer(name, tick * 0.04)
        for name in dealer.take(tick * 0.04):
            served[name] += 1
    assert served["slow"] >= 15
    assert served["fast"] >= 2.5 * served["slow"]


def demand(name: str, *, entrance: bool = False, quiet: bool = False) -> Demand:
    return Demand(name, 10.0, 5.0 if entrance else 1.0, entrance, quiet)


def test_enough_for_all_lowers_nobody() -> None:
    demands = [demand("a"), demand("b", quiet=True)]
    assert allot(20.0, demands) == {"a": 10.0, "b": 10.0}


@pytest.mark.parametrize(
    ("capacity_fps", "quiet", "busy", "quiet_entrance", "busy_entrance"),
    [
        (40, 10, 10, 10, 10),
        (35, 5, 10, 10, 10),
        (31, 1, 10, 10, 10),
        (26, 1, 5, 10, 10),
        (22, 1, 1, 10, 10),
        (19, 1, 1, 7, 10),
        (14, 1, 1, 5, 7),
        (12, 1, 1, 5, 5),
        (3, 1, 1, 5, 5),  # floors hold even when they are too much
    ],
)
def test_rates_are_lowered_in_order_and_never_below_the_floor(
    capacity_fps: float, quiet: float, busy: float, quiet_entrance: float, busy_entrance: float
) -> None:
    rates = allot(
        capacity_fps,
        [
            demand("busy entrance", entrance=True),
            demand("quiet", quiet=True),
            demand("quiet entrance", entrance=True, quiet=True),
            demand("busy"),
        ],
    )
    expected = {
        "quiet": quiet,
        "busy": busy,
        "quiet entrance": quiet_entrance,
        "busy entrance": busy_entrance,
    }
    assert rates == pytest.approx(expected)


def test_cameras_of_one_kind_share_the_loss() -> None:
    demands = [Demand("a", 10, 1, False, True), Demand("b", 19, 1, False, True)]
    assert allot(15.5, demands) == pytest.approx({"a": 5.5, "b": 10.0})


def test_a_slow_network_lowers_the_quiet_camera_and_a_person_raises_it_again() -> None:
    dealer = policy(CameraPlan("hall", 10, 1), CameraPlan("till", 10, 1))
    now_s = QUIET_AFTER_S + 1.0
    dealer.saw("till", 2, now_s)
    dealer.finished(2, 2 * TARGET_LOAD / 14, now_s)  # 14 frames a second can be done
    assert dealer.rates_fps == pytest.approx({"hall": 4.0, "till": 10.0})
    dealer.saw("hall", 1, now_s)
    dealer.saw("till", 0, now_s)
    dealer.finished(2, 2 * TARGET_LOAD / 14, now_s)
    assert dealer.rates_fps == pytest.approx({"hall": 7.0, "till": 7.0})


def test_a_lowered_camera_is_not_due_until_its_turn() -> None:
    dealer = policy(CameraPlan("hall", 10, 1), CameraPlan("till", 10, 1))
    now_s = QUIET_AFTER_S + 1.0
    dealer.saw("till", 2, now_s)
    dealer.finished(2, 2 * TARGET_LOAD / 12, now_s)  # leaves the hall 2 frames a second
    dealer.offer("hall", now_s)
    dealer.take(now_s + 1.0)
    assert not dealer.is_due("hall", now_s + 1.3)
    assert dealer.is_due("hall", now_s + 1.4)
    assert dealer.is_due("till", now_s + 1.0)


def test_at_its_full_rate_every_frame_is_due() -> None:
    dealer = policy(*plans(1))
    dealer.offer("c0", 1.0)
    dealer.take(1.0)
    assert dealer.is_due("c0", 1.001)


def test_a_camera_that_leaves_takes_its_waiting_frame_along() -> None:
    dealer = policy(*plans(2))
    dealer.offer("c0", 1.0)
    dealer.remove("c0", 1.0)
    assert dealer.take(2.0) == []
    assert list(dealer.rates_fps) == ["c1"]
