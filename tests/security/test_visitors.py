"""A visitor's id holds for one local day: before and after midnight nothing that is told links the two."""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contract.facts import Fact
from runtime.config import parse
from runtime.messages import Person, PersonsSeen, TagFlip
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import FloorPlan

STORE = """
site: {{name: shop, device: box, timezone: {zone}}}
floor: {{extent_m: [0, 0, 20, 12]}}
cameras:
  - {{name: cam, uri: clip.mp4, homography: [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]]}}
entrances:
  - {{name: door, line: [[4, 6], [16, 6]], inside: [10, 3], cameras: [cam]}}
zones:
  - {{name: coats, polygon: [[0, 0], [20, 0], [20, 5], [0, 5]]}}
  - {{name: shoes, polygon: [[0, 7], [20, 7], [20, 12], [0, 12]]}}
fixtures:
  - {{name: rack, at: [10, 3], skus: [{{sku: coat, epcs: [e280*]}}]}}
readers:
  - {{name: ceiling, host: 127.0.0.1, antennas: [{{port: 1, name: rack, at: [10, 3], fixture: rack}}]}}
"""
WALKERS = 6
AROUND_S = 60.0
FPS = 5


def facts_around_midnight(zone: str, midnight_s: float) -> list[Fact]:
    """Six people walk up and down across the entrance line, over midnight, and turn tags."""
    plan = FloorPlan.from_config(parse(STORE.format(zone=zone), Path("store.yaml"), clips_needed=False))
    chance = random.Random(8)
    behaviour = Behaviour(plan, midnight_s - AROUND_S, lambda: f"{chance.getrandbits(64):016x}")
    facts: list[Fact] = []
    for number in range(int(2 * AROUND_S * FPS)):
        time_s = midnight_s - AROUND_S + number / FPS
        people = []
        for walker in range(WALKERS):
            phase = (number / FPS / 20.0 + walker / WALKERS) % 2.0
            floor_m = (3.0 + 2.5 * walker, 2.0 + 8.0 * (phase if phase < 1.0 else 2.0 - phase))
            people.append(Person(walker + 1, (0.0, 0.0, 1.0, 2.0), 0.9, floor_m))
        facts += behaviour.persons(PersonsSeen("cam", number, time_s, tuple(people)))
        if number % 40 == 0:
            facts += behaviour.flip(TagFlip("ceiling", 1, f"e28000{number:04x}", time_s - 2.0, time_s, 0.9))
        facts += behaviour.advance(time_s)
    return facts + behaviour.finish(midnight_s + AROUND_S)


def visitors_of(fact: Fact) -> set[str]:
    named = (getattr(fact, field, None) for field in ("visitor", "runner_up"))
    return {visitor for visitor in named if visitor is not None}


def begins_s(fact: Fact) -> float:
    starts = (getattr(fact, field, None) for field in ("enter_s", "start_s"))
    return next((start for start in starts if start is not None), fact.time_s)


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Europe/Berlin", datetime(2026, 3, 30)),
        ("Europe/Berlin", datetime(2026, 10, 25)),
        ("Asia/Shanghai", datetime(2026, 6, 2)),
        ("America/New_York", datetime(2026, 11, 2)),
        ("Asia/Kolkata", datetime(2026, 1, 1)),
    ],
    ids=str,
)
def test_no_id_lives_on_both_sides_of_local_midnight(zone: str, midnight: datetime) -> None:
    midnight_s = midnight.replace(tzinfo=ZoneInfo(zone)).timestamp()
    facts = facts_around_midnight(zone, midnight_s)
    named = [fact for fact in facts if visitors_of(fact)]
    before = {one for fact in named for one in visitors_of(fact) if begins_s(fact) < midnight_s}
    after = {one for fact in named for one in visitors_of(fact) if begins_s(fact) >= midnight_s}
    assert len(before) >= WALKERS and len(after) >= WALKERS
    assert {fact.kind for fact in named} >= {"visit", "dwell"}
    assert before & after == set()
    for fact in named:
        assert not (visitors_of(fact) & before and visitors_of(fact) & after), "one fact names both"
        text = json.dumps(msgspec.to_builtins(fact))
        later = [one for one in before if begins_s(fact) >= midnight_s and one in text]
        assert later == [], "an id of yesterday in a fact of today"


def test_no_stay_or_dwell_reaches_over_midnight() -> None:
    midnight_s = datetime(2026, 6, 2, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()
    facts = facts_around_midnight("Asia/Shanghai", midnight_s)
    for fact in facts:
        stay_s = getattr(fact, "stay_s", None)
        assert stay_s is None or fact.time_s < midnight_s or fact.time_s - stay_s >= midnight_s
        if fact.kind == "dwell":
            assert not begins_s(fact) < midnight_s < fact.time_s
