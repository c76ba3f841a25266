"""What is wrong in a scenario beyond the form of its values. Every check raises KeyFault: key, value and what
would be right."""

from __future__ import annotations

import math
from pathlib import Path

from rfid_reader.simulator.radio.channel import Radio
from rfid_reader.simulator.radio.hopping import PLANS
from rfid_reader.simulator.radio.inventory import MODES
from rfid_reader.simulator.scenarios.spec import MAX_TAGS, Scenario, TagRun
from tagsight.yaml_files import KeyFault, refuse

EPC_DIGITS = frozenset("0123456789abcdef")
LONGEST_EPC = 124


def check(scenario: Scenario, folder: Path) -> None:
    """Look at a whole scenario whose files lie in `folder`."""
    if scenario.hop_plan not in PLANS:
        raise KeyFault(
            "hop_plan", f"hop_plan {scenario.hop_plan!r} is unknown; {', '.join(PLANS)} would be right"
        )
    _check_radio(scenario)
    if scenario.reader.mode not in MODES:
        refuse("reader.mode", scenario.reader.mode, ", ".join(map(str, MODES)))
    _check_antennas(scenario)
    _check_tags(scenario)
    _check_people(scenario, folder)
    _check_flips(scenario)


def _check_radio(scenario: Scenario) -> None:
    known = Radio.__dataclass_fields__
    for key, value in scenario.radio.items():
        if key not in known:
            raise KeyFault(f"radio.{key}", f"unknown field `{key}`; {', '.join(known)} would be right")
        wants_switch = isinstance(known[key].default, bool)
        if wants_switch != isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse(f"radio.{key}", value, "true or false" if wants_switch else "a number")
        if not math.isfinite(value):
            refuse(f"radio.{key}", value, "a finite number")


def _check_antennas(scenario: Scenario) -> None:
    if not scenario.antennas:
        refuse("antennas", [], "at least one antenna")
    ports: set[int] = set()
    for number, antenna in enumerate(scenario.antennas):
        if not 1 <= antenna.port <= scenario.reader.antennas:
            refuse(f"antennas.{number}.port", antenna.port, f"1 to {scenario.reader.antennas}")
        if antenna.port in ports:
            refuse(f"antennas.{number}.port", antenna.port, "a port that no other antenna has")
        if antenna.looks_at == (*antenna.at, antenna.height_m):
            refuse(f"antennas.{number}.looks_at", antenna.looks_at, "another point than the antenna's own")
        ports.add(antenna.port)


def _check_tags(scenario: Scenario) -> None:
    seen: set[str] = set()
    names: set[str] = set()
    for number, rack in enumerate(scenario.racks):
        key = f"racks.{number}.tags"
        if rack.name in names:
            refuse(f"racks.{number}.name", rack.name, "a name that no other rack has")
        names.add(rack.name)
        if isinstance(rack.tags, TagRun):
            if not (0 <= rack.tags.count <= MAX_TAGS and len(rack.tags.prefix) <= 22):
                refuse(key, rack.tags, f"count to {MAX_TAGS} and a prefix of at most 22 digits")
            digits = 24 - len(rack.tags.prefix)
            if rack.tags.first + rack.tags.count > 16**digits:
                refuse(f"{key}.prefix", rack.tags.prefix, f"a prefix that leaves room for {rack.tags.count}")
        for epc in rack.epcs():
            if epc in seen:
                refuse(key, epc, "an EPC that no other tag has")
            if len(epc) % 2 or not EPC_DIGITS.issuperset(epc) or not epc or len(epc) > LONGEST_EPC:
                refuse(key, epc, "an even number of hex digits")
            seen.add(epc)
    if len(seen) > MAX_TAGS:
        refuse("racks", f"{len(seen)} tags", f"at most {MAX_TAGS}")


def _check_people(scenario: Scenario, folder: Path) -> None:
    people = scenario.people
    if people.period_s is not None and people.period_s <= 0:
        refuse("people.period_s", people.period_s, "a positive number of seconds")
    if people.random and not scenario.racks:
        refuse("people.random", people.random, "0, or racks for them to walk to")
    if people.tracks is not None and not (folder / people.tracks).is_file():
        refuse("people.tracks", people.tracks, f"a CSV file in {folder}")
    for number, path in enumerate(people.paths):
        for place, (before, point) in enumerate(zip(path.points, path.points[1:], strict=False)):
            if point[0] <= before[0]:
                refuse(
                    f"people.paths.{number}.points.{place + 1}", list(point), f"a time after {before[0]:g} s"
                )


def _check_flips(scenario: Scenario) -> None:
    auto = scenario.flips.auto
    if auto is not None and auto.longest_s < auto.shortest_s:
        refuse("flips.auto.longest_s", auto.longest_s, f"{auto.shortest_s:g} (shortest_s) or more")
    tags_of = {rack.name: len(rack.epcs()) for rack in scenario.racks}
    for number, flip in enumerate(scenario.flips.given):
        key = f"flips.given.{number}"
        if flip.rack not in tags_of:
            refuse(f"{key}.rack", flip.rack, " or ".join(tags_of) or "the name of a rack (there is none)")
        if not 1 <= flip.tag <= tags_of[flip.rack]:
            refuse(f"{key}.tag", flip.tag, f"1 to {tags_of[flip.rack]}")
        if flip.end_s <= flip.start_s:
            refuse(f"{key}.end_s", flip.end_s, "a time after start_s")
