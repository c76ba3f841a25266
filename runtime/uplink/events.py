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
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from runtime.store.facts import FACT_TYPES, AnyFact, Fact
from runtime.uplink.errors import PayloadError

MAX_GAP_RANGES = 200
"""A gap event names at most so many ranges; more holes make more gap events."""
MAX_SEQ = 2**53
"""Greater whole numbers are not the same in every JSON reader; at a thousand events a second, it lasts."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What JSON from outside can raise: not JSON or not ours, not UTF-8, nested too deep."""
Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
Stream = Annotated[
    str,
    msgspec.Meta(max_length=64, description="whose numbers these are; empty: from before streams had names"),
]


class Gap(Fact, frozen=True, kw_only=True, tag="gap"):
    """Events that had to be dropped, all between `from_seq` and `to_seq`; `ranges` names exactly which.

    `kinds` counts them by kind where that is known. With `of_stream` the numbers are those of an earlier
    stream of this device, which this one follows: what it had not delivered will not come under its name.
    """

    from_seq: Annotated[int, Meta(description="first sequence number that is missing")]
    to_seq: Annotated[int, Meta(description="last sequence number that is missing")]
    why: Annotated[str, Meta(description="why events were dropped, in words")]
    ranges: Annotated[
        tuple[tuple[int, int], ...],
        Meta(description="what is missing, [first, last] each; empty: everything from first to last"),
    ] = ()
    kinds: Annotated[
        dict[str, int], Meta(description="how many are missing, by kind where that is known")
    ] = msgspec.field(default_factory=dict)
    of_stream: Annotated[
        str, Meta(description="the stream whose numbers these are; empty: the event's own stream")
    ] = ""

    def named(self) -> tuple[tuple[int, int], ...]:
        """The ranges, or the whole stretch where there are none."""
        return self.ranges or ((self.from_seq, self.to_seq),)

    def __post_init__(self) -> None:
        for first, last in self.named():
            if not 1 <= first <= last <= MAX_SEQ:
                raise ValueError(f"{first} to {last} is no range of sequence numbers")


EventFact: TypeAlias = AnyFact | Gap
EVENT_TYPES: tuple[type[Fact], ...] = (*FACT_TYPES, Gap)
KINDS: dict[str, type[Fact]] = {str(fact.__struct_config__.tag): fact for fact in EVENT_TYPES}

DROP_RANK = {
    "heatmap": 0,
    "health": 0,
    "flow": 1,
    "dwell": 1,
    "footfall": 2,
    "visit": 2,
    "flip": 3,
    "tryon": 3,
    "interaction": 4,
    "gap": 5,
}
"""What goes first when the outbox is full: the lowest rank, oldest first."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every event has.

    `id` is a UUIDv7 and the same however often the event is delivered; `seq` counts the events of `stream`
    from 1 without a gap; `time` is RFC 3339 in UTC; `rev` counts the corrections of the fact `key`. `stream`
    is empty for a device from before streams had names.
    """

    id: str
    site: str
    device: str
    seq: Seq
    stream: Stream = ""
    kind: str
    time: str
    rev: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    key: str
    retracted: bool


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
    rb'(\{"id":%b,"site":%b,"device":%b,)("stream":%b,)?"seq":\d+,' % (_TEXT, _TEXT, _TEXT, _TEXT)
)
"""The head that `seal` writes, up to where the event stands in its stream."""
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


def seal(fact: Fact, origin: Origin, seq: int, now_s: float, stream: str = "") -> bytes:
    """The event's JSON: `fact` in an envelope of `origin` as number `seq` of `stream`; `now_s` goes into the
    id."""
    head = (
        f'{{"id":"{uuid7(now_s)}","site":{_quoted(origin.site)},"device":{_quoted(origin.device)},'
        f'{_place(stream, seq)}"time":"{rfc3339(fact.time_s)}",'
    )
    return head.encode() + _fact_encoder.encode(fact)[1:]


def _place(stream: str, seq: int) -> str:
    return f'"stream":{_quoted(stream)},"seq":{seq},' if stream else f'"seq":{seq},'


def move(body: bytes, stream: str, seq: int) -> bytes:
    """The same sealed event, its `id` too, as number `seq` of `stream`. Raises PayloadError."""
    return _PLACE.sub(lambda match: match[1] + _place(stream, seq).encode(), _checked(body), count=1)


def name_stream(body: bytes, stream: str) -> bytes:
    """A sealed event from before streams had names, as one of `stream`; others stay as they are."""
    match = _PLACE.match(body)
    if match is None or match[2] is not None:
        return body
    return match[1] + f'"stream":{_quoted(stream)},'.encode() + body[match.end(1) :]


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
    """The JSON texts of the events in an array. Raises PayloadError."""
    try:
        return [bytes(item) for item in _envelopes_decoder.decode(data)]
    except UNREADABLE as error:
        raise PayloadError(f"not an array of events: {error}") from error


def gap_of_stream(stream: str, first: int, last: int, why: str, time_s: float) -> Gap:
    """By this event a stream says that it follows `stream`, whose `first` to `last` will not come."""
    return Gap(
        key=f"gap/{stream}/{first}-{last}",
        time_s=time_s,
        from_seq=first,
        to_seq=last,
        why=why,
        ranges=((first, last),),
        of_stream=stream,
    )


def gap_facts(
    lost: Sequence[tuple[int, int]], why: str, time_s: float, kinds: dict[str, int] | None = None
) -> list[Gap]:
    """The gap events that name the sequence numbers in the sorted ranges `lost`."""
    gaps = []
    for start in range(0, len(lost), MAX_GAP_RANGES):
        ranges = tuple(lost[start : start + MAX_GAP_RANGES])
        from_seq, to_seq = ranges[0][0], ranges[-1][1]
        gaps.append(
            Gap(
                key=f"gap/{from_seq}-{to_seq}",
                time_s=time_s,
                from_seq=from_seq,
                to_seq=to_seq,
                why=why,
                ranges=ranges,
                kinds=dict(kinds or {}) if start == 0 else {},
            )
        )
    return gaps
