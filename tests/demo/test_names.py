from __future__ import annotations

import numpy as np
import pytest

from contract.envelope import Origin, encode_event, open_event
from contract.facts import Dwell, Evidence, Fact, Interaction, Point, Visit
from runtime.config import StoreConfig, load
from runtime.demo.drawing.names import PersonPath, name_walks
from runtime.demo.plaza import STORE
from runtime.demo.tally import EventTally

T_S = 1_000_000.0


@pytest.fixture(scope="module")
def plaza() -> StoreConfig:
    return load(STORE, clips_needed=False)


def heard(*facts: Fact) -> EventTally:
    tally = EventTally()
    for seq, fact in enumerate(facts, 1):
        tally.receive(open_event(encode_event(fact, Origin("plaza", "box"), seq, T_S)))
    return tally


def walk(start: Point, end: Point, start_s: float = 0.0, end_s: float = 10.0) -> PersonPath:
    """Straight on from `T_S` + `start_s`, ten places a second."""
    times_s = T_S + np.arange(start_s, end_s, 0.1)
    share = np.linspace(0, 1, len(times_s))[:, None]
    return PersonPath(times_s, (1 - share) * np.array(start) + share * np.array(end))


def visit(visitor: str, direction: str, time_s: float, entrance: str = "road gate") -> Visit:
    return Visit(
        key=f"{visitor}{direction}",
        time_s=T_S + time_s,
        visitor=visitor,
        direction=direction,
        entrance=entrance,
    )  # type: ignore[arg-type]


def dwell(visitor: str, enter_s: float, leave_s: float, zone: str = "crossing") -> Dwell:
    return Dwell(
        key=f"{visitor}{enter_s}", time_s=T_S + leave_s, visitor=visitor, zone=zone, enter_s=T_S + enter_s,
        leave_s=T_S + leave_s, dwell_s=leave_s - enter_s,
    )  # fmt: skip


def turned(visitor: str, time_s: float, stood: Point) -> Interaction:
    return Interaction(
        key=visitor, time_s=T_S + time_s, flip="f", epc="e", sku=None, fixture="coats",
        start_s=T_S + time_s - 0.5, end_s=T_S + time_s + 0.5, visitor=visitor,
        probability=0.9, nobody_probability=0.1,
        evidence=Evidence(0.5, 0.0, 1.0, stood, "fixture"),
    )  # fmt: skip


def test_who_comes_in_is_told_from_who_goes_out_at_the_same_place_and_moment(plaza: StoreConfig) -> None:
    walks = {1: walk((-8.0, 14.0), (-8.0, 9.0)), 2: walk((-7.8, 9.0), (-7.8, 14.0))}
    tally = heard(visit("ann", "in", 5.0), visit("bea", "out", 5.0))
    assert name_walks(walks, plaza, tally) == {1: "ann", 2: "bea"}


def test_who_stays_long_in_a_zone_is_told_from_who_passes(plaza: StoreConfig) -> None:
    walks = {1: walk((-8.0, 6.0), (-8.0, 6.5)), 2: walk((-7.0, 4.0), (-7.0, 9.0))}
    tally = heard(dwell("bea", 1.0, 9.0), dwell("ann", 0.0, 10.0))
    assert name_walks(walks, plaza, tally) == {1: "ann", 2: "bea"}


def test_who_turned_a_garment_is_who_stood_there(plaza: StoreConfig) -> None:
    walks = {1: walk((-8.0, 6.0), (-8.0, 6.0)), 2: walk((-6.5, 6.0), (-6.5, 6.0))}
    assert name_walks(walks, plaza, heard(turned("ann", 4.0, (-6.6, 6.1)))) == {2: "ann"}


def test_a_visitor_is_never_two_people_at_once_but_may_be_one_after_another(plaza: StoreConfig) -> None:
    together = {1: walk((-8.0, 6.0), (-8.0, 6.5)), 2: walk((-7.0, 6.0), (-7.0, 6.5), 0.0, 9.0)}
    assert name_walks(together, plaza, heard(dwell("ann", 0.0, 10.0))) == {1: "ann"}
    later = {1: walk((-8.0, 6.0), (-8.0, 6.5)), 2: walk((-8.0, 6.5), (-8.0, 6.0), 12.0, 22.0)}
    tally = heard(dwell("ann", 0.0, 10.0), dwell("ann", 12.0, 22.0))
    assert name_walks(later, plaza, tally) == {1: "ann", 2: "ann"}


@pytest.mark.parametrize(
    "fact",
    [
        visit("ann", "in", 5.0, "east gate"),  # another entrance
        visit("ann", "in", 25.0),  # long after
        visit("ann", "out", 5.0),  # the other way
        dwell("ann", 30.0, 40.0),  # long after
        dwell("ann", 2.0, 8.0, "promenade"),  # another zone
        turned("ann", 5.0, (-6.0, 6.0)),  # somewhere else
    ],
)
def test_a_person_the_events_do_not_speak_of_has_no_name(plaza: StoreConfig, fact: Fact) -> None:
    assert name_walks({1: walk((-8.0, 14.0), (-8.0, 9.0))}, plaza, heard(fact)) == {}
