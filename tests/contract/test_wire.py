"""Payloads and topics: what we pack is read back, and what others send is read safely."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import wire
from contract.envelope import Origin, encode_event
from contract.errors import PayloadError
from contract.facts import Visit

ORIGIN = Origin("plaza", "box-1")


def bodies(count: int) -> list[bytes]:
    visit = Visit(key="visit/1", time_s=1.7e9, visitor="v", direction="in", entrance="door")
    return [encode_event(visit, ORIGIN, seq, 1.7e9) for seq in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 500])
def test_what_is_packed_is_unpacked(count: int) -> None:
    packed = wire.pack(bodies(1) if count == 1 else (sent := bodies(count)), ORIGIN, "visit")
    unpacked = wire.unpack(packed.data)
    assert len(unpacked) == count
    if count > 1:
        assert list(unpacked) == sent
        assert packed.content_type == wire.BATCH


def test_a_single_event_is_plain_json() -> None:
    assert wire.pack(bodies(1), ORIGIN, "visit").data[:1] == b"{"


def test_a_stream_that_would_grow_without_bound_is_refused() -> None:
    bomb = zlib.compress(b"[" + b" " * (wire.MAX_PAYLOAD_BYTES + 10) + b"]")
    with pytest.raises(PayloadError, match="grows beyond"):
        wire.unpack(bomb)


@pytest.mark.parametrize("cut", [1, 2, 10, -1])
def test_a_cut_batch_is_refused(cut: int) -> None:
    with pytest.raises(PayloadError):
        wire.unpack(wire.pack(bodies(20), ORIGIN, "visit").data[:cut])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    for reader in (wire.unpack, wire.decode_ack, wire.decode_replay, wire.decode_status):
        try:
            reader(data)
        except PayloadError:
            continue


@given(st.binary(max_size=300).map(zlib.compress))
def test_arbitrary_deflated_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        wire.unpack(data)
    except PayloadError:
        return


@pytest.mark.parametrize(
    "name", ["", "tagsight", "tagsight/v1/a/b", "tagsight/v2/a/b/c", "tagsight/v1//b/c", "x/v1/a/b/c"]
)
def test_a_topic_that_is_not_ours_is_refused(name: str) -> None:
    with pytest.raises(PayloadError, match="is not a topic"):
        wire.origin_of(name)


def test_a_topic_names_its_origin() -> None:
    assert wire.origin_of(wire.topic(ORIGIN, "visit")) == (ORIGIN, "visit")


@pytest.mark.parametrize("text", [b'{"seq":"7"}', b"{}", b"7", b'{"seq":7'])
def test_an_acknowledgement_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(PayloadError, match="ack"):
        wire.decode_ack(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 5_000,
        b'{"seq":' + b'{"a":' * 5_000,
        b'{"seq":1,"x":' + b"[" * 5_000,
        b'{"seq":99999999999999999999}',
        b'{"seq":-1}',
    ],
    ids=["lists", "objects", "a field we do not know", "too great", "negative"],
)
def test_an_acknowledgement_that_would_break_a_reader_is_refused(text: bytes) -> None:
    with pytest.raises(PayloadError):
        wire.decode_ack(text)
