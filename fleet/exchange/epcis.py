"""What happened to garments as EPCIS 2.0 ObjectEvents in JSON-LD (GS1 EPCIS 2.0, CBV 2.0).

A garment was handled (`flip`), tried on (`tryon`), or found elsewhere (`inventory`). No visitor is in it. An
event that was corrected or retracted is told with an errorDeclaration, under the id that it was told by.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.envelope import Event, rfc3339
from contract.facts import Flip, Inventory, Store, TryOn
from tagsight.epc_schemes import epc_uri

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
WORDS = "https://github.com/tagsight/tagsight/blob/main/docs/neighbours.md#"
"""CBV has no business step for a garment that is handled, tried on or moved by whoever."""
PLACES = "urn:x-tagsight:place"
IDS = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""RFC 4122: of names that are URLs."""
Fact = Flip | TryOn | Inventory


class GarmentEvents:
    """Takes events in any order and more than once; `document` is what is known by then."""

    def __init__(self, places: str = PLACES) -> None:
        self._places = places.rstrip(":/")
        self._between = "/" if "://" in places else ":"
        self._told: dict[tuple[str, str, str], dict[int, Event]] = defaultdict(dict)
        self._zones: dict[str, ZoneInfo] = {}

    def take(self, event: Event) -> None:
        """An event; what is no matter of EPCIS is left out, and a try-on until it is over."""
        fact, envelope = event.fact, event.envelope
        if isinstance(fact, Store):
            try:
                self._zones[envelope.site] = ZoneInfo(fact.timezone)
            except (ZoneInfoNotFoundError, ValueError):
                return
        elif isinstance(fact, (Flip, TryOn, Inventory)) and not (isinstance(fact, TryOn) and fact.open):
            self._told[envelope.site, envelope.device, fact.key][fact.rev] = event

    def document(self, now_s: float) -> dict[str, Any]:
        """An EPCISDocument, made at `now_s` (UTC seconds); its events in the order in which they happened."""
        events = [one for revisions in self._told.values() for one in self._events(revisions)]
        return {
            "@context": CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": rfc3339(now_s),
            "epcisBody": {"eventList": sorted(events, key=lambda one: str(one["eventTime"]))},
        }

    def _events(self, revisions: dict[int, Event]) -> Iterator[dict[str, Any]]:
        """A fact and what it was taken for before."""
        ordered = [revisions[rev] for rev in sorted(revisions)]
        sound = [event for event in ordered if not event.fact.retracted] or ordered[-1:]
        for event, better in pairwise(sound):
            wrong = {
                "declarationTime": rfc3339(told_s(better)),
                "reason": "incorrect_data",
                "correctiveEventIDs": [event_id(better)],
            }
            yield {**self._event(event), "errorDeclaration": wrong}
        last = self._event(sound[-1])
        if ordered[-1].fact.retracted:
            last["errorDeclaration"] = {
                "declarationTime": rfc3339(told_s(ordered[-1])),
                "reason": "did_not_occur",
            }
        yield last

    def _event(self, event: Event) -> dict[str, Any]:
        fact, site = event.fact, event.envelope.site
        assert isinstance(fact, (Flip, TryOn, Inventory))
        found: dict[str, Any] = {
            "type": "ObjectEvent",
            "eventID": event_id(event),
            "eventTime": rfc3339(fact.time_s),
            "recordTime": rfc3339(told_s(event)),
            "eventTimeZoneOffset": self._offset(site, fact.time_s),
            "epcList": [epc_uri(fact.epc)],
            "action": "OBSERVE",
            "bizStep": f"{WORDS}{_step(fact)}",
        }
        if not (isinstance(fact, Inventory) and fact.change == "departed"):
            found["disposition"] = "sellable_accessible"
        place, read_at = _places(fact)
        found["readPoint"] = {"id": self._place(site, *read_at)}
        found["bizLocation"] = {"id": self._place(site, *place)}
        return found

    def _place(self, site: str, *names: str) -> str:
        return self._between.join([self._places, *(quote(name, safe="") for name in (site, *names))])

    def _offset(self, site: str, time_s: float) -> str:
        local = datetime.fromtimestamp(time_s, self._zones.get(site, timezone.utc))
        text = local.strftime("%z")
        return f"{text[:3]}:{text[3:5]}"


def event_id(event: Event) -> str:
    """The same for a revision of a fact however often it is told."""
    envelope = event.envelope
    name = "/".join((envelope.site, envelope.device, event.fact.key, str(event.fact.rev)))
    return f"urn:uuid:{uuid.uuid5(IDS, name)}"


def told_s(event: Event) -> float:
    """When an event was written, UTC seconds, of its UUIDv7; when it happened for another id."""
    digits = event.envelope.id.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return event.fact.time_s
    try:
        return int(digits[:12], 16) / 1_000
    except ValueError:
        return event.fact.time_s


def garments(events: Iterable[Event], places: str = PLACES) -> GarmentEvents:
    """What those events say of garments."""
    found = GarmentEvents(places)
    for event in events:
        found.take(event)
    return found


def _step(fact: Fact) -> str:
    if isinstance(fact, Flip):
        return "handled"
    return "tried-on" if isinstance(fact, TryOn) else fact.change


def _places(fact: Fact) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the garment is taken to be, and where it was read."""
    if isinstance(fact, Flip):
        at = () if fact.fixture is None else (fact.fixture,)
        return at, (fact.reader, str(fact.antenna))
    if isinstance(fact, TryOn):
        return (fact.room,), (fact.room,)
    seen = fact.fixture or fact.previous
    at = () if fact.fixture is None else (fact.fixture,)
    return at, () if seen is None else (seen,)
