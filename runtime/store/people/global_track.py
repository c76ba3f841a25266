"""One person as all cameras see them: which tracks of which cameras show them, and where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot, inf
from typing import TypeAlias

from runtime.store.people.looks import Gallery
from runtime.store.people.motion import Position, RecentMotion

Source: TypeAlias = tuple[str, int]
"""A camera and its track."""

LEAD_TIMEOUT_S = 0.5
MAX_SOURCES = 32


@dataclass(frozen=True)
class TrackPoint:
    """A person at one moment. `lead` marks the one source that tells their path when several cameras do."""

    person: int
    source: Source
    position: Position
    lead: bool


@dataclass
class BoundTrack:
    """What one track of one camera shows of the person it was given to; `number` counts them up."""

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
    seen_s: float = -inf
    _by_camera: dict[str, float] = field(default_factory=dict)
    """When each camera saw them last. This and `seen_s` follow from `sources` and are asked for often."""

    def seen_by(self, camera: str) -> float:
        """When a track of this camera was last seen on this person."""
        return self._by_camera.get(camera, -inf)

    def seen_by_others(self, camera: str) -> float:
        """When a track of another camera than this was last seen on this person."""
        if self._by_camera.get(camera, -inf) < self.seen_s:
            return self.seen_s
        return max([-inf, *[seen_s for name, seen_s in self._by_camera.items() if name != camera]])

    def cameras_since(self, time_s: float) -> set[str]:
        """Cameras that saw this person since a moment."""
        return {name for name, seen_s in self._by_camera.items() if seen_s >= time_s}

    @property
    def last_camera(self) -> str:
        """The camera that saw them last, empty for nobody."""
        return max(self.sources, key=lambda each: self.sources[each], default=("", 0))[0]

    def saw(self, source: Source, time_s: float) -> None:
        """This source showed them at that moment."""
        self.sources[source] = max(time_s, self.sources.get(source, time_s))
        if len(self.sources) > MAX_SOURCES:
            self.drop(min(self.sources, key=lambda each: self.sources[each]))
        else:
            self._by_camera[source[0]] = max(time_s, self._by_camera.get(source[0], time_s))
            self.seen_s = max(time_s, self.seen_s)

    def drop(self, source: Source) -> float:
        """This source shows them no more, and never did; when it was last said to."""
        seen_s = self.sources.pop(source, -inf)
        self._by_camera = {}
        for (name, _), each_s in self.sources.items():
            self._by_camera[name] = max(each_s, self._by_camera.get(name, each_s))
        self.seen_s = max([-inf, *self._by_camera.values()])
        return seen_s

    def step(self, source: Source, position: Position, tracks: set[int]) -> TrackPoint:
        """Take in one point; `tracks` are those of its camera's frame."""
        lead = self.lead
        lead_s = self.sources.get(lead, -inf) if lead is not None else -inf
        gone = lead is not None and lead[0] == source[0] and lead[1] not in tracks
        if lead != source and (gone or position.time_s - lead_s > LEAD_TIMEOUT_S):
            self.lead = source
        self.saw(source, position.time_s)
        leads = self.lead == source and self.motion.add(position)
        self.began = self.began or position
        away_m = hypot(position.x_m - self.began.x_m, position.y_m - self.began.y_m)
        self.reach_m = max(self.reach_m, away_m)
        return TrackPoint(self.number, source, position, leads)

    def part(self, source: Source, rest: RecentMotion | None) -> None:
        """This source does not show them: where they were since is what `rest` says, if anything does."""
        self.drop(source)
        if self.lead == source:
            self.lead = None
            if rest is not None:
                self.motion = rest.copy()
