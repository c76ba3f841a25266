"""What a consumer reads in an event beyond its envelope, also in one that is no event."""

from __future__ import annotations

import json

import msgspec

from contract.envelope import Envelope, Seq, Stream, open_event
from contract.errors import UNREADABLE, PayloadError
from contract.gaps import Gap


class ForeignEvent(PayloadError):
    """An event that came on another device's topic."""


class Glimpse(msgspec.Struct):
    """What an event that is no event can still say of its place."""

    seq: Seq
    stream: Stream = ""


def gap_of(envelope: Envelope, body: bytes) -> Gap | None:
    """The gap that the event tells of, or None. Raises PayloadError for a gap event that is none."""
    if envelope.kind != "gap":
        return None
    fact = open_event(body).fact
    return fact if isinstance(fact, Gap) else None


def glimpse(body: bytes) -> Glimpse | None:
    """The place of an event that cannot be read, where it still says it."""
    try:
        return msgspec.json.decode(body, type=Glimpse)
    except UNREADABLE:
        pass
    try:
        # What is no JSON to the one reader (NaN, half a character, a broken text) may be some to the other.
        place = msgspec.convert(json.loads(body.decode(errors="replace")), Glimpse)
        place.stream.encode()
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    return place
