"""A model check of the delivery protocol: histories of `protocol_world`, and faults of old put back."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleet.ingest.consumer.receiver import Receiver
from runtime.uplink.delivery import namesakes, session
from runtime.uplink.delivery.listener import Listener
from runtime.uplink.delivery.window import DeliveryBook
from runtime.uplink.outbox import writer
from tests.uplink.delivery.protocol_world import CONSUMER, ModelLink, World

SHM = Path("/dev/shm")
Step = tuple[str, int]


def all_go_on(world: World, number: int) -> None:
    for place in (0, 1):
        world.turn(place)
    world.consume(commits=True)


def restore_last_week(world: World, number: int) -> None:
    """A box works on after its image was taken, and is then put back to it."""
    place = number % 2
    world.save_image(place)
    world.say(place, 1 + number % 5)
    for _ in range(number % 3):
        all_go_on(world, number)
    world.put_image(place, len(world.images) - 1)


def copy(world: World, number: int) -> None:
    """A second box is set up from an image of the first; both go on."""
    world.save_image(0)
    world.put_image(1, len(world.images) - 1)
    for place in (0, 1):
        world.say(place, 1 + number % 4)


def status_in_a_round(world: World, number: int) -> None:
    """The device's status comes with its events, before the consumer's next commit."""
    world.say(0, 1 + number % 3)
    world.turn(0)
    world.a_minute_later(0)
    world.consume(commits=number % 2 == 0)
    world.turn(0)


STEPS: dict[str, Callable[[World, int], None]] = {
    "say": lambda world, number: world.say(number % 2, 1 + number % 6),
    "say on": lambda world, number: world.say(0, 1 + number % 3),
    "turn": lambda world, number: world.turn(number % 2),
    "all go on": all_go_on,
    "a minute later": lambda world, number: world.a_minute_later(number % 2),
    "status in a round": status_in_a_round,
    "consume": lambda world, number: world.consume(commits=number % 2 == 0),
    "power cut": lambda world, number: world.power_cut(number % 2),
    "writer restarts": lambda world, number: world.restart_writer(number % 2),
    "sender restarts": lambda world, number: world.restart_sender(number % 2),
    "save an image": lambda world, number: world.save_image(number % 2),
    "put an image back": lambda world, number: world.put_image(number % 2, number),
    "restore last week": restore_last_week,
    "copy": copy,
    "new disk": lambda world, number: world.new_disk(number % 2),
    "consumer crash": lambda world, number: world.consumer.crash(),
    "repeat and reorder": lambda world, number: world.repeat_and_reorder(number),
    "broker crash": lambda world, number: world.broker_crash(),
    "forged ack": lambda world, number: world.forge_ack(number % 2, 1 + number, number % 3 > 0),
}


def live(steps: Sequence[Step], keeps_retained: bool) -> None:
    """One history, checked after every step; in the end everything that is on a disk is stored."""
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    world = World(folder, keeps_retained)
    try:
        for name, number in steps:
            STEPS[name](world, number)
            world.check()
        world.settle()
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)


def history(seed: int) -> list[Step]:
    chance = random.Random(seed)
    return [(chance.choice(list(STEPS)), chance.randrange(100)) for _ in range(chance.randrange(4, 24))]


@pytest.fixture(autouse=True)
def in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MqttClient", ModelLink)
    monkeypatch.setattr(writer, "LOOK_S", 0.001)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    steps=st.lists(st.tuples(st.sampled_from(list(STEPS)), st.integers(0, 99)), min_size=6, max_size=24),
    keeps_retained=st.booleans(),
)
def test_nothing_that_counts_as_delivered_is_lost_whatever_happens_in_whatever_order(
    steps: list[Step], keeps_retained: bool
) -> None:
    live(steps, keeps_retained)


def test_a_box_whose_processes_restart_is_no_copy_of_itself() -> None:
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    world = World(folder)
    try:
        for _ in range(4):
            for step in (world.say, world.restart_writer, world.restart_sender):
                world.say(0, 3)
                all_go_on(world, 0)
                step(*((0, 2) if step == world.say else (0,)))
                all_go_on(world, 0)
        world.settle()
        assert len(world.consumer._store.audit()) == 1, "it has begun a new stream"
        assert world.consumer._store.audit()[0].clashes == 0
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)


def acks_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeliveryBook, "was_sent", lambda self, seq: True)


def copies_are_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement counts by its number, whoever's events it was given for."""
    for name in ("copy_in_status", "copy_in_ack"):
        monkeypatch.setattr(namesakes, name, lambda *arguments: None)
    monkeypatch.setattr(
        Listener, "_acknowledged", lambda self, ack, last_seq: self._delivery.confirmed(ack.seq, 0.0)
    )


def answers_come_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Receiver._take_status

    def greet(self: Receiver, *arguments: object) -> None:
        whole(self, *arguments)  # type: ignore[arg-type]
        for stream in self._store.streams():
            self._publish_position(ModelLink.broker.links[CONSUMER], stream)  # type: ignore[arg-type]

    monkeypatch.setattr(Receiver, "_take_status", greet)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [acks_are_believed, copies_are_not_noticed, answers_come_before_the_commit])
def test_a_fault_that_was_there_is_found_when_it_is_put_back(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=r"count as delivered|never stored|stays open"):
        for seed in range(300):
            live(history(seed), keeps_retained=seed % 2 == 0)
