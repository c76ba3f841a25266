"""The shop's floor as the behaviour core needs it: lines, areas and places in metres, from store.yaml."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np

from runtime.config import Intervals, StoreConfig, sections
from runtime.config.epcs import Article, ArticleTable
from runtime.geometry import Floats, distance_to_polygon_m, signed_distance_m
from tagsight.errors import TagsightError

Point: TypeAlias = tuple[float, float]
PlaceKind: TypeAlias = Literal["fixture", "antenna", "zone"]


class FloorPlanError(TagsightError):
    """A floor plan that cannot be counted on."""


@dataclass(frozen=True)
class EntranceLine:
    """A line that people cross; `inside` lies on the shop's side. `cameras` count here; empty means all."""

    name: str
    line: tuple[Point, Point]
    inside: Point
    cameras: tuple[str, ...] = ()
    length_m: float = field(init=False, repr=False, compare=False)
    _inward: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.line[0] == self.line[1]:
            raise FloorPlanError(f"entrance {self.name}: its line has no length; give two different ends")
        if signed_distance_m(self.inside, self.line)[0] == 0:
            raise FloorPlanError(
                f"entrance {self.name}: inside {list(self.inside)} lies on the line; move it into the shop"
            )

        (x0, y0), (x1, y1) = self.line
        object.__setattr__(self, "length_m", math.hypot(x1 - x0, y1 - y0))
        object.__setattr__(self, "_inward", float(np.sign(signed_distance_m(self.inside, self.line)[0])))

    def stand(self, x_m: float, y_m: float) -> tuple[float, float]:
        """How deep behind the endless line a place lies, positive on the shop's side, and how far along it.

        Both in metres; along counts from the line's first end. The same as `signed_distance_m` and
        `position_along`, for one place: a frame shows a few people, and arrays of a few are slow.
        """
        (x0, y0), (x1, y1) = self.line
        along_x, along_y, off_x, off_y = x1 - x0, y1 - y0, x_m - x0, y_m - y0
        depth_m = (along_x * off_y - along_y * off_x) / self.length_m * self._inward
        return depth_m, (off_x * along_x + off_y * along_y) / self.length_m


