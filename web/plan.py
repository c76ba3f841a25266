"""A shop's floor as SVG: what stands where, in centimetres, so that a page can draw on it.

x grows to the right and y downwards, as on the shop's own plan and as in SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
CM = 100.0
TEXT_SHARE, NARROW_TEXT_SHARE = 1 / 50, 1 / 27
"""Height of letters as a share of the plan's longer side, on a wide screen and on a phone."""
SPOT_CM = 30.0
"""Half the side of a rack of which only the place is known."""


@dataclass(frozen=True)
class DrawnArea:
    """A zone or rack: name, corners and the middle of its upper edge, for its label; centimetres."""

    name: str
    corners: tuple[Point, ...]
    label: Point = field(init=False)

    def __post_init__(self) -> None:
        top = min(y for _, y in self.corners)
        upper = [point for point in self.corners if point[1] <= middle(self.corners)[1]]
        object.__setattr__(self, "label", (middle(upper)[0], top))

    @property
    def points(self) -> str:
        """As SVG wants them."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.corners)


@dataclass(frozen=True)
class DrawnGate:
    """An entrance: its line, an arrow that points into the shop, and where its label stands."""

    name: str
    line: tuple[Point, Point]
    inward: Point
    """Unit vector to the shop's side."""
    text_cm: float

    @property
    def arrow(self) -> str:
        """A triangle on the shop's side of the line."""
        (mx, my), (nx, ny) = middle(self.line), self.inward
        size = 0.8 * self.text_cm
        tip = (mx + nx * 1.6 * size, my + ny * 1.6 * size)
        left, right = (
            (mx - ny * size * 0.7, my + nx * size * 0.7),
            (mx + ny * size * 0.7, my - nx * size * 0.7),
        )
        return " ".join(f"{x:.0f},{y:.0f}" for x, y in (left, tip, right))

    @property
    def label(self) -> Point:
        """Outside the shop, by the line's middle."""
        (mx, my), (nx, ny) = middle(self.line), self.inward
        away = 0.7 * self.text_cm if self.anchor != "middle" else 1.4 * self.text_cm
        return (mx - nx * away, my - ny * away + 0.35 * self.text_cm)

    @property
    def anchor(self) -> str:
        """Which end of the label is there: it goes on outside the shop."""
        if abs(self.inward[0]) < 0.7:
            return "middle"
        return "start" if self.inward[0] < 0 else "end"


@dataclass(frozen=True)
class DrawnPlan:
    """Everything that stands on the floor."""

    extent_cm: tuple[float, float, float, float]
    """Left, top, right, bottom."""
    zones: tuple[DrawnArea, ...]
    racks: tuple[DrawnArea, ...]
    gates: tuple[DrawnGate, ...]
    picture: str = ""
    """Address of the shop's own drawing of its floor, which fills the extent."""

    @property
    def view_box(self) -> str:
        """As SVG wants it, with a little room around."""
        x0, y0, x1, y1 = self.extent_cm
        edge = 0.6 * self.text_cm
        return f"{x0 - edge:g} {y0 - edge:g} {x1 - x0 + 2 * edge:g} {y1 - y0 + 2 * edge:g}"

    @property
    def text_cm(self) -> float:
        """Height of letters on a wide screen."""
        return text_cm_of(self.extent_cm)

    def css(self) -> str:
        """Sizes that depend on the plan's own: letters, dots. A policy without inline styles wants a file."""
        x0, y0, x1, y1 = self.extent_cm
        longer = max(x1 - x0, y1 - y0)
        wide, narrow = longer * TEXT_SHARE, longer * NARROW_TEXT_SHARE
        return f"{_sizes(wide)}\n@media (max-width: 640px) {{\n{_sizes(narrow)}\n}}\n"


def _sizes(text_cm: float) -> str:
    return (
        f".plan text {{ font-size: {text_cm:.1f}px; }}\n"
        f".plan text.halo {{ stroke-width: {text_cm / 4:.1f}px; }}\n"
        f".plan .dot {{ r: {text_cm * 0.5:.1f}px; }}"
    )


def text_cm_of(extent_cm: tuple[float, float, float, float]) -> float:
    """Height of letters on a plan of that size."""
    x0, y0, x1, y1 = extent_cm
    return max(x1 - x0, y1 - y0) * TEXT_SHARE


def area(name: str, corners_m: Sequence[Point]) -> DrawnArea:
    """From corners in metres; a single one is a spot."""
    corners = [(x * CM, y * CM) for x, y in corners_m]
    if len(corners) == 1:
        ((x, y),) = corners
        corners = [
            (x - SPOT_CM, y - SPOT_CM),
            (x + SPOT_CM, y - SPOT_CM),
            (x + SPOT_CM, y + SPOT_CM),
            (x - SPOT_CM, y + SPOT_CM),
        ]
    return DrawnArea(name, tuple((round(x), round(y)) for x, y in corners))


def gate(name: str, line_m: tuple[Point, Point], inside_m: Point, text_cm: float) -> DrawnGate:
    """From a line and a point on the shop's side, metres."""
    (ax, ay), (bx, by) = line_m
    length = math.hypot(bx - ax, by - ay) or 1.0
    nx, ny = -(by - ay) / length, (bx - ax) / length
    if (inside_m[0] - ax) * nx + (inside_m[1] - ay) * ny < 0:
        nx, ny = -nx, -ny
    return DrawnGate(name, ((ax * CM, ay * CM), (bx * CM, by * CM)), (nx, ny), text_cm)


def middle(points: Sequence[Point]) -> Point:
    """The mean of some points."""
    return (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
