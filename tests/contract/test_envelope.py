"""The envelope, its identifiers, the words for people and the schema for programs."""

from __future__ import annotations

import uuid
from datetime import timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.describe import describe
from contract.envelope import KINDS, Origin, encode_event, open_event, rfc3339, uuid7
from contract.errors import PayloadError
from contract.facts import (
    Attributes,
    Cell,
    Coverage,
    Dwell,
    Evidence,
    Fact,
    Flip,
    Flow,
    Footfall,
    Heatmap,
    Interaction,
    Inventory,
    Occupancy,
    ProcessHealth,
    Store,
    TryOn,
    Visit,
)
from contract.gaps import MAX_GAP_RANGES, Gap, gap_facts
from contract.schema import async_api, json_schema
from runtime.uplink.outbox.losses import DROP_RANK

AT_S = 1_700_000_000.25
SPAN: dict[str, Any] = {"start_s": AT_S - 60, "end_s": AT_S}
TAG: dict[str, Any] = {"epc": "3034257bf400b7800004cb2f", "sku": "SHIRT-1"}
SEEN = (Coverage("door", 9.5, 2.0),)

EXAMPLES: list[tuple[Fact, str]] = [
    (
        Footfall(key="k", time_s=AT_S, entrance="door", entered=3, left=1, coverage=SEEN, **SPAN),
        "door: 3 in, 1 out in 60 s; door blind for 2 s",
    ),
    (
        Visit(key="k", time_s=AT_S, visitor="abcdef123456", direction="out", entrance="door", stay_s=600.0),
        "visitor 123456 went out by door after 10 min",
    ),
    (
        Dwell(
            key="k", time_s=AT_S, visitor="abcdef123456", zone="hall", enter_s=1.0, leave_s=31.0, dwell_s=30.0
        ),
        "visitor 123456 in hall for 30 s",
    ),
    (
        Flow(key="k", time_s=AT_S, origin="hall", destination="racks", transitions=4, **SPAN),
        "hall to racks: 4 in 60 s",
    ),
    (
        Heatmap(
            key="k",
            time_s=AT_S,
            zones={"hall": 40.0},
            cells=(Cell(1, 2, 40.0),),
            origin_m=(0.0, 0.0),
            cell_m=1.0,
            **SPAN,
        ),
        "person-time hall 40 s; 1 cells",
    ),
    (
        Flip(key="k", time_s=AT_S, reader="r", antenna=1, fixture="rack", score=0.8, **TAG, **SPAN),
        "SHIRT-1 (…04cb2f) turned over at rack, score 0.80",
    ),
    (
        Interaction(
            key="k",
            time_s=AT_S,
            flip="f",
            fixture="rack",
            visitor="abcdef123456",
            probability=0.86,
            nobody_probability=0.1,
            evidence=Evidence(0.4, 0.1, 3.0, (1.0, 2.0), "fixture"),
            **TAG,
            **SPAN,
        ),
        "visitor 123456 handled SHIRT-1 (…04cb2f) at rack, 86% sure",
    ),
    (
        TryOn(key="k", time_s=AT_S, room="room 1", reads=40, **TAG, **SPAN),
        "SHIRT-1 (…04cb2f) in room 1 for 60 s",
    ),
    (
        TryOn(key="k", time_s=AT_S, room="room 1", reads=40, open=True, **TAG, **SPAN),
        "SHIRT-1 (…04cb2f) in room 1 for 60 s so far",
    ),
    (
        Occupancy(key="k", time_s=AT_S, zone=None, persons_mean=3.42, persons_max=7, **SPAN),
        "whole floor: 3.4 at a time in 60 s, at most 7",
    ),
    (
        Inventory(key="k", time_s=AT_S, change="moved", fixture="rack 2", previous="rack 1", **TAG),
        "SHIRT-1 (…04cb2f) moved at rack 2, before at rack 1",
    ),
    (
        Attributes(
            key="k",
            time_s=AT_S,
            entrance="door",
            attribute="age_group",
            counts={"adult": 40},
            untold=7,
            **SPAN,
        ),
        "door: age_group adult 40; 7 untold",
    ),
    (
        Store(key="k", time_s=AT_S, timezone="Europe/Berlin", revision="6f1e"),
        "configuration 6f1e, Europe/Berlin: 0 entrances, 0 zones, 0 fixtures",
    ),
    (
        ProcessHealth(
            key="k",
            time_s=AT_S,
            process="vision",
            state="ok",
            progress_s=AT_S,
            values={"fps": 9.5},
            drops={"busy": 2},
        ),
        "vision: ok; fps 9.5; 2 dropped",
    ),
    (
        Gap(key="k", time_s=AT_S, from_seq=3, to_seq=9, why="full", ranges=((3, 5), (9, 9))),
        "4 events between 3 and 9 were dropped: full",
    ),
]

