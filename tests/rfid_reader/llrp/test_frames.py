from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp.frames import FrameSplitter, LlrpFrame

WHOLE = st.builds(
    LlrpFrame,
    st.integers(0, 1023),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=60),
    st.sampled_from([1, 2]),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WHOLE, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_messages_come_out_whole_however_the_stream_is_cut(frames: list[LlrpFrame], cuts: list[int]) -> None:
    stream = b"".join(frame.encode() for frame in frames)
    splitter = FrameSplitter()
    got: list[LlrpFrame] = []
    place = turn = 0
    while place < len(stream):
        size = cuts[turn % len(cuts)]
        got += splitter.feed(stream[place : place + size])
        place, turn = place + size, turn + 1
    assert got == frames
    assert splitter.pending_bytes == 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WHOLE, max_size=3), st.binary(min_size=1, max_size=200))
def test_noise_never_does_worse_than_a_frame_error(frames: list[LlrpFrame], noise: bytes) -> None:
    splitter = FrameSplitter(max_frame_bytes=4096)
    got: list[LlrpFrame] = []
    try:
        for frame in splitter.feed(b"".join(frame.encode() for frame in frames) + noise):
            got.append(frame)
    except LlrpFrameError:
        pass
    assert got[: len(frames)] == frames
    assert splitter.pending_bytes <= len(noise)


def test_whole_messages_before_a_malformed_one_are_handed_out_first() -> None:
    good = LlrpFrame(62, 1, b"").encode()
    got = []
    splitter = FrameSplitter()
    with pytest.raises(LlrpFrameError, match="version 7"):
        for frame in splitter.feed(good + good + b"\x1c\x00" + bytes(20)):
            got.append(frame)
    assert [frame.type for frame in got] == [62, 62]


@pytest.mark.parametrize("length", [0, 9, 2**20 + 1, 2**32 - 1])
def test_an_absurd_length_is_refused_at_the_header(length: int) -> None:
    with pytest.raises(LlrpFrameError, match=f"{length} bytes"):
        list(FrameSplitter().feed(struct.pack("!HII", 1 << 10 | 61, length, 1)))


def test_half_a_message_waits_for_the_rest() -> None:
    data = LlrpFrame(61, 5, b"0123456789").encode()
    splitter = FrameSplitter()
    assert list(splitter.feed(data[:12])) == []
    assert splitter.pending_bytes == 12
    assert list(splitter.feed(data[12:])) == [LlrpFrame(61, 5, b"0123456789")]
