"""One person as all cameras see them: which tracks of which cameras show them, and where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot
from typing import TypeAlias

import numpy as np

from runtime.store.people.looks import Gallery
from runtime.store.people.motion import Position, RecentMotion

Source: TypeAlias = tuple[str, int]
"""A camera and its track."""

LEAD_PATIENCE_S = 0.5
MAX_SOURCES = 32


@dataclass(frozen=True)
class TrackPoint:
    """A person at one moment. `lead` marks the one source that tells their path when several cameras do."""

    person: int
    source: Source
    position: Position
    lead: bool


@dataclass
class Sight:
    """What one track of one camera shows of the person it was given to; `number` counts sights up."""

    person: int
    number: int
    first: Position
    motion: RecentMotion = field(default_factory=RecentMotion)
    reach_m: float = 0.0
    """How far from where it began it has been."""

    def add(self, position: Position) -> None:
        """Take in where the track is now."""
        self.motion.add(position)
        self.reach_m = max(self.reach_m, hypot(position.x_m - self.first.x_m, position.y_m - self.first.y_m))


@dataclass
class GlobalTrack:
    """A person: their recent path, reported by one source at a time, and when each source last saw them."""

    number: int
    motion: RecentMotion
    sources: dict[Source, float] = field(default_factory=dict)
    lead: Source | None = None
    began: Position | None = None
    reach_m: float = 0.0
    """How far from where they were first seen they have been."""
    left: bool = False
    """Whether they were seen to go out through an entrance, and not to come back."""
    gallery: Gallery = field(default_factory=Gallery)

    def seen_by(self, camera: str) -> float:
        """When a track of this camera was last seen on this person."""
        return max((seen_s for (name, _), seen_s in self.sources.items() if name == camera), default=-np.inf)

    def seen_by_others(self, camera: str) -> float:
        """When a track of another camera than this was last seen on this person."""
        return max((seen_s for (name, _), seen_s in self.sources.items() if name != camera), default=-np.inf)

    def cameras_since(self, time_s: float) -> set[str]:
        """Cameras that saw this person since a moment."""
        return {name for (name, _), seen_s in self.sources.items() if seen_s >= time_s}

    @property
    def last_camera(self) -> str:
        """The camera that saw them last, empty for nobody."""
        return max(self.sources, key=lambda each: self.sources[each], default=("", 0))[0]

    @property
    def seen_s(self) -> float:
        return max(self.sources.values(), default=-np.inf)

    def step(self, source: Source, position: Position, tracks: set[int]) -> TrackPoint:
        """Take in one sight; `tracks` are those of its camera's frame."""
        lead = self.lead
        lead_s = self.sources.get(lead, -np.inf) if lead is not None else -np.inf
        gone = lead is not None and lead[0] == source[0] and lead[1] not in tracks
        if lead != source and (gone or position.time_s - lead_s > LEAD_PATIENCE_S):
            self.lead = source
        self.sources[source] = max(position.time_s, self.sources.get(source, position.time_s))
        while len(self.sources) > MAX_SOURCES:
            del self.sources[min(self.sources, key=lambda each: self.sources[each])]
        leads = self.lead == source and self.motion.add(position)
        self.began = self.began or position
        away_m = hypot(position.x_m - self.began.x_m, position.y_m - self.began.y_m)
        self.reach_m = max(self.reach_m, away_m)
        return TrackPoint(self.number, source, position, leads)

    def part(self, source: Source, rest: RecentMotion | None) -> None:
        """This source does not show them: where they were since is what `rest` says, if anything does."""
        self.sources.pop(source, None)
        if self.lead == source:
            self.lead = None
            if rest is not None:
                self.motion = rest.copy()
