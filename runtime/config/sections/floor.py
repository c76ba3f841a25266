"""The store's floor: its drawing, and the entrances, zones and fixtures on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from runtime.config.sections.words import FloorPoint, Label, Polygon, Section
from runtime.geometry import polygon_centre

MAX_ZONES = 256
MAX_FIXTURES = 1_000


class Floor(Section, frozen=True, kw_only=True):
    """The store's floor in metres. x grows to the right of the drawing and y grows downwards.

    `extent_m` is always known after loading: given, or found from the drawing's size and its scale.
    """

    image: Annotated[Path | None, Meta(description="drawing or picture of the floor (PNG or JPEG)")] = None
    scale_px_per_m: Annotated[
        Annotated[float, Meta(gt=0, le=100_000)] | None,
        Meta(description="pixels of the drawing in a metre; its top left is [0, 0]"),
    ] = None
    extent_m: Annotated[
        tuple[float, float, float, float] | None,
        Meta(description="[x0, y0, x1, y1]: the floor's edges, x0 < x1 and y0 < y1"),
    ] = None
    grid_m: Annotated[float, Meta(ge=0.1, le=20, description="side of a heatmap cell in metres")] = 1.0

    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom edge in metres. ValueError for a plan that `load` did not complete."""
        if self.extent_m is None:
            raise ValueError("this floor plan has no extent_m")
        return self.extent_m


class Entrance(Section, frozen=True, kw_only=True):
    """A line on the floor that people cross to come in or go out."""

    name: Label
    line: Annotated[
        tuple[FloorPoint, FloorPoint], Meta(description="[[x, y], [x, y]]: the two ends, in metres")
    ]
    inside: Annotated[FloorPoint, Meta(description="[x, y] of any place on the store's side of the line")]
    cameras: Annotated[
        list[str], Meta(description="cameras that count here; empty: every camera with a floor")
    ] = field(default_factory=list)


class Zone(Section, frozen=True, kw_only=True):
    """An area of the floor in which dwell, flow and heat are counted."""

    name: Label
    polygon: Polygon
    kind: Annotated[
        Literal["area", "fitting_room"], Meta(description="fitting_room: tags here are tried on")
    ] = "area"


class Sku(Section, frozen=True, kw_only=True):
    """An article and the tags that are sewn into it."""

    sku: Annotated[
        str, Meta(min_length=1, max_length=64, description="the article's number in the store's own table")
    ]
    epcs: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=124)]],
        Meta(min_length=1, description="EPCs in hex, or patterns with * for any digits"),
    ]


class Fixture(Section, frozen=True, kw_only=True):
    """A rack or a fitting room, and the articles on it."""

    name: Label
    kind: Annotated[Literal["rack", "fitting_room"], Meta(description="what stands there")] = "rack"
    at: Annotated[FloorPoint | None, Meta(description="[x, y] of its centre; or give polygon")] = None
    polygon: Annotated[Polygon | None, Meta(description="its corners in order, in metres; or give at")] = None
    skus: Annotated[list[Sku], Meta(max_length=10_000, description="the articles on it")] = field(
        default_factory=list
    )
    epcs_file: Annotated[
        Path | None, Meta(description="CSV or Parquet of the tags on it, with the columns epc and sku")
    ] = None

    def centre(self) -> tuple[float, float]:
        """Where it stands, in metres: `at`, or the centroid of its polygon."""
        if self.at is not None:
            return self.at
        if self.polygon is None:
            raise ValueError(f"fixture {self.name} has neither at nor polygon")
        return polygon_centre(self.polygon)
