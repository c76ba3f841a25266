"""What a scenario file may say: every key with its limits and its meaning."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.radio.channel import Radio
from rfid_reader.simulator.radio.hopping import HopPlan, hop_plan
from rfid_reader.simulator.radio.inventory import DEFAULT_MODE

MAX_TAGS = 20_000
MAX_PEOPLE = 200
RANDOM_LOOP_S = 600.0

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Chance = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class AntennaSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """An antenna on LLRP port `port`, floor position in metres. It looks at the point `looks_at` (x, y,
    height), or straight down."""

    port: Annotated[int, Meta(ge=1, le=64, description="LLRP antenna port, from 1")]
    at: Annotated[tuple[float, float], Meta(description="[x, y] on the floor, metres")]
    height_m: Annotated[float, Meta(gt=0, le=20, description="above the floor")] = 2.4
    looks_at: Annotated[
        tuple[float, float, float] | None,
        Meta(description="[x, y, height] of the point it is aimed at; empty: straight down"),
    ] = None


class TagRun(_Strict, frozen=True, forbid_unknown_fields=True):
    """`count` tags numbered from `first`: prefix in hex, the number fills it up to 24 digits."""

    count: Annotated[int, Meta(description=f"how many tags, 0 to {MAX_TAGS}")]
    prefix: Annotated[str, Meta(description="the EPC's first hex digits, in quotes")]
    first: Annotated[int, Meta(ge=0, description="number of the first tag")] = 1


class RackSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """A rail with tags on it."""

    name: Annotated[Name, Meta(description="what flips and the truth call it")]
    at: Annotated[tuple[float, float], Meta(description="[x, y] of the rail's middle, metres")]
    tags: Annotated[
        TagRun | list[str], Meta(description="{count, prefix, first}, or a list of EPCs in quotes")
    ]
    heading_deg: Annotated[float, Meta(description="direction of the rail, 0 along x")] = 0.0
    length_m: Annotated[float, Meta(gt=0, description="of the rail")] = 1.2
    height_m: Annotated[float, Meta(ge=0, description="of the tags above the floor")] = 1.2

    def epcs(self) -> list[str]:
        if isinstance(self.tags, TagRun):
            prefix = self.tags.prefix.lower()
            digits = 24 - len(prefix)
            return [f"{prefix}{self.tags.first + i:0{digits}x}" for i in range(self.tags.count)]
        return [epc.lower() for epc in self.tags]


class PathSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """One person's way, straight between its points; over more than 2 s between two the person is away."""

    person: Annotated[Name, Meta(description="who walks")]
    points: Annotated[
        list[tuple[float, float, float]],
        Meta(min_length=2, description="[seconds, x, y], in rising time"),
    ]


class PeopleSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """Who is in the store, from any of three sources."""

    tracks: Annotated[
        str | None, Meta(description="CSV time_s,person,x_m,y_m, relative to the scenario's folder")
    ] = None
    period_s: Annotated[
        float | None, Meta(description="people and flips begin again after this long; empty: they do not")
    ] = None
    paths: Annotated[list[PathSpec], Meta(max_length=MAX_PEOPLE, description="people on given ways")] = []
    random: Annotated[
        int, Meta(ge=0, le=MAX_PEOPLE, description="so many people who walk from rack to rack and look")
    ] = 0


class AutoFlips(_Strict, frozen=True, forbid_unknown_fields=True):
    """People flip a garment of a rack when they are within reach_m of it."""

    reach_m: Annotated[Positive, Meta(description="from a person to the rail")] = 1.3
    chance: Annotated[Chance, Meta(description="of a flip in one visit to a rack")] = 0.6
    shortest_s: Annotated[Positive, Meta(description="shortest flip")] = 0.8
    longest_s: Annotated[Positive, Meta(description="longest flip")] = 3.0
    alone: Annotated[
        bool, Meta(description="only while nobody else is within reach_m + alone_margin_m of the rack")
    ] = False
    alone_margin_m: Annotated[float, Meta(ge=0, description="see alone")] = 0.7
    highest_per_minute: Annotated[
        float, Meta(ge=0, description="flips beyond it, over the store, do not happen")
    ] = 60.0
    vigour: Annotated[
        Positive, Meta(description="how far a hand moves a garment it holds; 1: 1 to 5 cm to and fro")
    ] = 1.0


class GivenFlip(_Strict, frozen=True, forbid_unknown_fields=True):
    """Tag number `tag` (from 1) of a rack is turned over by a person (or by nobody who is simulated)."""

    rack: Annotated[str, Meta(description="name of the rack")]
    tag: Annotated[int, Meta(description="number of the tag on it, from 1")]
    start_s: Annotated[Seconds, Meta(description="when it begins, seconds of the scenario")]
    end_s: Annotated[float, Meta(description="when it ends")]
    person: Annotated[str | None, Meta(description="who does it; empty: nobody who is simulated")] = None


class FlipsSpec(_Strict, frozen=True, forbid_unknown_fields=True):
    """Which garments are turned over."""

    auto: Annotated[AutoFlips | None, Meta(description="people do it as they come by")] = None
    given: Annotated[list[GivenFlip], Meta(description="at given times")] = []


class Browsing(_Strict, frozen=True, forbid_unknown_fields=True):
    """A hand along the rail: garments are pushed aside, none is turned over."""

    chance: Annotated[Chance, Meta(description="in a visit to a rack without a flip")] = 0.0


class ScenarioReader(_Strict, frozen=True, forbid_unknown_fields=True):
    """The simulated reader."""

    antennas: Annotated[int, Meta(ge=1, le=64, description="antenna ports it has")] = 4
    mode: Annotated[int, Meta(description="RF mode: 0 to 4, or 1000 for its own choice")] = DEFAULT_MODE


class Scenario(_Strict, frozen=True, forbid_unknown_fields=True):
    """A whole simulated store."""

    name: Annotated[Name, Meta(description="what the store is called")]
    antennas: Annotated[list[AntennaSpec], Meta(description="the reader's antennas, at least one")]
    racks: Annotated[list[RackSpec], Meta(description="the rails with their tags")]
    seed: Annotated[int, Meta(ge=0, description="everything random follows from it")] = 1
    hop_plan: Annotated[str, Meta(description="channels: fcc, etsi or china")] = "etsi"
    duration_s: Annotated[
        Positive | None,
        Meta(
            description="where flips and random people end; empty: at the last point of a way, and random "
            f"people begin again after {RANDOM_LOOP_S:g} s"
        ),
    ] = None
    radio: Annotated[dict[str, Any], Meta(description="what the radio channel is like")] = {}
    reader: Annotated[ScenarioReader, Meta(description="the simulated reader")] = ScenarioReader()
    people: Annotated[PeopleSpec, Meta(description="who is in the store")] = PeopleSpec()
    flips: Annotated[FlipsSpec, Meta(description="which garments are turned over")] = FlipsSpec()
    browsing: Annotated[Browsing, Meta(description="garments that are only pushed aside")] = Browsing()
    multipath: Annotated[float, Meta(ge=0, description="how much the room scatters")] = 0.35
    sway_m: Annotated[float, Meta(ge=0, description="how far hanging garments sway")] = 0.001

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
        if self.people.period_s:
            return self.people.period_s
        return RANDOM_LOOP_S if self.people.random and self.duration_s is None else math.inf


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = msgspec.json.schema(Scenario)
    keys = schema["$defs"]["Scenario"]["properties"]["radio"]
    radio = msgspec.json.schema(Radio)["$defs"]["Radio"]
    keys.update(properties=radio["properties"], additionalProperties=False)
    return schema
