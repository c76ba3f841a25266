"""Topics and payloads: what goes through the broker.

    tagsight/v1/{site}/{device}/{kind}    events: one JSON object, or a zlib-deflated JSON array of them
    tagsight/v1/{site}/{device}/store     an event like the others; the newest is retained as well
    tagsight/v1/{site}/{device}/status    retained: birth, refresh, last will
    tagsight/v1/{site}/{device}/ack       from the cloud: all events of `stream` up to `seq` are stored
    tagsight/v1/{site}/{device}/replay    from the cloud: send `stream` again from `from_seq`

MQTT 5 says by content type which form a payload has; MQTT 3.1.1 has no content type, so the first byte
decides as well: no JSON text begins like a zlib stream.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

from contract.envelope import Origin, Stream, open_envelope, split_array
from contract.errors import UNREADABLE, PayloadError
from contract.fields import about
from contract.ranges import MAX_SEQ

ROOT = "tagsight/v1"
RETAINED = ("status", "store")
"""What the broker keeps for whoever comes later."""
SINGLE = "application/json"
BATCH = "application/vnd.tagsight.batch+json+zlib"
ZLIB_FIRST_BYTE = 0x78
DEFLATE_LEVEL = 6
FIXED_BYTES = 20
"""Type, lengths, packet number and message expiry, at the most."""
PROPERTY_BYTES = 3
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
"""Bound of an unpacked payload: a stream that would grow beyond it is refused unread."""


MAX_INCARNATIONS = 8
"""An acknowledgement names at most so many."""

DeviceState = Literal["online", "offline"]
Incarnation = Annotated[
    str, about("drawn at random at every start of the outbox's writer", "9f3a61c2d4e5b607", max_length=64)
]


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device's retained state: "online" at each connect, "offline" as last will and at a stop.

    It is refreshed while the device is online: `time` moves on, `since` does not. `oldest_seq` is the first
    event that can still be replayed. `incarnation` is drawn at every start of the outbox's writer. A
    `migrated` stream goes on with the numbers that the device's events had before streams had names.
    """

    state: Annotated[DeviceState, about("whether the device is connected to the broker", "online")]
    site: Annotated[str, about("the store", "plaza")]
    device: Annotated[str, about("the terminal in the store", "box-1")]
    time: Annotated[
        str,
        about(
            "when this was written, RFC 3339, UTC; of a last will: before it held", "2026-02-27T10:15:00.250Z"
        ),
    ]
    since: Annotated[
        str,
        about(
            "when the state began, RFC 3339, UTC; empty in a last will, which cannot know",
            "2026-02-27T08:00:01.000Z",
        ),
    ] = ""
    reason: Annotated[str, about("why it is offline, in words", "stopped")] = ""
    version: Annotated[str, about("tagsight's version", "0.1.0")] = ""
    last_seq: Annotated[int, about("newest event on the device's disk; 0: none yet", 1042, "1")] = 0
    delivered_seq: Annotated[int, about("everything up to this event has been delivered", 1040, "1")] = 0
    oldest_seq: Annotated[int, about("first event that can still be replayed", 1, "1", ge=1, le=MAX_SEQ)] = 1
    stream: Stream = ""
    incarnation: Incarnation = ""
    began: Annotated[
        int, about("the last number on disk when the present incarnation began", 980, "1", ge=0, le=MAX_SEQ)
    ] = 0
    migrated: Annotated[
        bool, about("the stream began before streams had names; its numbers went on", False)
    ] = False


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cloud has stored every event of `stream` up to `seq` or knows from a gap event that it will not
    come.

    `last` is the greatest number it has seen of the stream. `incarnations` are the latest it was told, each
    with the greatest number it had seen before. A device that knows less of its own stream than the cloud has
    been restored from an older image, or is one of two with the same outbox.
    """

    seq: Annotated[int, about("everything up to this event is accounted for", 1042, "1", ge=0, le=MAX_SEQ)]
    stream: Stream = ""
    last: Annotated[
        int, about("the greatest number that the cloud has of this stream", 1042, "1", ge=0, le=MAX_SEQ)
    ] = 0
    incarnations: Annotated[
        dict[Incarnation, int],
        about(
            "the latest starts of the writer that it was told, each with the greatest number "
            "that it had of this stream before",
            {"9f3a61c2d4e5b607": 980},
            "1",
            max_length=MAX_INCARNATIONS,
        ),
    ] = msgspec.field(default_factory=dict)


class Replay(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cloud wants everything of `stream` from `from_seq` once more."""

    from_seq: Annotated[int, about("first event that is wanted again", 1001, "1", ge=1, le=MAX_SEQ)]
    stream: Stream = ""


