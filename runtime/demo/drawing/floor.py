"""The store's floor seen from above, through the camera's own homography, and what happened on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from contract.facts import Heatmap, Point
from runtime.config import StoreConfig
from runtime.geometry import Homography

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

PX_PER_M = 36
INK = (60, 45, 40)
ZONE = (150, 120, 60)
GATE = (60, 60, 210)
RACK = (40, 140, 30)
ANTENNA = (170, 60, 150)
PAPER = (246, 246, 244)
PATH = (140, 60, 130)
TITLE_PX = 40
LEGEND_PX = 34
SCALE_PX = 56
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT = 0.45
HEAT_GAMMA = 0.6
"""Below 1, so that places with little time in them are seen too."""
HEAT_OPACITY = 0.75
ROUND_TICKS = 3
"""So many round values the scale names between nothing and the warmest cell."""


@dataclass(frozen=True)
class Plan:
    """Where floor metres lie in the picture: `extent_m` is left, top, right, bottom."""

    extent_m: tuple[float, float, float, float]
    px_per_m: float = PX_PER_M

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        x0, y0, x1, y1 = self.extent_m
        return round((x1 - x0) * self.px_per_m), round((y1 - y0) * self.px_per_m)

    def px(self, point: Point) -> tuple[int, int]:
        """The pixel of a place on the floor."""
        x0, y0, _, _ = self.extent_m
        return round((point[0] - x0) * self.px_per_m), round((point[1] - y0) * self.px_per_m)

    def matrix(self) -> NDArray[np.float64]:
        """Floor metres to pixels, 3 x 3."""
        x0, y0, _, _ = self.extent_m
        scale = self.px_per_m
        return np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale], [0, 0, 1]], np.float64)


def from_above(picture: Image, homography: Homography, plan: Plan) -> Image:
    """A camera's picture laid on the floor; paper where the camera does not see the floor."""
    width, height = plan.size
    warp = plan.matrix() @ np.asarray(homography.matrix, np.float64)
    laid = cv2.warpPerspective(picture, warp, (width, height), flags=cv2.INTER_LINEAR)
    corners = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2).astype(np.float64)
    floor = cv2.perspectiveTransform(corners[None], np.linalg.inv(plan.matrix()))[0]
    seen = homography.to_image(floor)
    inside = (seen >= 0).all(1) & (seen < [picture.shape[1], picture.shape[0]]).all(1)
    laid[~inside.reshape(height, width)] = PAPER
    return np.asarray(laid, np.uint8)


def fade(picture: Image, strength: float = 0.55) -> Image:
    """The picture paled towards paper, so that what is drawn over it can be read."""
    paper = np.full_like(picture, PAPER)
    return np.asarray(cv2.addWeighted(picture, 1 - strength, paper, strength, 0), np.uint8)


def floor_picture(
    background: Image, homography: Homography, config: StoreConfig, paths: Sequence[NDArray[np.float64]]
) -> Image:
    """The floor with people's paths, (n, 2) floor metres each, and a legend."""
    plan = Plan(config.floor.extent())
    ground = fade(from_above(background, homography, plan))
    draw_paths(ground, paths, plan)
    draw_layout(ground, config, plan)
    title = f"{config.site.name}: {len(paths)} paths on the floor, from above"
    return np.vstack(
        [
            _title(title, plan),
            ground,
            _legend(plan, (*LEGEND, ("path", PATH, "a path, with a dot at its end"))),
        ]
    )


def heat_picture(
    background: Image, homography: Homography, config: StoreConfig, heat: Iterable[Heatmap]
) -> Image:
    """The floor with the time people spent in each cell, a legend and a scale."""
    plan = Plan(config.floor.extent())
    ground = fade(from_above(background, homography, plan))
    cells = cell_seconds(heat, config)
    draw_heat(ground, cells)
    draw_layout(ground, config, plan)
    title = f"{config.site.name}: where people spent their time, from above"
    cell = config.floor.grid_m
    unit = f"person-seconds in a cell of {cell:g} x {cell:g} m"
    return np.vstack(
        [_title(title, plan), ground, _heat_scale(plan, float(cells.max()), unit), _legend(plan, LEGEND)]
    )


