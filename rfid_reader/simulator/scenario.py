"""A simulated store, from YAML.

name: boutique
seed: 7                      # everything random follows from it
hop_plan: etsi               # fcc, etsi or china
duration_s: 120              # where flips and random people end; not needed with a looped track file
radio: {power_dbm: 30}       # any field of physics.Radio
reader: {mode: 0, antennas: 4}
antennas:
  - {port: 1, at: [2.0, 1.0], height_m: 2.4}   # looks down; looks_at: [x, y, height] tilts it
racks:
  - name: shirts
    at: [2.0, 2.0]           # middle of the rail, floor metres
    heading_deg: 0           # direction of the rail
    length_m: 1.2
    height_m: 1.2            # of the tags
    tags: {count: 12, prefix: "e28011600000000000000a"}    # or a list of EPCs
people:
  tracks: tracks.csv         # CSV time_s,person,x_m,y_m beside the scenario
  period_s: 79.5             # looped
  paths: [{person: anna, points: [[0.0, 1.0, 1.0], [10.0, 1.0, 2.0]]}]   # time, x, y
  random: 3                  # that many who browse the racks
flips:
  auto: {reach_m: 1.5, chance: 0.7, shortest_s: 0.8, longest_s: 3.0, alone: true, highest_per_minute: 12}
  given: [{rack: shirts, tag: 3, start_s: 12.0, end_s: 14.0, person: anna}]
browsing: {chance: 0.2}      # a hand along the rail: pushes, no flip
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.hopping import HopPlan, hop_plan
from rfid_reader.simulator.inventory import DEFAULT_MODE, MODES
from rfid_reader.simulator.physics import Radio

MAX_TAGS = 20_000
MAX_FILE_BYTES = 4 << 20
EPC_DIGITS = frozenset("0123456789abcdef")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class AntennaSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """An antenna on LLRP port `port`, floor position in metres. It looks at the point `looks_at` (x, y,
    height), or straight down."""

    port: int
    at: tuple[float, float]
    height_m: float = 2.4
    looks_at: tuple[float, float, float] | None = None


class TagRun(_Strict, frozen=True, forbid_unknown_fields=True):
    """`count` tags numbered from `first`: prefix in hex, the number fills it up to 24 digits."""

    count: int
    prefix: str
    first: int = 1


class RackSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    name: str
    at: tuple[float, float]
    tags: TagRun | list[str]
    heading_deg: float = 0.0
    length_m: float = 1.2
    height_m: float = 1.2

    def epcs(self) -> list[str]:
        if isinstance(self.tags, TagRun):
            prefix = self.tags.prefix.lower()
            digits = 24 - len(prefix)
            return [f"{prefix}{self.tags.first + i:0{digits}x}" for i in range(self.tags.count)]
        return [epc.lower() for epc in self.tags]


class PathSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    person: str
    points: list[tuple[float, float, float]]


class PeopleSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    tracks: str | None = None
    period_s: float | None = None
    paths: list[PathSpec] = []
    random: int = 0


class AutoFlips(_Strict, frozen=True, forbid_unknown_fields=True):
    """People flip a garment of a rack when they are within reach_m of it.

    chance: of a flip in one visit to a rack. alone: only while nobody else is within reach_m + alone_margin_m
    of the rack. highest_per_minute: flips beyond it (over the store) do not happen.
    """

    reach_m: float = 1.3
    chance: float = 0.6
    shortest_s: float = 0.8
    longest_s: float = 3.0
    alone: bool = False
    alone_margin_m: float = 0.7
    highest_per_minute: float = 60.0


class GivenFlip(_Strict, frozen=True, forbid_unknown_fields=True):
    """Tag number `tag` (from 1) of a rack is turned over by a person (or by nobody who is simulated)."""

    rack: str
    tag: int
    start_s: float
    end_s: float
    person: str | None = None


class FlipsSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    auto: AutoFlips | None = None
    given: list[GivenFlip] = []


class Browsing(_Strict, frozen=True, forbid_unknown_fields=True):
    """chance: that a visit to a rack without a flip still pushes a few garments aside."""

    chance: float = 0.0


class ReaderSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    antennas: int = 4
    mode: int = DEFAULT_MODE


class Scenario(_Strict, frozen=True, forbid_unknown_fields=True):
    """A whole simulated store; see the module's docstring for the YAML form."""

    name: str
    antennas: list[AntennaSpec]
    racks: list[RackSpec]
    seed: int = 1
    hop_plan: str = "etsi"
    duration_s: float | None = None
    radio: dict[str, Any] = {}
    reader: ReaderSpec = ReaderSpec()
    people: PeopleSpec = PeopleSpec()
    flips: FlipsSpec = FlipsSpec()
    browsing: Browsing = Browsing()
    multipath: float = 0.35
    sway_m: float = 0.001

    def plan(self) -> HopPlan:
        return hop_plan(self.hop_plan)

    def radio_model(self) -> Radio:
        try:
            return Radio(**self.radio)
        except TypeError:
            known = ", ".join(Radio.__dataclass_fields__)
            raise ScenarioError(
                f"radio: {list(self.radio)} has an unknown key; {known} would be right"
            ) from None

    @property
    def loop_s(self) -> float:
        """Period after which people repeat (infinity: never)."""
        return self.people.period_s or math.inf


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario and the folder its track file is relative to."""

    scenario: Scenario
    folder: Path


def _fail(key: str, wrong: object, right: str) -> NoReturn:
    raise ScenarioError(f"{key}: {wrong!r} is wrong; {right} would be right")


def _check(scenario: Scenario) -> None:
    hop_plan(scenario.hop_plan)
    scenario.radio_model()
    if scenario.reader.mode not in MODES:
        _fail("reader.mode", scenario.reader.mode, ", ".join(map(str, MODES)))
    if not scenario.antennas:
        _fail("antennas", [], "at least one antenna")
    for number, antenna in enumerate(scenario.antennas):
        if not 1 <= antenna.port <= scenario.reader.antennas:
            _fail(f"antennas.{number}.port", antenna.port, f"1 to {scenario.reader.antennas}")
        if antenna.looks_at == (*antenna.at, antenna.height_m):
            _fail(f"antennas.{number}.looks_at", antenna.looks_at, "another point than the antenna's own")
    _check_tags(scenario)
    _check_flips(scenario)
    if scenario.people.period_s is not None and scenario.people.period_s <= 0:
        _fail("people.period_s", scenario.people.period_s, "a positive number of seconds")
    if scenario.people.random and scenario.duration_s is None:
        _fail("duration_s", None, "a number of seconds (random people need an end)")


def _check_tags(scenario: Scenario) -> None:
    seen: set[str] = set()
    for number, rack in enumerate(scenario.racks):
        key = f"racks.{number}.tags"
        if isinstance(rack.tags, TagRun) and not (
            0 <= rack.tags.count <= MAX_TAGS and len(rack.tags.prefix) <= 22
        ):
            _fail(key, rack.tags, f"count to {MAX_TAGS} and a prefix of at most 22 digits")
        for epc in rack.epcs():
            if epc in seen:
                _fail(key, epc, "an EPC that no other tag has")
            if len(epc) % 2 or not EPC_DIGITS.issuperset(epc) or not epc:
                _fail(key, epc, "an even number of hex digits")
            seen.add(epc)
    if len(seen) > MAX_TAGS:
        _fail("racks", f"{len(seen)} tags", f"at most {MAX_TAGS}")


def _check_flips(scenario: Scenario) -> None:
    tags_of = {rack.name: len(rack.epcs()) for rack in scenario.racks}
    for number, flip in enumerate(scenario.flips.given):
        key = f"flips.given.{number}"
        if flip.rack not in tags_of:
            _fail(f"{key}.rack", flip.rack, " or ".join(tags_of))
        if not 1 <= flip.tag <= tags_of[flip.rack]:
            _fail(f"{key}.tag", flip.tag, f"1 to {tags_of[flip.rack]}")
        if flip.end_s <= flip.start_s:
            _fail(f"{key}.end_s", flip.end_s, "a time after start_s")


def load_scenario(path: str | Path) -> ScenarioFile:
    """Read a scenario. Raises ScenarioError naming the file, the key and what would be right."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: the scenario cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ScenarioError(
            f"{path}: the scenario has {len(data)} bytes; at most {MAX_FILE_BYTES} would be right"
        )
    try:
        scenario = msgspec.convert(yaml.safe_load(data), Scenario)
        _check(scenario)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except (msgspec.ValidationError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    return ScenarioFile(scenario, path.parent)
