"""An event: a fact of the store with the envelope that makes it traceable.

On the wire an event is one flat JSON object: the envelope's fields first, then the fact's own. A corrected
fact comes as a new event with the same `key` and a higher `rev`; consumers keep the highest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import lru_cache
from itertools import islice
from typing import Annotated, NamedTuple, TypeAlias

import msgspec

from contract.errors import UNREADABLE, PayloadError
from contract.facts import FACT_TYPES, AnyFact, Fact
from contract.fields import about
from contract.gaps import Gap
from contract.ranges import MAX_SEQ

Seq = Annotated[int, about("counts the stream's events from 1 without a gap", 1042, "1", ge=1, le=MAX_SEQ)]
Stream = Annotated[
    str,
    about(
        "whose numbers these are, a UUID made with the outbox; empty: from before streams had names",
        "0d7f5a52-8a3c-4c1e-9d3b-5f2f8f0f6a11",
        max_length=64,
    ),
]


EventFact: TypeAlias = AnyFact | Gap
EVENT_TYPES: tuple[type[Fact], ...] = (*FACT_TYPES, Gap)
KINDS: dict[str, type[Fact]] = {str(fact.__struct_config__.tag): fact for fact in EVENT_TYPES}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every event has.

    `id` is a UUIDv7 and the same however often the event is delivered; `seq` counts the events of `stream`
    from 1 without a gap; `time` is RFC 3339 in UTC; `rev` counts the corrections of the fact `key`. `stream`
    is empty for a device from before streams had names.
    """

    id: Annotated[
        str,
        about("UUIDv7, the same at every delivery", "019c9f2a-5f3a-7c21-9b4e-2f61c0a7d913", format="uuid"),
    ]
    site: Annotated[str, about("the store", "plaza")]
    device: Annotated[str, about("the terminal in the store", "box-1")]
    seq: Seq
    stream: Stream = ""
    kind: Annotated[str, about("what it tells; also in the topic", "footfall")]
    time: Annotated[
        str, about("when it happened, RFC 3339, UTC", "2026-02-27T10:15:00.250Z", format="date-time")
    ]
    rev: Annotated[
        int, about("correction of the fact `key`, from 0; the highest holds", 0, "1", ge=0, le=MAX_SEQ)
    ]
    key: Annotated[str, about("the fact's stable key: what `rev` counts", "footfall/door/1772186400")]
    retracted: Annotated[bool, about("the fact turned out not to be one", False)]


class Event(NamedTuple):
    """One decoded event: who sent it and as what, and what it says."""

    envelope: Envelope
    fact: EventFact


class Origin(NamedTuple):
    """The site and device that events come from."""

    site: str
    device: str


class StreamId(NamedTuple):
    """One stream of events: a device has a new one with every new outbox. `stream` is empty for a device from
    before streams had names."""

    site: str
    device: str
    stream: str

    @property
    def origin(self) -> Origin:
        return Origin(self.site, self.device)