def cell_seconds(heat: Iterable[Heatmap], config: StoreConfig) -> NDArray[np.float64]:
    """Person-seconds of all parts by cell of the plan, (rows, columns)."""
    x0, y0, x1, y1 = config.floor.extent()
    side = config.floor.grid_m
    cells = np.zeros((max(1, math.ceil((y1 - y0) / side)), max(1, math.ceil((x1 - x0) / side))))
    for part in heat:
        left, top = round((part.origin_m[0] - x0) / side), round((part.origin_m[1] - y0) / side)
        for cell in part.cells:
            row, column = top + cell.row, left + cell.column
            if 0 <= row < cells.shape[0] and 0 <= column < cells.shape[1]:
                cells[row, column] += cell.person_s
    return cells


def draw_heat(picture: Image, cells: NDArray[np.float64]) -> None:
    """Lay `cells` over the picture of the same floor: in the middle of a cell the colour is its own."""
    if cells.max() <= 0:
        return
    size = picture.shape[1], picture.shape[0]
    share = np.clip(cv2.resize(cells / cells.max(), size, interpolation=cv2.INTER_LINEAR), 0, 1) ** HEAT_GAMMA
    weight = np.clip(share * 3, 0, HEAT_OPACITY)[..., None]
    picture[:] = (picture * (1 - weight) + _heat_colours(share) * weight).astype(np.uint8)


def draw_layout(picture: Image, config: StoreConfig, plan: Plan) -> None:
    """Zones, entrances with their inward arrow, racks, antennas and a scale, drawn in place."""
    for zone in config.zones:
        corners = np.array([plan.px(corner) for corner in zone.polygon], np.int32)
        cv2.polylines(picture, [corners], True, ZONE, 2, cv2.LINE_AA)
    for fixture in config.fixtures:
        u, v = plan.px(fixture.centre())
        outline = [plan.px(corner) for corner in fixture.polygon or ()]
        outline = outline or [(u - 10, v - 10), (u + 10, v - 10), (u + 10, v + 10), (u - 10, v + 10)]
        cv2.fillPoly(picture, [np.array(outline, np.int32)], PAPER, cv2.LINE_AA)
        cv2.polylines(picture, [np.array(outline, np.int32)], True, RACK, 2, cv2.LINE_AA)
    for reader in config.readers:
        for antenna in reader.antennas:
            if antenna.at is not None:
                _antenna(picture, plan.px(antenna.at))
    for entrance in config.entrances:
        a, b = (np.array(plan.px(end)) for end in entrance.line)
        cv2.line(picture, tuple(a.tolist()), tuple(b.tolist()), GATE, 3, cv2.LINE_AA)
        middle = (a + b) / 2
        normal = np.array([-(b - a)[1], (b - a)[0]]) / max(1.0, float(np.linalg.norm(b - a)))
        if (np.array(plan.px(entrance.inside)) - middle) @ normal < 0:
            normal = -normal
        tip = middle + 26 * normal
        cv2.arrowedLine(picture, _ints(middle), _ints(tip), GATE, 2, cv2.LINE_AA, tipLength=0.4)
    _names(picture, config, plan)
    _scale_bar(picture, plan)


