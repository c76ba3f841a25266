from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from contract.describe import describe
from contract.envelope import Origin, encode_event, open_event
from contract.facts import Evidence, Fact, Flip, Interaction
from runtime.config import StoreConfig, load
from runtime.demo.drawing.film import Sign, Stretch, flip_signs
from runtime.demo.plaza import CLIP_FRAMES, STORE
from runtime.demo.score import DemoScore, PlayedFlip
from runtime.demo.tally import EventTally
from runtime.vision.track import Track

T_S = 1_000_000.0
VISITOR = "8f3a5c0de1b2a3b3"


@pytest.fixture(scope="module")
def plaza() -> StoreConfig:
    return load(STORE, clips_needed=False)


def flip(key: str, start_s: float) -> Flip:
    return Flip(
        key=key, time_s=T_S + start_s + 1, reader="ceiling", antenna=1, epc="e28068940000000000a10009",
        sku="coat-down", fixture="coats", start_s=T_S + start_s, end_s=T_S + start_s + 1, score=0.9,
    )  # fmt: skip


def match(key: str, visitor: str | None) -> Interaction:
    return Interaction(
        key="i" + key, time_s=T_S + 2, flip=key, epc="e28068940000000000a10009", sku="coat-down",
        fixture="coats", start_s=T_S + 1, end_s=T_S + 2, visitor=visitor,
        probability=0.97, nobody_probability=0.97 if visitor is None else 0.03,
        evidence=None if visitor is None else Evidence(0.5, 0.0, 1.0, (-7.0, 6.5), "fixture"),
    )  # fmt: skip


def heard(*facts: Fact) -> EventTally:
    tally = EventTally()
    for seq, fact in enumerate(facts, 1):
        tally.receive(open_event(encode_event(fact, Origin("plaza", "box"), seq, T_S)))
    return tally


def track(number: int, place: tuple[float, float]) -> Track:
    return Track(number, T_S, (0.0, 0.0, 10.0, 30.0), 0.9, place, None, None)


def score(verdicts: dict[str, bool], missed: tuple[PlayedFlip, ...] = ()) -> DemoScore:
    return DemoScore(3, 2, 0, 1, 1, 0, verdicts, missed)


def test_the_film_calls_a_visitor_what_the_printed_event_calls_them(plaza: StoreConfig) -> None:
    tally = heard(flip("f", 1.0), match("f", VISITOR))
    (sign,) = flip_signs(plaza, tally, score({"f": True}))
    assert sign.text == "coat-down turned by b2a3b3 (97%)"
    event = open_event(encode_event(match("f", VISITOR), Origin("plaza", "box"), 1, T_S))
    assert "visitor b2a3b3 handled coat-down" in describe(event)


def test_who_cannot_be_told_is_somebody_and_not_nobody(plaza: StoreConfig) -> None:
    open_ = replace(
        match("f", None),
        probability=0.02,
        nobody_probability=0.02,
        runner_up=VISITOR,
        runner_up_probability=0.4,
    )
    (sign,) = flip_signs(plaza, heard(flip("f", 1.0), open_), score({}))
    assert sign.text == "coat-down turned, by somebody"
    event = open_event(encode_event(open_, Origin("plaza", "box"), 1, T_S))
    assert describe(event).endswith("somebody handled coat-down (…a10009) at coats; visitor b2a3b3 at 40%")


def test_right_wrong_missed_and_unjudged_flips_have_their_marks(plaza: StoreConfig) -> None:
    tally = heard(
        flip("right", 1.0), flip("wrong", 2.0), flip("late", 3.0), flip("nobody", 4.0),
        match("right", VISITOR), match("wrong", VISITOR), match("late", VISITOR), match("nobody", None),
    )  # fmt: skip
    missed = PlayedFlip("e28068940000000000a40003", T_S + 5, T_S + 6, "ann")
    signs = flip_signs(plaza, tally, score({"right": True, "wrong": False}, (missed,)))
    assert [sign.right for sign in signs] == [True, False, None, None, False]
    assert signs[3].text == "coat-down turned, by nobody seen"
    assert signs[4].text == "jacket-denim turned, not found"
    assert signs[4].at == pytest.approx((-6.4, 1.8))


def test_the_line_to_the_rack_begins_at_the_visitor_else_where_they_stood() -> None:
    sign = Sign((0.0, 0.0), T_S, "turned", True, VISITOR, (1.0, 1.0))
    people = [track(1, (5.0, 5.0)), track(2, (2.0, 2.0))]
    assert sign.shown(T_S + 1, people, {1: "other", 2: VISITOR}).by == (2.0, 2.0)
    assert sign.shown(T_S + 1, people, {1: "other"}).by == (1.0, 1.0)
    nobody = Sign((0.0, 0.0), T_S, "turned", None)
    assert nobody.shown(T_S + 1, people, {1: "other"}).by is None


def test_a_stretch_over_the_end_of_the_clip_goes_on_with_its_beginning() -> None:
    stretch = Stretch.watched(T_S, T_S + 75.0, T_S + 85.0)
    assert list(stretch.loops()) == [(0, 750, CLIP_FRAMES), (1, 0, 55)]
    assert stretch.start_s == pytest.approx(T_S + 75.0)
    assert sum(last - first for _, first, last in stretch.loops()) == stretch.end - stretch.start == 100


def test_of_a_long_demo_two_minutes_are_drawn() -> None:
    assert np.isclose(Stretch.watched(T_S, T_S, T_S + 3600).end, 1200)
