"""What `tagsight video --counts` writes: what the store concludes, or head counts without a store."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from contract.facts import Dwell, Fact, Flow, Footfall, Heatmap, Visit
from runtime.config import StoreConfig
from runtime.messages import PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import FloorPlan
from tagsight.errors import TagsightError

INTERVAL_S = 10.0
"""Interval of the head counts of a clip without a store."""


class Clip(msgspec.Struct, frozen=True):
    """What was analysed."""

    file: str
    detector: str
    frames: int
    seconds: float
    fps: float
    coding: str
    complete: bool
    """Whether the file was read to its container's end; False where it breaks off before."""
    cut_s: float | None
    """Where it breaks off, seconds."""
    remarks: list[str]
    """What is wrong with the file or unusual about it, in words."""


class Gate(msgspec.Struct, frozen=True):
    """Persons through one entrance over the whole clip; `inferred` of them were seen on one side only."""

    entrance: str
    entered: int
    left: int
    inferred: int


class HeadCount(msgspec.Struct, frozen=True):
    """Different persons seen in an interval."""

    start_s: float
    end_s: float
    persons: int


class Counts(msgspec.Struct, frozen=True):
    """Everything counted in one clip. Places and people outside the floor plan count only in `persons`."""

    clip: Clip
    complete: bool
    """Whether they are of the whole clip; see there."""
    persons: int
    intervals: list[HeadCount]
    entrances: list[Gate]
    footfall: list[Footfall]
    visits: list[Visit]
    dwell: list[Dwell]
    flow: list[Flow]
    heatmap: list[Heatmap]

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises TagsightError where the file cannot be written."""
        text = json.dumps(msgspec.to_builtins(self), indent=1)
        try:
            path.write_text(text + "\n")
        except OSError as error:
            raise TagsightError(f"{path}: the counts cannot be written ({error.strerror})") from error


class ClipCounter:
    """Counts persons as the frames come; with a store, everything that the store process concludes."""

    def __init__(self, config: StoreConfig | None) -> None:
        self._heads: dict[int, set[int]] = {}
        self._facts: dict[str, Fact] = {}
        self._store: Behaviour | None = None
        self._end_s = 0.0
        self.through: Counter[tuple[str, str]] = Counter()
        if config is not None:
            visitors = itertools.count(1)
            plan = FloorPlan.from_config(config)
            self._store = Behaviour(plan, 0.0, lambda: f"visitor-{next(visitors)}")
        self._entrances = [each.name for each in config.entrances] if config is not None else []

    def add(self, seen: PersonsSeen) -> None:
        """What one frame showed, or an earlier one of people confirmed since."""
        self._end_s = max(self._end_s, seen.time_s)
        interval = int(seen.time_s // INTERVAL_S)
        self._heads.setdefault(interval, set()).update(person.track for person in seen.persons)
        if self._store is not None:
            self._keep(self._store.persons(seen))

    def finish(self, clip: Clip) -> Counts:
        """What was counted, with everything still open cut at the clip's end."""
        if self._store is not None:
            self._keep(self._store.finish(max(self._end_s, clip.seconds)))
        told = sorted(self._facts.values(), key=lambda fact: (fact.time_s, fact.key))
        footfall = [fact for fact in told if isinstance(fact, Footfall)]
        return Counts(
            clip=clip,
            complete=clip.complete,
            persons=len(set().union(*self._heads.values())),
            intervals=[
                HeadCount(number * INTERVAL_S, min((number + 1) * INTERVAL_S, clip.seconds), len(tracks))
                for number, tracks in sorted(self._heads.items())
            ],
            entrances=[_total(name, footfall) for name in self._entrances],
            footfall=footfall,
            visits=[fact for fact in told if isinstance(fact, Visit)],
            dwell=[fact for fact in told if isinstance(fact, Dwell)],
            flow=[fact for fact in told if isinstance(fact, Flow)],
            heatmap=[fact for fact in told if isinstance(fact, Heatmap)],
        )

    def _keep(self, facts: Iterable[Fact]) -> None:
        """Keep the newest revision of every fact; what was retracted is gone."""
        for fact in facts:
            told = self._facts.get(fact.key)
            if told is None or fact.rev >= told.rev:
                self._facts[fact.key] = fact
            if isinstance(fact, Visit):
                self.through[fact.entrance, fact.direction] += -1 if fact.retracted else 1
            if fact.retracted:
                del self._facts[fact.key]


def _total(entrance: str, footfall: list[Footfall]) -> Gate:
    mine = [fact for fact in footfall if fact.entrance == entrance]
    return Gate(
        entrance,
        sum(fact.entered for fact in mine),
        sum(fact.left for fact in mine),
        sum(fact.inferred for fact in mine),
    )
