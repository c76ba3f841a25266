"""Turns at the network: company for a few milliseconds, nobody starves, the quiet give way first."""

from __future__ import annotations

import random

import pytest

from runtime.vision.batching import (
    QUIET_AFTER_S,
    TARGET_LOAD,
    BatchPolicy,
    BatchSettings,
    CameraPlan,
    Demand,
    allocate_rates,
)
from runtime.vision.delivery import FrameDelivery


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
    assert allocate_rates(20.0, demands) == {"a": 10.0, "b": 10.0}


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
    rates = allocate_rates(
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
    assert allocate_rates(15.5, demands) == pytest.approx({"a": 5.5, "b": 10.0})


def test_a_slow_network_lowers_the_quiet_camera_and_a_person_raises_it_again() -> None:
    dealer = policy(CameraPlan("hall", 10, 1), CameraPlan("till", 10, 1))
    now_s = QUIET_AFTER_S + 1.0
    dealer.note_persons("till", 2, now_s)
    dealer.batch_finished(2, 2 * TARGET_LOAD / 14, now_s)  # 14 frames a second can be done
    assert dealer.rates_fps == pytest.approx({"hall": 4.0, "till": 10.0})
    dealer.note_persons("hall", 1, now_s)
    dealer.note_persons("till", 0, now_s)
    dealer.batch_finished(2, 2 * TARGET_LOAD / 14, now_s)
    assert dealer.rates_fps == pytest.approx({"hall": 7.0, "till": 7.0})


def test_a_lowered_camera_is_not_due_until_its_turn() -> None:
    dealer = policy(CameraPlan("hall", 10, 1), CameraPlan("till", 10, 1))
    now_s = QUIET_AFTER_S + 1.0
    dealer.note_persons("till", 2, now_s)
    dealer.batch_finished(2, 2 * TARGET_LOAD / 12, now_s)  # leaves the hall 2 frames a second
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


class Machine:
    """A network that takes `cost_s` a frame, and cameras that bring frames at rates that may change."""

    def __init__(self, cost_s: float, *plans: CameraPlan) -> None:
        self.dealer = policy(*plans)
        self.cost_s = cost_s
        self.now_s = 0.0
        self._next_s = {plan.name: 0.0 for plan in plans}

    def run(self, seconds: float, **offered_fps: float) -> dict[str, float]:
        """Frames a second that each camera got; a camera not named brings none."""
        end_s, got = self.now_s + seconds, dict.fromkeys(self._next_s, 0)
        while self.now_s < end_s:
            for name, fps in offered_fps.items():
                self._next_s[name] = max(self._next_s[name], self.now_s - 0.5)
                while self._next_s[name] <= self.now_s:
                    self._next_s[name] += 1.0 / fps
                    if self.dealer.is_due(name, self.now_s):
                        self.dealer.offer(name, self.now_s)
            batch = self.dealer.take(self.now_s)
            self.now_s += self.cost_s * len(batch) or 0.001
            if batch:
                self.dealer.batch_finished(len(batch), self.cost_s * len(batch), self.now_s)
            for name in batch:
                got[name] += 1
        return {name: count / seconds for name, count in got.items()}


HALL, DOOR = CameraPlan("hall", 30, 1), CameraPlan("door", 10, 5, entrance=True)


def test_a_camera_that_never_delivers_leaves_the_whole_machine_to_the_other() -> None:
    machine = Machine(0.1, HALL, DOOR)
    assert machine.run(10.0, hall=30)["hall"] == pytest.approx(9.5, abs=0.6)
    assert machine.dealer.rates_fps == pytest.approx({"hall": TARGET_LOAD / 0.1, "door": 0.0})


def test_a_camera_has_no_more_of_the_machine_than_it_delivers() -> None:
    """The entrance has the first claim, to ten frames a second; it brings one."""
    machine = Machine(0.1, HALL, DOOR)
    got = machine.run(20.0, hall=30, door=1)
    assert got["door"] == pytest.approx(1.0, abs=0.1)
    assert got["hall"] == pytest.approx(8.5, abs=0.7)


def test_an_entrance_that_delivers_keeps_its_floor() -> None:
    machine = Machine(0.16, HALL, DOOR)
    got = machine.run(20.0, hall=30, door=10)
    assert got["door"] >= 4.5
    assert got["hall"] >= 0.9


def test_a_camera_that_dies_hands_its_share_over_and_takes_it_back_with_its_first_frame() -> None:
    machine = Machine(0.1, HALL, DOOR)
    assert machine.run(10.0, hall=30, door=10)["hall"] < 2.0
    machine.run(3.0, hall=30)
    assert machine.run(10.0, hall=30)["hall"] == pytest.approx(9.5, abs=0.6)
    back = machine.run(10.0, hall=30, door=10)
    assert back["door"] >= 7.0 and back["hall"] < 2.0


def test_frames_that_come_while_the_network_works_are_no_silence() -> None:
    """Three seconds a frame: nobody is heard for that long, and the entrance still comes first."""
    machine = Machine(3.0, HALL, DOOR)
    machine.run(60.0, hall=30, door=10)
    assert machine.dealer.rates_fps == pytest.approx({"hall": 1.0, "door": 5.0})


def test_nobody_waits_for_the_company_of_a_camera_that_is_silent() -> None:
    machine = Machine(0.001, HALL, DOOR)
    machine.run(5.0, hall=10)
    machine.dealer.offer("hall", machine.now_s)
    assert machine.dealer.wait_s(machine.now_s) == 0.0
    assert machine.dealer.take(machine.now_s) == ["hall"]


def test_frames_that_could_not_be_lent_count_as_delivered() -> None:
    dealer = policy(HALL)
    for tick in range(50):
        dealer.offer("hall", tick / 10)
        dealer.missed("hall", 2, tick / 10)
    assert dealer.delivered_fps("hall", 5.0) == pytest.approx(30.0, rel=0.15)


@pytest.mark.parametrize("fps", [0.2, 1.0, 7.0, 25.0])
def test_a_rate_is_measured_however_unevenly_frames_come(fps: float) -> None:
    rng = random.Random(5)
    delivery, now_s = FrameDelivery(fps, 0.0), 0.0
    found = []
    for _ in range(int(40 * fps) + 10):
        now_s += rng.uniform(0.2, 1.8) / fps
        delivery.arrived(now_s)
        if (rate_fps := delivery.rate_fps(now_s)) is not None:
            found.append(rate_fps)
    assert sum(found) / len(found) == pytest.approx(fps, rel=0.35, abs=0.5)
