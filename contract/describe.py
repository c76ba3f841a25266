"""An event in words, one line, as a person in the shop would read it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from contract.envelope import Event
from contract.facts import (
    Attributes,
    Coverage,
    Dwell,
    Fact,
    Flip,
    Flow,
    Footfall,
    Heatmap,
    Interaction,
    Inventory,
    Occupancy,
    ProcessHealth,
    Quality,
    Store,
    TryOn,
    Visit,
)
from contract.gaps import Gap

SHORT_ID = 6
MINUTE_S = 60.0


def describe(event: Event, zone: tzinfo | None = None) -> str:
    """Local time (of `zone`, or this machine's), kind, and what happened."""
    fact = event.fact
    return f"{clock_time(fact.time_s, zone)}  {fact.kind:<11}  {in_words(fact)}"


def in_words(fact: Fact) -> str:
    """What happened."""
    words = _WORDS[type(fact)](fact)
    if fact.retracted:
        return f"withdrawn: {words}"
    return f"{words} (corrected, revision {fact.rev})" if fact.rev > 0 else words


def clock_time(time_s: float, zone: tzinfo | None) -> str:
    """HH:MM:SS, or question marks for a moment that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(time_s, zone):%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "??:??:??"


def _footfall(fact: Footfall) -> str:
    text = f"{fact.entrance}: {fact.entered} in, {fact.left} out in {_span(fact.end_s - fact.start_s)}"
    return text + _quality(fact.quality) + _coverage(fact.coverage)


def _visit(fact: Visit) -> str:
    verb = "came in by" if fact.direction == "in" else "went out by"
    stay = "" if fact.stay_s is None else f" after {_span(fact.stay_s)}"
    return f"{_visitor(fact.visitor)} {verb} {fact.entrance}{stay}"


def _dwell(fact: Dwell) -> str:
    so_far = " so far" if fact.partial else ""
    return (
        f"{_visitor(fact.visitor)} in {fact.zone} for {_span(fact.dwell_s)}{so_far}{_quality(fact.quality)}"
    )


def _flow(fact: Flow) -> str:
    span = _span(fact.end_s - fact.start_s)
    text = f"{fact.origin} to {fact.destination}: {fact.transitions} in {span}"
    return text + _quality(fact.quality) + _coverage(fact.coverage)


def _heatmap(fact: Heatmap) -> str:
    zones = sorted(fact.zones.items(), key=lambda item: -item[1])
    busiest = ", ".join(f"{zone} {_span(person_s)}" for zone, person_s in zones[:3] if person_s > 0)
    part = f" (part {fact.part + 1} of {fact.parts})" if fact.parts > 1 else ""
    text = f"person-time {busiest or 'nowhere'}; {len(fact.cells)} cells{part}"
    return text + _quality(fact.quality) + _coverage(fact.coverage)


def _flip(fact: Flip) -> str:
    return f"{_article(fact.epc, fact.sku)} turned over{_at(fact.fixture)}, score {fact.score:.2f}"


def _interaction(fact: Interaction) -> str:
    what = f"handled {_article(fact.epc, fact.sku)}{_at(fact.fixture)}"
    if fact.visitor is None and fact.who == "somebody":
        return f"somebody {what}; {_visitor(fact.runner_up or '')} at {fact.runner_up_probability:.0%}"
    who = fact.who if fact.visitor is None else _visitor(fact.visitor)
    text = f"{who} {what}, {fact.probability:.0%} sure"
    if fact.runner_up is not None:
        text += f"; else {_visitor(fact.runner_up)} {fact.runner_up_probability:.0%}"
    return text


def _tryon(fact: TryOn) -> str:
    who = "" if fact.visitor is None else f" with {_visitor(fact.visitor)}"
    span = _span(fact.end_s - fact.start_s)
    so_far = " so far" if fact.open else ""
    return f"{_article(fact.epc, fact.sku)} in {fact.room} for {span}{so_far}{who}"


def _occupancy(fact: Occupancy) -> str:
    where = "whole floor" if fact.zone is None else fact.zone
    span = _span(fact.end_s - fact.start_s)
    text = f"{where}: {fact.persons_mean:.1f} at a time in {span}, at most {fact.persons_max}"
    return text + _quality(fact.quality) + _coverage(fact.coverage)


def _inventory(fact: Inventory) -> str:
    before = "" if fact.previous is None else f", before at {fact.previous}"
    return f"{_article(fact.epc, fact.sku)} {fact.change}{_at(fact.fixture)}{before}"


def _attributes(fact: Attributes) -> str:
    told = ", ".join(f"{name} {count}" for name, count in sorted(fact.counts.items()))
    return f"{fact.entrance}: {fact.attribute} {told or 'of nobody'}; {fact.untold} untold"


def _store(fact: Store) -> str:
    parts = f"{len(fact.entrances)} entrances, {len(fact.zones)} zones, {len(fact.fixtures)} fixtures"
    return f"configuration {fact.revision}, {fact.timezone}: {parts}"


def _health(fact: ProcessHealth) -> str:
    figures = ", ".join(f"{name} {value:g}" for name, value in sorted(fact.values.items()))
    dropped = sum(fact.drops.values())
    parts = [f"{fact.process}: {fact.state}", fact.detail, figures, f"{dropped} dropped" if dropped else ""]
    return "; ".join(part for part in parts if part)


def _gap(fact: Gap) -> str:
    count = sum(last - first + 1 for first, last in fact.ranges) or fact.to_seq - fact.from_seq + 1
    if fact.of_stream:
        return f"goes on after stream {fact.of_stream}, {fact.from_seq} to {fact.to_seq}: {fact.why}"
    return f"{count} events between {fact.from_seq} and {fact.to_seq} were dropped: {fact.why}"


_WORDS: dict[type, Callable[[Any], str]] = {
    Footfall: _footfall,
    Visit: _visit,
    Dwell: _dwell,
    Flow: _flow,
    Heatmap: _heatmap,
    Flip: _flip,
    Interaction: _interaction,
    TryOn: _tryon,
    Occupancy: _occupancy,
    Inventory: _inventory,
    Attributes: _attributes,
    Store: _store,
    ProcessHealth: _health,
    Gap: _gap,
}


def short_visitor(visitor: str) -> str:
    """The end of a visitor's id, by which people tell visitors apart."""
    return visitor[-SHORT_ID:]


def _visitor(visitor: str) -> str:
    return f"visitor {short_visitor(visitor)}"


def _article(epc: str, sku: str | None) -> str:
    return f"tag …{epc[-SHORT_ID:]}" if sku is None else f"{sku} (…{epc[-SHORT_ID:]})"


def _at(fixture: str | None) -> str:
    return "" if fixture is None else f" at {fixture}"


def _span(seconds: float) -> str:
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_S:.0f} min"


def _quality(quality: Quality) -> str:
    return "" if quality == "good" else f" ({quality})"


def _coverage(coverage: tuple[Coverage, ...]) -> str:
    blind = [one for one in coverage if one.blind_s > 0]
    if not blind:
        return ""
    return "; " + ", ".join(f"{one.camera} blind for {_span(one.blind_s)}" for one in blind)