ORIGIN = Origin("plaza", "box-1")


def test_every_kind_has_an_example_a_rank_and_a_place_in_the_schema() -> None:
    kinds = {fact.kind for fact, _ in EXAMPLES}
    assert kinds == set(KINDS) == set(DROP_RANK)
    assert kinds <= set(async_api("1")["channels"])
    assert set(json_schema()["discriminator"]["mapping"]) == kinds


@pytest.mark.parametrize(("fact", "words"), EXAMPLES, ids=[fact.kind for fact, _ in EXAMPLES])
def test_an_event_is_read_back_and_put_in_words(fact: Fact, words: str) -> None:
    event = open_event(encode_event(fact, ORIGIN, 7, AT_S))
    assert event.fact == fact
    assert (event.envelope.site, event.envelope.device, event.envelope.seq) == ("plaza", "box-1", 7)
    assert event.envelope.kind == fact.kind and event.envelope.time == "2023-11-14T22:13:20.250Z"
    assert describe(event, timezone.utc) == f"22:13:20  {fact.kind:<11}  {words}"


@pytest.mark.parametrize("fact", [fact for fact, _ in EXAMPLES], ids=[fact.kind for fact, _ in EXAMPLES])
def test_the_schema_names_exactly_the_fields_that_events_have(fact: Fact) -> None:
    definition = json_schema()["$defs"][type(fact).__name__]
    fields = set(msgspec.json.decode(encode_event(fact, ORIGIN, 1, AT_S, "a-stream")))
    assert fields == set(definition["properties"])
    assert {"id", "site", "device", "seq", "kind", "time", "rev", "key", "retracted"} <= set(
        definition["required"]
    )


def test_a_correction_and_a_withdrawal_say_so() -> None:
    fact = msgspec.structs.replace(EXAMPLES[1][0], rev=2)
    assert describe(open_event(encode_event(fact, ORIGIN, 1, AT_S))).endswith("(corrected, revision 2)")
    fact = msgspec.structs.replace(fact, retracted=True)
    assert "withdrawn: visitor" in describe(open_event(encode_event(fact, ORIGIN, 1, AT_S)))


@given(st.floats(0, 4e9), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_version_7_uuid_of_its_time(time_s: float, randomness: bytes) -> None:
    made = uuid.UUID(uuid7(time_s, randomness))
    assert made.version == 7 and made.variant == uuid.RFC_4122
    assert made.int >> 80 == int(time_s * 1000)


@given(st.floats(0, 4e9))
def test_times_are_rfc_3339_to_the_millisecond(time_s: float) -> None:
    from datetime import datetime

    parsed = datetime.fromisoformat(rfc3339(time_s).replace("Z", "+00:00"))
    assert abs(parsed.timestamp() - time_s) < 0.0011


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"kind":"visit"}', b"\xff\xfe", b'{"id":1}'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="not an event"):
        open_event(body)


def test_many_holes_become_several_gap_events_that_name_them_all() -> None:
    holes = [(seq, seq) for seq in range(1, 1001, 2)]
    gaps = gap_facts(holes, "full", AT_S, {"health": 500})
    assert len(gaps) == -(-len(holes) // MAX_GAP_RANGES)
    assert [one for gap in gaps for one in gap.ranges] == holes
    assert sum(gap.kinds.get("health", 0) for gap in gaps) == 500