_TEXT = rb'"(?:[^"\\]|\\.)*"'
_PLACE = re.compile(
    rb'(\{"id":%b,)("site":%b,"device":%b,)("stream":%b,)?"seq":\d+,' % (_TEXT, _TEXT, _TEXT, _TEXT)
)
"""The head that `encode_event` writes, up to where the event stands in its stream."""
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[][{}]', re.DOTALL)
"""A bracket, or a text, which may hold some and not end."""
MOST_BRACKETS = 100_000
"""And texts; a full batch of ours has a third of that."""
_fact_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)
_fact_decoder: msgspec.json.Decoder[EventFact] = msgspec.json.Decoder(EventFact)
_envelopes_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def uuid7(time_s: float, randomness: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits (from `randomness`, 10 bytes)."""
    digits = (os.urandom(10) if randomness is None else randomness).hex()
    milliseconds = f"{int(time_s * 1000) & 0xFFFFFFFFFFFF:012x}"
    variant = "89ab"[int(digits[3], 16) & 3]
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7{digits[:3]}-{variant}{digits[4:7]}-{digits[7:19]}"


def rfc3339(time_s: float) -> str:
    """UTC seconds as RFC 3339 with milliseconds, rounded down."""
    second, millisecond = divmod(int(time_s * 1000), 1000)
    return f"{_to_the_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def encode_event(fact: Fact, origin: Origin, seq: int, now_s: float, stream: str = "") -> bytes:
    """The event's JSON: `fact` in an envelope of `origin` as number `seq` of `stream`; `now_s` goes into the
    id."""
    head = f'{{"id":"{uuid7(now_s)}",{_place(origin, stream, seq)}"time":"{rfc3339(fact.time_s)}",'
    return head.encode() + _fact_encoder.encode(fact)[1:]


def _place(origin: Origin, stream: str, seq: int) -> str:
    return f"{_place_in(origin, stream)}{seq},"


@lru_cache(maxsize=8)
def _place_in(origin: Origin, stream: str) -> str:
    named = f'"stream":{_quoted(stream)},' if stream else ""
    return f'"site":{_quoted(origin.site)},"device":{_quoted(origin.device)},{named}"seq":'


def move(body: bytes, origin: Origin, stream: str, seq: int) -> bytes:
    """The same sealed event, its `id` too, as number `seq` of `stream` of `origin`. Raises PayloadError."""
    return _PLACE.sub(lambda match: match[1] + _place(origin, stream, seq).encode(), _checked(body), count=1)


def name_stream(body: bytes, stream: str) -> bytes:
    """A sealed event from before streams had names, as one of `stream`; others stay as they are."""
    member = _stream_member(stream)
    if member in body:
        return body
    match = _PLACE.match(body)
    if match is None or match[3] is not None:
        return body
    at = match.end(2)
    return body[:at] + member + body[at:]


def name_streams(bodies: list[bytes], stream: str) -> list[bytes]:
    """`name_stream` of each: where all have the name already, which is usual, at the cost of one search."""
    if b"".join(bodies).count(_stream_member(stream)) == len(bodies):
        return bodies
    return [name_stream(body, stream) for body in bodies]


@lru_cache(maxsize=8)
def _stream_member(stream: str) -> bytes:
    return f'"stream":{_quoted(stream)},'.encode()


def _checked(body: bytes) -> bytes:
    if _PLACE.match(body) is None:
        raise PayloadError("an event whose head is not ours")
    return body


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def open_event(body: bytes | msgspec.Raw) -> Event:
    """The event in one JSON object. Raises PayloadError for anything else."""
    try:
        return Event(_envelope_decoder.decode(body), _fact_decoder.decode(body))
    except UNREADABLE as error:
        raise PayloadError(f"not an event: {error}") from error


def open_envelope(body: bytes | msgspec.Raw) -> Envelope:
    """Only the envelope, for who passes events on without reading them. Raises PayloadError."""
    try:
        return _envelope_decoder.decode(body)
    except UNREADABLE as error:
        raise PayloadError(f"not an event: {error}") from error


def text_of(body: bytes) -> str:
    """The JSON as text. Raises PayloadError where a field that nobody reads is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"not an event: {error}") from error


def split_array(data: bytes) -> Sequence[bytes]:
    """The JSON texts of the events in an array, also of those that cannot be read. Raises PayloadError."""
    try:
        return [bytes(item) for item in _envelopes_decoder.decode(data)]
    except UNREADABLE as error:
        items = _objects_in(data)
        if not items:
            raise PayloadError(f"not an array of events: {error}") from error
        return items


def _objects_in(data: bytes) -> list[bytes]:
    """The objects of an array by their brackets alone, whatever they hold; none where that is no array, or
    more than MOST_BRACKETS would have to be looked at."""
    items: list[bytes] = []
    depth = begin = 0
    for token in islice(_BRACKET.finditer(data), MOST_BRACKETS):
        if token[0] in b"[{":
            depth += 1
            begin = token.start() if depth == 2 else begin
        elif token[0] in b"]}":
            depth -= 1
            if depth == 1:
                items.append(data[begin : token.end()])
            elif depth == 0:
                return items
    return []
