from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime import messages
from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameHeader, FrameRing
from runtime.frames.ring.lending import MAX_READERS, READER_BUSY, FrameConsumer, FrameLender


@pytest.fixture
def lender() -> Iterator[FrameLender]:
    ring = FrameRing.create(4, 32, 24)
    lender = FrameLender(ring, lent_max=3)
    yield lender
    lender.close()
    ring.close()


def consumer_of(lender: FrameLender, name: str) -> FrameConsumer:
    camera_end, reader_end = messages.pair()
    lender.add_reader(name, camera_end)
    return FrameConsumer(FrameRing.attach(os.dup(lender.ring.fd)), reader_end)


def lend(lender: FrameLender, sequence: int) -> int | None:
    slot = lender.ledger.take()
    if slot is None:
        return None
    header = FrameHeader(sequence, sequence / 10, sequence / 10, 32, 24)
    lender.ring.write(slot, np.full((24, 32, 3), sequence, np.uint8), header)
    return lender.lend(slot, header)


def test_a_frame_is_lent_read_and_given_back(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    assert lend(lender, 5) == 1
    ready = consumer.receive()
    assert ready is not None
    assert ready.sequence == consumer.header(ready).sequence == 5
    assert (consumer.frame(ready) == 5).all()
    assert lender.ledger.free == 3
    consumer.give_back(ready)
    assert lender.take_back("vision") == 1
    assert lender.ledger.free == 4


def test_the_newest_frame_wins_and_older_ones_go_back(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    for sequence in (1, 2, 3):
        lend(lender, sequence)
    newest = consumer.newest()
    assert newest is not None and newest.sequence == 3
    assert lender.take_back("vision") == 2
    assert consumer.newest() is None


def test_a_reader_that_never_answers_gets_its_share_and_the_rest_is_counted(lender: FrameLender) -> None:
    silent = consumer_of(lender, "vision")
    told = [lend(lender, sequence) for sequence in range(1, 7)]
    assert told == [1, 1, 1, 0, 0, 0]
    assert lender.drops[READER_BUSY] == 3
    assert lender.ledger.free == 1
    silent.close()


def test_a_slow_reader_does_not_take_frames_from_another(lender: FrameLender) -> None:
    slow, quick = consumer_of(lender, "slow"), consumer_of(lender, "quick")
    for sequence in range(1, 9):
        lend(lender, sequence)
        ready = quick.newest()
        assert ready is not None and ready.sequence == sequence
        quick.give_back(ready)
        lender.take_back("quick")
    assert len(list(slow.waiting())) == 3


def test_a_reader_that_closes_gives_everything_back(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    lend(lender, 1)
    consumer.close()
    lender.take_back("vision")
    assert lender.ledger.free == 4
    assert not lender.readers


def test_a_reader_that_died_is_noticed_when_it_is_told(lender: FrameLender) -> None:
    consumer_of(lender, "vision").close()
    assert lend(lender, 1) == 0
    assert lender.ledger.free == 4


@pytest.mark.parametrize(
    "message",
    [messages.FrameDone(0, 99), messages.FrameDone(77, 1), messages.Stop()],
    ids=["a frame it does not hold", "a slot that is not there", "another message"],
)
def test_a_reader_that_talks_nonsense_is_removed(lender: FrameLender, message: messages.Message) -> None:
    consumer = consumer_of(lender, "vision")
    lend(lender, 1)
    messages.send(consumer.sock, message)
    lender.take_back("vision")
    assert not lender.readers
    assert lender.ledger.free == 4


def test_bytes_that_are_no_message_remove_the_reader(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    consumer.sock.send(b"\xc1garbage")
    lender.take_back("vision")
    assert not lender.readers


def test_a_reader_that_sends_descriptors_is_removed_and_leaves_none_behind(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    lend(lender, 1)
    ready = consumer.receive()
    assert ready is not None
    before = len(list(Path("/proc/self/fd").iterdir()))
    messages.send(consumer.sock, messages.FrameDone(ready.slot, ready.sequence), (0, 1))
    lender.take_back("vision")
    assert not lender.readers
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1


def test_a_reader_under_a_known_name_replaces_the_old_one(lender: FrameLender) -> None:
    consumer_of(lender, "vision")
    lend(lender, 1)
    successor = consumer_of(lender, "vision")
    assert lender.ledger.free == 4
    lend(lender, 2)
    ready = successor.receive()
    assert ready is not None and ready.sequence == 2


def test_readers_are_limited(lender: FrameLender) -> None:
    for number in range(MAX_READERS):
        consumer_of(lender, f"reader {number}")
    with pytest.raises(FrameError, match="at most 8 readers"):
        consumer_of(lender, "one more")


def test_the_reader_learns_that_its_camera_is_gone(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    lender.close()
    with pytest.raises(messages.PeerGone):
        consumer.receive()


def test_a_camera_that_lends_a_slot_beyond_the_ring_is_refused() -> None:
    camera_end, reader_end = messages.pair()
    with FrameRing.create(2, 32, 24) as ring:
        consumer = FrameConsumer(FrameRing.attach(os.dup(ring.fd)), reader_end)
        messages.send(camera_end, messages.FrameReady(2, 1, 0.0))
        with pytest.raises(FrameError, match="lent slot 2"):
            consumer.receive()
        consumer.close()


def test_a_reader_on_request_is_lent_one_frame_for_each_it_asks_for(lender: FrameLender) -> None:
    camera_end, reader_end = messages.pair()
    lender.add_reader("console", camera_end, on_request=True)
    consumer = FrameConsumer(FrameRing.attach(os.dup(lender.ring.fd)), reader_end)
    assert lend(lender, 1) == 0 and consumer.receive() is None
    consumer.ask()
    lender.take_back("console")
    assert lend(lender, 2) == 1
    ready = consumer.receive()
    assert ready is not None and ready.sequence == 2
    assert lend(lender, 3) == 0, "asked for once, lent once"
    consumer.give_back(ready)
    lender.take_back("console")
    assert lender.ledger.free == 4
    assert lender.constant_readers == [], "no source waits for it"


def test_a_constant_reader_that_asks_for_frames_talks_nonsense(lender: FrameLender) -> None:
    consumer = consumer_of(lender, "vision")
    consumer.ask()
    lender.take_back("vision")
    assert "vision" not in lender.readers
