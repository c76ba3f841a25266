"""Drawing on a camera's frame: people, and the shop's floor laid into the scene through the homography.

`ScenePainter` knows one camera. Floor places are metres and are drawn in perspective; boxes are pixels of the
camera's frame. Small frames are enlarged first, so that lines are fine and text can be read. What lies
beyond the horizon or behind the camera is not drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from runtime.geometry import Floats, Homography, polygon_centre, signed_distance_m
from runtime.vision.pen import FLIP, GATE, INK, PAPER, RACK, ZONE, Colour, Image, Pen

Box = tuple[float, float, float, float]
FloorPoint = tuple[float, float]

ANTENNA: Colour = (200, 70, 190)
GRID: Colour = (225, 225, 140)

FULL_WIDTH_PX = 1280
"""Frames narrower than this are enlarged, by a whole factor."""

FOOT_RADIUS_M = 0.3
FLIP_RADIUS_M = 0.9
ANTENNA_RADIUS_M = 0.4
GRID_STEP_M = 0.25
GRID_NAMED = 4
"""One line in so many is named by its coordinate."""
GRID_LEAST_PX = 5
"""Where the floor's grid is finer than so many pixels it is not drawn."""
FLIP_SECONDS = 2.5
"""How long a flip's ring takes to spread and fade."""