Control = TypeVar("Control", Status, Ack, Replay)


class Payload(NamedTuple):
    """What is published: bytes, their content type, and the CloudEvents attributes for MQTT 5."""

    data: bytes
    content_type: str
    attributes: list[tuple[str, str]]


def topic(origin: Origin, leaf: str) -> str:
    """The topic of an event kind, or of "status", "ack", "replay"."""
    return f"{ROOT}/{origin.site}/{origin.device}/{leaf}"


def origin_of(topic_name: str) -> tuple[Origin, str]:
    """Who a topic belongs to, and its last part. Raises PayloadError for a topic that is not ours."""
    parts = topic_name.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or not all(parts):
        raise PayloadError(f"{topic_name!r} is not a topic of the form {ROOT}/SITE/DEVICE/KIND")
    return Origin(parts[2], parts[3]), parts[4]


def pack(bodies: Sequence[bytes], origin: Origin, kind: str, incarnation: str = "") -> Payload:
    """The payload for events of one kind: a single event as it is, more of them as a deflated array."""
    first = open_envelope(bodies[0])
    attributes = [
        ("specversion", "1.0"),
        ("source", f"/tagsight/{origin.site}/{origin.device}"),
        ("type", f"tagsight.v1.{kind}"),
        ("id", first.id),
        ("time", first.time),
    ]
    if first.stream:
        attributes += [("stream", first.stream), ("incarnation", incarnation)]
    if len(bodies) == 1:
        return Payload(bodies[0], SINGLE, attributes)
    last = open_envelope(bodies[-1])
    attributes += [("count", str(len(bodies))), ("firstseq", str(first.seq)), ("lastseq", str(last.seq))]
    array = b"[" + b",".join(bodies) + b"]"
    return Payload(zlib.compress(array, DEFLATE_LEVEL), BATCH, attributes)


def packet_bytes(topic_name: str, payload: Payload) -> int:
    """An upper bound of the MQTT 5 PUBLISH packet's size (MQTT 5.0, section 3.3)."""
    properties = [payload.content_type, *(text for pair in payload.attributes for text in pair)]
    return (
        FIXED_BYTES
        + len(topic_name.encode())
        + sum(PROPERTY_BYTES + len(text.encode()) for text in properties)
        + len(payload.data)
    )


def unpack(data: bytes) -> Sequence[bytes]:
    """The JSON texts of the events in a payload. Raises PayloadError, also for one that grows too big."""
    if data[:1] == bytes([ZLIB_FIRST_BYTE]):
        data = _inflate(data)
    elif len(data) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"a payload of {len(data)} bytes; at most {MAX_PAYLOAD_BYTES} are read")
    if data.lstrip()[:1] == b"[":
        return split_array(data)
    return [data]


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, MAX_PAYLOAD_BYTES)
    except zlib.error as error:
        raise PayloadError(f"not a deflated batch: {error}") from error
    if stream.unconsumed_tail:
        raise PayloadError(f"a batch that grows beyond {MAX_PAYLOAD_BYTES} bytes")
    if not stream.eof:
        raise PayloadError("a deflated batch that is cut short")
    if stream.unused_data:
        raise PayloadError("bytes after the end of a deflated batch")
    return plain


def encode_control(message: Status | Ack | Replay) -> bytes:
    """The JSON of a status, acknowledgement or replay request."""
    return msgspec.json.encode(message)


def decode_ack(data: bytes) -> Ack:
    """Raises PayloadError for anything but an acknowledgement."""
    return _decode_control(data, Ack)


def decode_replay(data: bytes) -> Replay:
    """Raises PayloadError for anything but a replay request."""
    return _decode_control(data, Replay)


def decode_status(data: bytes) -> Status:
    """Raises PayloadError for anything but a status."""
    return _decode_control(data, Status)


def _decode_control(data: bytes, kind: type[Control]) -> Control:
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise PayloadError(f"not a valid {kind.__name__.lower()} message: {error}") from error