def draw_paths(picture: Image, paths: Iterable[NDArray[np.float64]], plan: Plan) -> None:
    """One line a person with a dot where it ends; `paths` are (n, 2) floor metres in order of time."""
    for number, path in enumerate(paths):
        hue = (number * 47) % 180
        colour = cv2.cvtColor(np.array([[[hue, 170, 170]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
        points = np.array([plan.px((x, y)) for x, y in path], np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        cv2.circle(picture, points[-1].tolist(), 5, colour, -1, cv2.LINE_AA)


LEGEND: tuple[tuple[str, Colour, str], ...] = (
    ("area", ZONE, "zone"),
    ("line", GATE, "entrance, arrow inwards"),
    ("area", RACK, "rack"),
    ("antenna", ANTENNA, "antenna"),
)
"""Kind of sign, its colour, what it stands for."""


def _legend(plan: Plan, entries: Sequence[tuple[str, Colour, str]]) -> Image:
    """A strip that says what the signs are."""
    strip = _strip(plan, LEGEND_PX)
    left, middle = 14, LEGEND_PX // 2
    for kind, colour, text in entries:
        if kind == "antenna":
            _antenna(strip, (left + 12, middle))
        elif kind == "area":
            cv2.rectangle(strip, (left, middle - 7), (left + 24, middle + 7), colour, 2, cv2.LINE_AA)
        else:
            cv2.line(strip, (left, middle), (left + 24, middle), colour, 3, cv2.LINE_AA)
            if kind == "path":
                cv2.circle(strip, (left + 24, middle), 5, colour, -1, cv2.LINE_AA)
        _write(strip, text, (left + 34, middle + 5), INK)
        left += 34 + _width(text) + 26
    return strip


def _heat_scale(plan: Plan, warmest_s: float, unit: str) -> Image:
    """A strip with the colours from nothing to the warmest cell, and what they stand for."""
    strip = _strip(plan, SCALE_PX)
    left, width, top, low = 24, min(420, plan.size[0] // 2), 10, 28
    share = np.tile(np.linspace(0, 1, width), (low - top, 1))
    weight = np.clip(share * 3, 0, HEAT_OPACITY)[..., None]
    strip[top:low, left : left + width] = np.array(PAPER) * (1 - weight) + _heat_colours(share) * weight
    cv2.rectangle(strip, (left - 1, top - 1), (left + width, low), INK, 1)
    for value in scale_ticks(warmest_s):
        u = left + round((value / warmest_s) ** HEAT_GAMMA * (width - 1))
        text = f"{value:.3g}"
        cv2.line(strip, (u, low), (u, low + 4), INK, 1)
        _write(strip, text, (u - _width(text) // 2, low + 18), INK)
    _write(strip, unit, (left + width + 24, low - 4), INK)
    return strip


def scale_ticks(warmest: float) -> list[float]:
    """Values a scale from nothing to the warmest names: both ends, and round ones with room between."""
    if warmest <= 0:
        return []
    decades = range(math.floor(math.log10(warmest)) - 2, math.floor(math.log10(warmest)) + 1)
    values = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return [0.0, *[value for value in values if value < 0.85 * warmest][-ROUND_TICKS:], warmest]


def _heat_colours(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """BGR of shares of the warmest, after gamma."""
    return cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO).astype(np.float64)


def _names(picture: Image, config: StoreConfig, plan: Plan) -> None:
    """On plates, over all else."""
    for zone in config.zones:
        corners = np.array([plan.px(corner) for corner in zone.polygon])
        _label(picture, zone.name, (int(corners[:, 0].min()) + 8, int(corners[:, 1].min()) + 22), ZONE)
    for fixture in config.fixtures:
        u, v = plan.px(fixture.centre())
        right = max((plan.px(corner)[0] for corner in fixture.polygon or ()), default=u + 10)
        _label(picture, fixture.name, (right + 8, v + 5), RACK)
    for entrance in config.entrances:
        u, v = min(plan.px(end) for end in entrance.line)
        _label(picture, entrance.name, (u + 6, v - 10), GATE)


def _antenna(picture: Image, at: tuple[int, int]) -> None:
    cv2.drawMarker(picture, at, PAPER, cv2.MARKER_TRIANGLE_UP, 14, 5, cv2.LINE_AA)
    cv2.drawMarker(picture, at, ANTENNA, cv2.MARKER_TRIANGLE_UP, 14, 2, cv2.LINE_AA)


def _title(text: str, plan: Plan) -> Image:
    band = _strip(plan, TITLE_PX)
    _write(band, text, (12, TITLE_PX - 14), INK, 0.55)
    return band


def _strip(plan: Plan, height: int) -> Image:
    return np.full((height, plan.size[0], 3), PAPER, np.uint8)


def _label(picture: Image, text: str, at: tuple[int, int], colour: Colour) -> None:
    """Text on a pale plate: an outline of another weight would not lie under the letters of every OpenCV."""
    width = _width(text)
    left = int(np.clip(at[0], 3, max(3, picture.shape[1] - width - 3)))
    low = int(np.clip(at[1], 16, picture.shape[0] - 6))
    plate = picture[low - 14 : low + 5, left - 3 : left + width + 3]
    plate[:] = (plate * 0.2 + np.array(PAPER) * 0.8).astype(np.uint8)
    _write(picture, text, (left, low), colour)


def _width(text: str, size: float = TEXT) -> int:
    return int(cv2.getTextSize(text, FONT, size, 1)[0][0])


def _write(picture: Image, text: str, at: tuple[int, int], colour: Colour, size: float = TEXT) -> None:
    cv2.putText(picture, text, at, FONT, size, colour, 1, cv2.LINE_AA)


def _scale_bar(picture: Image, plan: Plan) -> None:
    height, width = picture.shape[:2]
    left, right, low = width - 20 - round(5 * plan.px_per_m), width - 20, height - 20
    cv2.line(picture, (left, low), (right, low), INK, 2, cv2.LINE_AA)
    for end in (left, right):
        cv2.line(picture, (end, low - 5), (end, low + 5), INK, 2, cv2.LINE_AA)
    _label(picture, "5 m", ((left + right) // 2 - 12, low - 8), INK)


def _ints(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