@dataclass(frozen=True)
class FloorZone:
    """An area in which dwell, flow and heat are counted; tags in a fitting room are tried on."""

    name: str
    polygon: tuple[Point, ...]
    kind: Literal["area", "fitting_room"] = "area"
    _bounds: tuple[float, float, float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        xs, ys = zip(*self.polygon, strict=True)
        object.__setattr__(self, "_bounds", (min(xs), min(ys), max(xs), max(ys)))

    def holds(self, x_m: float, y_m: float) -> bool:
        """Whether a place lies inside; the even-odd rule of `in_polygon`, for one place."""
        left, low, right, high = self._bounds
        if not (left <= x_m <= right and low <= y_m <= high):
            return False
        inside = False
        x0, y0 = self.polygon[-1]
        for x1, y1 in self.polygon:
            if (y0 <= y_m) != (y1 <= y_m) and x_m < x0 + (y_m - y0) * (x1 - x0) / (y1 - y0):
                inside = not inside
            x0, y0 = x1, y1
        return inside

    def away_m(self, x_m: float, y_m: float) -> float:
        """How far from the zone a place lies, 0 inside; `distance_m` for one place."""
        if self.holds(x_m, y_m):
            return 0.0
        nearest_m = math.inf
        x0, y0 = self.polygon[-1]
        for x1, y1 in self.polygon:
            along_x, along_y, off_x, off_y = x1 - x0, y1 - y0, x_m - x0, y_m - y0
            length2 = along_x * along_x + along_y * along_y
            share = (along_x * off_x + along_y * off_y) / length2 if length2 else 0.0
            share = min(max(share, 0.0), 1.0)
            nearest_m = min(nearest_m, math.hypot(off_x - share * along_x, off_y - share * along_y))
            x0, y0 = x1, y1
        return nearest_m

    def distance_m(self, points: Floats) -> Floats:
        """Distance (n,) of points from the zone, 0 inside."""
        return distance_to_polygon_m(points, self.polygon)


@dataclass(frozen=True)
class Place:
    """Where a tag is expected: a spot (one corner) or an outline, and how that is known."""

    name: str
    kind: PlaceKind
    outline: tuple[Point, ...]

    def distance_m(self, points: Floats) -> Floats:
        """Distance (n,) of floor points from the spot or outline, 0 inside an outline."""
        if len(self.outline) == 1:
            (x, y) = self.outline[0]
            distance: Floats = np.hypot(points[:, 0] - x, points[:, 1] - y)
            return distance
        return distance_to_polygon_m(points, self.outline)


@dataclass(frozen=True)
class AntennaCoverage:
    """What one antenna of a reader covers: a spot, a zone, a fixture, or nothing known (None)."""

    place: Place | None
    fitting_room: str | None = None
    stock_place: str | None = None
    """What stock events call where the tags that it hears best hang; None: nowhere, as in a fitting room."""


@dataclass(frozen=True)
class FloorPlan:
    """Everything about one shop that behaviour depends on."""

    extent_m: tuple[float, float, float, float]
    timezone: tzinfo = timezone.utc
    cell_m: float = 0.5
    cameras: tuple[str, ...] = ()
    analysis_fps: dict[str, float] = field(default_factory=dict)
    """How often a frame of each camera is looked at, frames a second."""
    entrances: tuple[EntranceLine, ...] = ()
    zones: tuple[FloorZone, ...] = ()
    fixtures: dict[str, Place] = field(default_factory=dict)
    articles: ArticleTable = field(default_factory=lambda: ArticleTable(()))
    antennas: dict[tuple[str, int], AntennaCoverage] = field(default_factory=dict)
    rooms: dict[str, Place] = field(default_factory=dict)
    """Fitting rooms, zones and fixtures alike."""
    intervals: Intervals = field(default_factory=Intervals)
    visitor_hours: float = 12.0

    @classmethod
    def from_config(cls, config: StoreConfig) -> FloorPlan:
        """The plan of a validated store. Raises FloorPlanError for geometry that makes no sense."""
        return cls.from_sections(
            extent_m=config.floor.extent(),
            cell_m=config.floor.grid_m,
            timezone=config.site.timezone,
            analysis_fps={camera.name: camera.analysis_fps for camera in config.cameras},
            antennas={reader.name: reader.antennas for reader in config.readers},
            entrances=config.entrances,
            zones=config.zones,
            fixtures=config.fixtures,
            intervals=config.intervals,
            visitor_hours=config.retention.visitor_hours,
        )

    @classmethod
    def from_sections(
        cls,
        *,
        extent_m: tuple[float, float, float, float],
        cell_m: float,
        timezone: str,
        analysis_fps: Mapping[str, float],
        antennas: Mapping[str, Sequence[sections.Antenna]],
        entrances: Sequence[sections.Entrance],
        zones: Sequence[sections.Zone],
        fixtures: Sequence[sections.Fixture],
        intervals: Intervals,
        visitor_hours: float,
    ) -> FloorPlan:
        """The plan by sections of a validated configuration: `analysis_fps` by camera, `antennas` by reader.

        Raises FloorPlanError for geometry that makes no sense.
        """
        areas = tuple(FloorZone(zone.name, tuple(zone.polygon), zone.kind) for zone in zones)
        places = {
            fixture.name: Place(fixture.name, "fixture", tuple(fixture.polygon or (fixture.centre(),)))
            for fixture in fixtures
        }
        rooms = {zone.name for zone in areas if zone.kind == "fitting_room"}
        rooms |= {fixture.name for fixture in fixtures if fixture.kind == "fitting_room"}
        outlines = {zone.name: Place(zone.name, "zone", zone.polygon) for zone in areas}
        coverage = {}
        for reader, mounted in antennas.items():
            for antenna in mounted:
                spot = Place(antenna.name, "antenna", (antenna.at,)) if antenna.at is not None else None
                place = places.get(antenna.fixture or "") or spot or outlines.get(antenna.zone or "")
                room = next((name for name in (antenna.fixture, antenna.zone) if name in rooms), None)
                hangs = antenna.fixture or antenna.zone or antenna.name
                coverage[reader, antenna.port] = AntennaCoverage(place, room, hangs if room is None else None)
        return cls(
            extent_m=extent_m,
            timezone=ZoneInfo(timezone),
            cell_m=cell_m,
            cameras=tuple(analysis_fps),
            analysis_fps=dict(analysis_fps),
            entrances=tuple(
                EntranceLine(entrance.name, entrance.line, entrance.inside, tuple(entrance.cameras))
                for entrance in entrances
            ),
            zones=areas,
            fixtures=places,
            articles=ArticleTable.of(fixtures),
            antennas=coverage,
            rooms={name: place for name, place in {**outlines, **places}.items() if name in rooms},
            intervals=intervals,
            visitor_hours=visitor_hours,
        )

    @property
    def area_m2(self) -> float:
        x0, y0, x1, y1 = self.extent_m
        return max(1.0, (x1 - x0) * (y1 - y0))

    def article_of(self, epc: str) -> Article | None:
        """The article a tag is sewn into, None for a tag the shop does not know."""
        return self.articles.find(epc)

    def place_of(self, epc: str, reader: str, antenna: int) -> Place | None:
        """Where a tag is expected: on its fixture, else where the antenna that read it points."""
        article = self.article_of(epc)
        if article is not None and article.fixture in self.fixtures:
            return self.fixtures[article.fixture]
        read_by = self.antennas.get((reader, antenna))
        return read_by.place if read_by is not None else None
