from __future__ import annotations

import os

import msgspec
import pytest

from runtime.messages import (
    MAX_RECORD_BYTES,
    Attach,
    FrameReady,
    Health,
    PeerGone,
    Person,
    PersonsSeen,
    decode,
    encode,
    pair,
    receive,
    send,
)


def test_a_record_arrives_as_it_was_sent() -> None:
    here, there = pair()
    seen = PersonsSeen("door", 7, 12.5, (Person(3, (1.0, 2.0, 3.0, 4.0), 0.9, (0.5, -1.0)),), (2,))
    send(here, seen)
    assert receive(there) == (seen, ())


def test_descriptors_travel_with_their_message(tmp_path: object) -> None:
    here, there = pair()
    fd = os.memfd_create("ring")
    os.write(fd, b"frame")
    send(here, Attach("camera", "door"), (fd,))
    message, fds = receive(there)
    assert message == Attach("camera", "door")
    assert os.pread(fds[0], 5, 0) == b"frame"
    assert not os.get_inheritable(fds[0])


def test_a_closed_peer_is_said_and_not_an_empty_record() -> None:
    here, there = pair()
    here.close()
    with pytest.raises(PeerGone):
        receive(there)
    with pytest.raises(PeerGone):
        send(there, FrameReady(0, 0, 0.0))


def test_a_full_socket_does_not_block() -> None:
    here, there = pair()
    here.setblocking(False)
    with pytest.raises(BlockingIOError):
        for sequence in range(100_000):
            send(here, FrameReady(0, sequence, 0.0))
    assert receive(there)[0] == FrameReady(0, 0, 0.0)


def test_an_oversized_record_is_refused_by_the_sender() -> None:
    with pytest.raises(ValueError, match="exceeds"):
        encode(Health("store", "ok", 0.0, 0.0, detail="x" * MAX_RECORD_BYTES))


@pytest.mark.parametrize("rubbish", [b"\xc1", b"\x93\xa1x\x01\x02", b"\x80", b"\xff" * 100])
def test_rubbish_is_a_decode_error(rubbish: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(rubbish)
