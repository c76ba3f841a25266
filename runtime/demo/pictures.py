"""The store's floor seen from above, through the camera's own homography, and what happened on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.config import StoreConfig
from runtime.geometry import Homography
from runtime.store.facts import Heatmap, Point

Image = NDArray[np.uint8]

PX_PER_M = 36
INK = (60, 45, 40)
ZONE = (150, 120, 60)
GATE = (60, 60, 210)
RACK = (40, 140, 30)
PAPER = (246, 246, 244)
MARGIN_PX = 28


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


def draw_layout(picture: Image, config: StoreConfig, plan: Plan) -> None:
    """Zones, entrances with their inward arrow, racks and a scale, drawn in place."""
    for zone in config.zones:
        corners = np.array([plan.px(corner) for corner in zone.polygon], np.int32)
        cv2.polylines(picture, [corners], True, ZONE, 1, cv2.LINE_AA)
        _label(picture, zone.name, (int(corners[:, 0].min()) + 6, int(corners[:, 1].min()) + 18), ZONE)
    for entrance in config.entrances:
        a, b = (np.array(plan.px(end)) for end in entrance.line)
        cv2.line(picture, tuple(a.tolist()), tuple(b.tolist()), GATE, 3, cv2.LINE_AA)
        middle = (a + b) / 2
        normal = np.array([-(b - a)[1], (b - a)[0]]) / max(1.0, float(np.linalg.norm(b - a)))
        if (np.array(plan.px(entrance.inside)) - middle) @ normal < 0:
            normal = -normal
        tip = middle + 26 * normal
        cv2.arrowedLine(picture, _ints(middle), _ints(tip), GATE, 2, cv2.LINE_AA, tipLength=0.4)
        _label(picture, entrance.name, (int(a[0]) + 6, int(a[1]) - 6), GATE)
    for fixture in config.fixtures:
        u, v = plan.px(fixture.centre())
        cv2.rectangle(picture, (u - 10, v - 10), (u + 10, v + 10), (255, 255, 255), -1, cv2.LINE_AA)
        cv2.rectangle(picture, (u - 10, v - 10), (u + 10, v + 10), RACK, 2, cv2.LINE_AA)
        _label(picture, fixture.name, (u + 14, v + 5), RACK)
    _scale_bar(picture, plan)


def draw_paths(picture: Image, paths: Iterable[NDArray[np.float64]], plan: Plan) -> None:
    """One line a person; `paths` are (n, 2) floor metres in order of time."""
    for number, path in enumerate(paths):
        hue = (number * 47) % 180
        colour = cv2.cvtColor(np.array([[[hue, 170, 170]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
        points = np.array([plan.px((x, y)) for x, y in path], np.int32)
        cv2.polylines(picture, [points], False, tuple(int(part) for part in colour), 2, cv2.LINE_AA)


def heat_over(picture: Image, heat: Iterable[Heatmap], plan: Plan) -> float:
    """Lay the person-seconds of all cells over the picture; returns the warmest cell's, in seconds."""
    width, height = plan.size
    seconds = np.zeros((height, width), np.float64)
    for part in heat:
        side = round(part.cell_m * plan.px_per_m)
        for cell in part.cells:
            place = (part.origin_m[0] + cell.column * part.cell_m, part.origin_m[1] + cell.row * part.cell_m)
            u, v = plan.px(place)
            seconds[max(0, v) : max(0, v + side), max(0, u) : max(0, u + side)] += cell.person_s
    warmest = float(seconds.max())
    if warmest == 0.0:
        return 0.0
    smooth = cv2.GaussianBlur(seconds, (0, 0), plan.px_per_m * 0.3)
    share = np.clip(smooth / smooth.max(), 0, 1) ** 0.6
    colours = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO).astype(np.float64)
    weight = np.clip(share * 3, 0, 0.75)[..., None]
    picture[:] = (picture * (1 - weight) + colours * weight).astype(np.uint8)
    return warmest


def titled(picture: Image, title: str) -> Image:
    """The picture under a line of text."""
    band = np.full((MARGIN_PX + 8, picture.shape[1], 3), PAPER, np.uint8)
    cv2.putText(band, title, (10, MARGIN_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
    return np.vstack([band, picture])


def _label(picture: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _scale_bar(picture: Image, plan: Plan) -> None:
    height, width = picture.shape[:2]
    left, right, low = width - 20 - round(5 * plan.px_per_m), width - 20, height - 20
    cv2.line(picture, (left, low), (right, low), INK, 2, cv2.LINE_AA)
    for end in (left, right):
        cv2.line(picture, (end, low - 5), (end, low + 5), INK, 2, cv2.LINE_AA)
    _label(picture, "5 m", ((left + right) // 2 - 12, low - 8), INK)


def _ints(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