def person_colour(number: int) -> Colour:
    """A colour for a track: neighbours in number are far apart in hue."""
    hue = int(number * 0.618034 * 180) % 180
    blue, green, red = cv2.cvtColor(np.array([[[hue, 165, 235]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


class ScenePainter:
    """Draws on frames of `size` (width, height); without a homography only people and text."""

    def __init__(self, size: tuple[int, int], homography: Homography | None = None) -> None:
        self.homography = homography
        self.zoom = max(1, round(FULL_WIDTH_PX / size[0]))
        self.size = size[0] * self.zoom, size[1] * self.zoom
        self._em = max(1.0, self.size[1] / 1000)
        self._pen = Pen(self._em)

    def canvas(self, frame: Image) -> Image:
        """A copy of the camera's frame to draw on, enlarged to `size`."""
        if self.zoom == 1:
            return np.array(frame, np.uint8)
        return np.asarray(cv2.resize(frame, self.size, interpolation=cv2.INTER_CUBIC), np.uint8)

    def zone(self, canvas: Image, name: str, polygon: Sequence[FloorPoint]) -> None:
        """A zone as a faint area with a thin outline and its name below the middle, free for a rack."""
        outline = self._outline(polygon)
        self._pen.wash(canvas, outline, ZONE, 0.16)
        self._pen.stroke(canvas, outline, ZONE, 1.6, closed=True)
        self._name(canvas, name, polygon_centre(polygon), ZONE, lift=-26)

    def gate(
        self,
        canvas: Image,
        name: str,
        line: tuple[FloorPoint, FloorPoint],
        inside: FloorPoint,
        through: tuple[int, int] | None = None,
    ) -> None:
        """An entrance line with an arrow to its inner side, and how many came in and went out."""
        self._pen.stroke(canvas, self._path(line), GATE, 4.0)
        start, end = np.asarray(line[0]), np.asarray(line[1])
        middle = (start + end) / 2
        along = (end - start) / np.linalg.norm(end - start)
        inward = np.array([-along[1], along[0]]) * np.sign(signed_distance_m(inside, line)[0])
        shaft = self._path([tuple(middle), tuple(middle + 1.2 * inward)])
        self._pen.stroke(canvas, shaft, GATE, 3.0)
        head = [
            middle + 0.8 * inward + 0.3 * along,
            middle + 1.2 * inward,
            middle + 0.8 * inward - 0.3 * along,
        ]
        self._pen.stroke(canvas, self._path([tuple(point) for point in head]), GATE, 3.0)
        counts = "" if through is None else f"  {through[0]} in  {through[1]} out"
        self._name(canvas, name + counts, line[0], GATE)

    def rack(self, canvas: Image, name: str, outline: Sequence[FloorPoint]) -> None:
        """A fixture: its outline on the floor, or a 0.8 m square around its one point, and its name."""
        corners = list(outline)
        if len(corners) == 1:
            x, y = corners[0]
            corners = [(x + dx, y + dy) for dx, dy in ((-0.4, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.4, 0.4))]
        drawn = self._outline(corners)
        self._pen.wash(canvas, drawn, RACK, 0.45)
        self._pen.stroke(canvas, drawn, PAPER, 3.5, closed=True)
        self._pen.stroke(canvas, drawn, RACK, 2.0, closed=True)
        self._name(canvas, name, polygon_centre(corners), RACK, lift=16)

    def antenna(self, canvas: Image, name: str, at: FloorPoint) -> None:
        """A reader's antenna: a ring on the floor below it, and its name."""
        ring = self._circle(at, ANTENNA_RADIUS_M)
        self._pen.stroke(canvas, ring, PAPER, 3.5, closed=True)
        self._pen.stroke(canvas, ring, ANTENNA, 2.0, closed=True)
        self._name(canvas, name, at, ANTENNA, lift=26)

    def grid(self, canvas: Image, spacing_m: float, extent_m: tuple[float, float, float, float]) -> None:
        """The floor's metres: a line every `spacing_m` of the plan, as far as lines can be told apart."""
        x0, y0, x1, y1 = extent_m
        for low, high, start, end, turned in ((x0, x1, y0, y1, False), (y0, y1, x0, x1, True)):
            along = np.arange(start, end + GRID_STEP_M, GRID_STEP_M).clip(start, end)
            for value in np.arange(np.ceil(low / spacing_m), np.floor(high / spacing_m) + 1) * spacing_m:
                places = np.column_stack([np.full(len(along), value), along])
                parts = self._near_parts(places[:, ::-1] if turned else places, spacing_m)
                for part in parts:
                    self._pen.stroke(canvas, part, GRID, 1.0)
                if value % (GRID_NAMED * spacing_m) == 0:
                    self._name_line(canvas, f"{'y' if turned else 'x'} {value:g}", parts)

    def _name_line(self, canvas: Image, text: str, parts: list[Floats]) -> None:
        """The coordinate of a line of the grid, where the line is lowest in the frame."""
        points = np.concatenate([*parts, np.empty((0, 2))])
        margin = 20 * self._em
        inside = points[((points > margin) & (points < np.array(self.size) - margin)).all(axis=1)]
        if len(inside):
            low = inside[np.argmax(inside[:, 1])]
            self._pen.tag(canvas, text, (float(low[0]), float(low[1])), GRID)

    def point(self, canvas: Image, name: str, pixel: tuple[float, float]) -> None:
        """A measured place, by its pixel of the camera's frame."""
        centre = np.array(pixel) * self.zoom
        turn = np.linspace(0, 2 * np.pi, 17)
        ring = centre + 6 * self._em * np.column_stack([np.cos(turn), np.sin(turn)])
        self._pen.stroke(canvas, ring, INK, 4.0, closed=True)
        self._pen.stroke(canvas, ring, PAPER, 2.0, closed=True)
        self._pen.tag(canvas, name, (centre[0] + 8 * self._em, centre[1] - 8 * self._em), PAPER)

    def link(self, canvas: Image, person: FloorPoint, rack: FloorPoint) -> None:
        """A line on the floor from a person to the rack of the garment they turned."""
        line = self._path([person, rack])
        self._pen.stroke(canvas, line, INK, 5.0)
        self._pen.stroke(canvas, line, FLIP, 3.0)

    def flip(self, canvas: Image, at: FloorPoint, text: str, age_s: float, right: bool | None = None) -> None:
        """A tag was turned over at a place `age_s` ago: a ring that spreads on the floor, and what it was.

        A tick or a cross says whether that is `right`, where it is known.
        """
        share = age_s / FLIP_SECONDS
        if not 0 <= share <= 1:
            return
        ring = self._circle(at, FLIP_RADIUS_M * (0.3 + 0.7 * share))
        self._pen.wash(canvas, ring, FLIP, 0.35 * (1 - share))
        self._pen.stroke(canvas, ring, FLIP, 1.0 + 3.0 * (1 - share), closed=True)
        self._name(canvas, text, at, FLIP, lift=-44, right=right)

    def trail(self, canvas: Image, track: int, places: Sequence[FloorPoint]) -> None:
        """Where a person walked, oldest first, growing fainter into the past."""
        if self.homography is None or len(places) < 2:
            return
        points = self.homography.to_image(np.asarray(places)) * self.zoom
        colour = np.array(person_colour(track), np.float64)
        for step in range(1, len(points)):
            part = points[step - 1 : step + 1]
            faded = colour * (0.35 + 0.65 * step / len(points))
            self._pen.stroke(canvas, part, (int(faded[0]), int(faded[1]), int(faded[2])), 2.0)

    def person(
        self,
        canvas: Image,
        track: int,
        box: Box,
        floor_xy_m: FloorPoint | None,
        label: str | None = None,
    ) -> None:
        """A person: corners of the box, a disc under the feet, and a label (else track and place)."""
        colour = person_colour(track)
        if floor_xy_m is not None and self.homography is not None:
            disc = self._circle(floor_xy_m, FOOT_RADIUS_M)
            self._pen.wash(canvas, disc, colour, 0.4)
            self._pen.stroke(canvas, disc, colour, 1.5, closed=True)
        self._corners(canvas, box, colour)
        if label is None:
            label = f"{track}" + (f"  {floor_xy_m[0]:.1f}, {floor_xy_m[1]:.1f} m" if floor_xy_m else "")
        if label:
            self._pen.tag(canvas, label, (box[0] * self.zoom, box[1] * self.zoom - 4 * self._em), colour)

    def panel(self, canvas: Image, lines: Sequence[str], rights: Sequence[bool | None] = ()) -> None:
        """Lines of text on a dark plate in the lower left corner, ticked or crossed as `rights` say."""
        self._pen.panel(canvas, lines, rights)

    def legend(self, canvas: Image) -> None:
        """What the colours and signs stand for, on a dark plate in the lower right corner."""
        self._pen.legend(canvas)

    def _outline(self, polygon: Sequence[FloorPoint]) -> Floats:
        return self._path([*polygon, polygon[0]])

    def _circle(self, centre: FloorPoint, radius_m: float) -> Floats:
        turn = np.linspace(0, 2 * np.pi, 33)
        return self._pixels(
            np.stack([centre[0] + radius_m * np.cos(turn), centre[1] + radius_m * np.sin(turn)], 1)
        )

    def _path(self, places: Sequence[FloorPoint]) -> Floats:
        """Canvas pixels of a path on the floor, with a point every half metre so that clipping is gentle."""
        steps = [np.asarray(places[:1], np.float64)]
        for start, end in itertools.pairwise(places):
            count = max(1, int(np.hypot(end[0] - start[0], end[1] - start[1]) / 0.5))
            share = np.linspace(0, 1, count + 1)[1:, None]
            steps.append((1 - share) * np.asarray(start) + share * np.asarray(end))
        return self._pixels(np.concatenate(steps))

    def _pixels(self, places: Floats) -> Floats:
        if self.homography is None:
            return np.zeros((0, 2))
        pixels = self.homography.to_image(places) * self.zoom
        found: Floats = pixels[np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < 16_000).all(axis=1)]
        return found

    def _near_parts(self, places: Floats, spacing_m: float) -> list[Floats]:
        """Canvas pixels of those stretches of a floor line that lie in the frame and not too far off."""
        if self.homography is None:
            return []
        pixels = self.homography.to_image(places)
        with np.errstate(invalid="ignore"):
            scale = self.homography.metres_per_pixel(pixels)
            inside = (pixels > -self.size[0]).all(axis=1) & (pixels < 2 * self.size[0]).all(axis=1)
            near = inside & (scale * GRID_LEAST_PX < spacing_m)
        cuts = np.flatnonzero(np.diff(near)) + 1
        parts = np.split(np.arange(len(places)), cuts)
        return [pixels[part] * self.zoom for part in parts if near[part[0]]]

    def _corners(self, canvas: Image, box: Box, colour: Colour) -> None:
        left, top, width, height = (edge * self.zoom for edge in box)
        right, bottom = left + width, top + height
        arm = min(width, height) * 0.28
        for u, v, du, dv in (
            (left, top, arm, arm),
            (right, top, -arm, arm),
            (right, bottom, -arm, -arm),
            (left, bottom, arm, -arm),
        ):
            corner = np.array([[u + du, v], [u, v], [u, v + dv]])
            self._pen.stroke(canvas, corner, INK, 3.6)
            self._pen.stroke(canvas, corner, colour, 2.0)

    def _name(
        self,
        canvas: Image,
        text: str,
        place: FloorPoint,
        colour: Colour,
        lift: int = 0,
        right: bool | None = None,
    ) -> None:
        pixels = self._pixels(np.asarray([place], np.float64))
        if len(pixels) and text and (pixels[0] >= 0).all() and (pixels[0] < self.size).all():
            width = self._pen.text_size(text, 0.45)[0]
            self._pen.tag(
                canvas, text, (pixels[0, 0] - width / 2, pixels[0, 1] - lift * self._em), colour, right
            )
