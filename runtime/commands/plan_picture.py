"""The store's plan from above, as configured: grid, zones, racks, antennas, entrances, what cameras see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from runtime.config import StoreConfig, image_to_floor
from runtime.geometry import Floats, GeometryError, polygon_centre, signed_distance_m
from tagsight.errors import TagsightError

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

LONG_SIDE_PX = 1400
MARGIN_PX = 60
LEGEND_ROW_PX = 24
PAPER: Colour = (250, 250, 248)
INK: Colour = (50, 42, 38)
FINE: Colour = (228, 226, 224)
STRONG: Colour = (196, 192, 188)
ZONE: Colour = (190, 140, 50)
GATE: Colour = (60, 60, 215)
RACK: Colour = (50, 140, 40)
ANTENNA: Colour = (170, 60, 150)
VIEW: Sequence[Colour] = (
    (30, 140, 235),
    (140, 110, 60),
    (150, 90, 190),
    (60, 170, 170),
    (90, 90, 90),
    (40, 90, 160),
)
"""Of cameras, by their order."""
FINE_M = (1, 2, 5, 10, 50, 100, 1_000, 10_000)
FINE_LINE_LEAST_PX = 12
ARROW_M = 0.9
FONT = cv2.FONT_HERSHEY_SIMPLEX


class PlanPicture:
    """The plan being drawn; `image` is the picture (H, W, 3) BGR so far."""

    def __init__(self, store: StoreConfig) -> None:
        self._store = store
        x0, y0, x1, y1 = store.floor.extent()
        self._origin = x0, y0
        self.px_per_m = LONG_SIDE_PX / max(x1 - x0, y1 - y0)
        self._size = max(1, round((x1 - x0) * self.px_per_m)), max(1, round((y1 - y0) * self.px_per_m))
        self._legend: list[tuple[Colour, str]] = []
        width, height = self._size
        self.image: Image = np.full((height + 2 * MARGIN_PX, width + 2 * MARGIN_PX, 3), PAPER, np.uint8)

    def draw(self) -> Image:
        """Everything on it, with a legend below."""
        self._ground()
        self._grid()
        self._sights()
        for zone in self._store.zones:
            self._area(zone.polygon, ZONE, 0.14, dashed=zone.kind == "fitting_room")
        for fixture in self._store.fixtures:
            self._area(fixture.polygon or _square(fixture.centre()), RACK, 0.4)
        for entrance in self._store.entrances:
            self._gate(entrance.line, entrance.inside)
        self._names()
        return self._with_legend()

    def px(self, place: Point) -> tuple[int, int]:
        """The pixel of a place on the floor."""
        u = (place[0] - self._origin[0]) * self.px_per_m + MARGIN_PX
        v = (place[1] - self._origin[1]) * self.px_per_m + MARGIN_PX
        return round(u), round(v)

    def _ground(self) -> None:
        """The drawing of the floor, paled."""
        file = self._store.floor.image
        if file is None:
            return
        drawing = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if drawing is None:
            raise TagsightError(f"{file}: not a picture that can be read; PNG or JPEG is right")
        laid = cv2.resize(drawing, self._size, interpolation=cv2.INTER_AREA)
        width, height = self._size
        part = self.image[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]
        cv2.addWeighted(laid, 0.5, part, 0.5, 0, dst=part)

    def _grid(self) -> None:
        """Lines at whole metres with their coordinates at the edges."""
        x0, y0, x1, y1 = self._store.floor.extent()
        fine_m = next(
            step for step in (1, 2, 5, 10, 50, 100, 1000) if step * self.px_per_m >= FINE_LINE_LEAST_PX
        )
        strong_m = 5 * fine_m
        for spacing, colour in ((fine_m, FINE), (strong_m, STRONG)):
            for x in _multiples(x0, x1, spacing):
                cv2.line(self.image, self.px((x, y0)), self.px((x, y1)), colour, 1)
            for y in _multiples(y0, y1, spacing):
                cv2.line(self.image, self.px((x0, y)), self.px((x1, y)), colour, 1)
        for x in _multiples(x0, x1, strong_m):
            self._text(f"x {x:g}", (self.px((x, y0))[0] - 12, MARGIN_PX - 10), INK)
        for y in _multiples(y0, y1, strong_m):
            self._text(f"y {y:g}", (8, self.px((x0, y))[1] + 5), INK)
        cv2.rectangle(self.image, self.px((x0, y0)), self.px((x1, y1)), INK, 1)
        self._legend.append((STRONG, f"a line every {fine_m:g} m, a strong one every {strong_m:g} m"))

    def _sights(self) -> None:
        """The floor in each camera's picture, outlined."""
        for number, camera in enumerate(self._store.cameras):
            colour = VIEW[number % len(VIEW)]
            seen = _floor_in_frame(self._store, number)
            if seen is None:
                self._legend.append((colour, f"camera {camera.name}: no floor map, or no image_size"))
                continue
            outline = np.array([self.px((x, y)) for x, y in seen.tolist()], np.int32)
            self._wash(outline, colour, 0.07)
            cv2.polylines(self.image, [outline], True, colour, 2, cv2.LINE_AA)
            self._legend.append((colour, f"floor in the picture of camera {camera.name}"))

    def _area(self, polygon: Sequence[Point], colour: Colour, strength: float, dashed: bool = False) -> None:
        outline = np.array([self.px(corner) for corner in polygon], np.int32)
        self._wash(outline, colour, strength)
        if not dashed:
            cv2.polylines(self.image, [outline], True, colour, 2, cv2.LINE_AA)
            return
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            steps = max(2, int(np.linalg.norm(end - start) / 8))
            at = np.linspace(start, end, steps + 1).round().astype(int)
            for one in range(0, steps, 2):
                cv2.line(self.image, at[one].tolist(), at[one + 1].tolist(), colour, 2, cv2.LINE_AA)

    def _gate(self, line: tuple[Point, Point], inside: Point) -> None:
        start, end = np.array(line[0]), np.array(line[1])
        along = (end - start) / np.linalg.norm(end - start)
        inward = np.array([-along[1], along[0]]) * np.sign(signed_distance_m(inside, line)[0])
        middle = (start + end) / 2
        cv2.line(self.image, self.px(line[0]), self.px(line[1]), GATE, 4, cv2.LINE_AA)
        tip = middle + ARROW_M * inward
        ends = self.px((middle[0], middle[1])), self.px((tip[0], tip[1]))
        cv2.arrowedLine(self.image, *ends, GATE, 3, cv2.LINE_AA, tipLength=0.4)

    def _names(self) -> None:
        """Over all else, so that none is hidden; antennas with theirs."""
        for zone in self._store.zones:
            self._text(zone.name, self.px(polygon_centre(zone.polygon)), ZONE, centred=True)
        for fixture in self._store.fixtures:
            u, v = self.px(fixture.centre())
            low = max(
                (self.px(corner)[1] for corner in fixture.polygon or _square(fixture.centre())), default=v
            )
            self._text(fixture.name, (u, low + 16), RACK, centred=True)
        for entrance in self._store.entrances:
            u, v = self.px(entrance.line[0])
            self._text(entrance.name, (u, v - 8), GATE)
        unplaced = []
        for reader in self._store.readers:
            for antenna in reader.antennas:
                if antenna.at is None:
                    unplaced.append(f"{reader.name}:{antenna.port}")
                    continue
                u, v = self.px(antenna.at)
                cv2.drawMarker(self.image, (u, v), ANTENNA, cv2.MARKER_TRIANGLE_UP, 18, 2, cv2.LINE_AA)
                self._text(f"{antenna.port} {antenna.name}", (u + 12, v - 6), ANTENNA)
        elsewhere = f"; without a place: {', '.join(unplaced)}" if unplaced else ""
        self._legend += [
            (ZONE, "zone (dashed: fitting room)"),
            (RACK, "rack or fitting room with articles"),
            (GATE, "entrance, the arrow points inside"),
            (
                ANTENNA,
                f"antenna: port and name{elsewhere}",
            ),
        ]

    def _with_legend(self) -> Image:
        x0, y0, x1, y1 = self._store.floor.extent()
        title = f"{self._store.site.name}: x {x0:g} to {x1:g} m, y {y0:g} to {y1:g} m"
        width = self.image.shape[1]
        strip = np.full((LEGEND_ROW_PX * (len(self._legend) + 2), width, 3), PAPER, np.uint8)
        _write(strip, title, (16, LEGEND_ROW_PX), INK, 0.6)
        for row, (colour, text) in enumerate(self._legend, start=2):
            low = LEGEND_ROW_PX * row
            cv2.rectangle(strip, (16, low - 11), (36, low + 1), colour, -1)
            _write(strip, text, (46, low), INK)
        return np.asarray(np.vstack([self.image, strip]), np.uint8)

    def _wash(self, outline: npt.NDArray[np.int32], colour: Colour, strength: float) -> None:
        tinted = self.image.copy()
        cv2.fillPoly(tinted, [outline], colour, cv2.LINE_AA)
        cv2.addWeighted(tinted, strength, self.image, 1 - strength, 0, dst=self.image)

    def _text(self, text: str, at: tuple[int, int], colour: Colour, centred: bool = False) -> None:
        width = cv2.getTextSize(text, FONT, 0.45, 1)[0][0]
        left = at[0] - width // 2 if centred else at[0]
        left = int(np.clip(left, 2, max(2, self.image.shape[1] - width - 2)))
        plate = self.image[max(0, at[1] - 12) : at[1] + 4, left - 2 : left + width + 2]
        plate[:] = (plate * 0.25 + np.array(PAPER) * 0.75).astype(np.uint8)
        _write(self.image, text, (left, at[1]), colour)


def _floor_in_frame(store: StoreConfig, number: int) -> Floats | None:
    """The outline (n, 2) of the plan's part in a camera's picture, None where that is not known."""
    camera = store.cameras[number]
    try:
        floor_map = image_to_floor(camera)
    except GeometryError:
        return None
    if floor_map is None or camera.image_size is None:
        return None
    x0, y0, x1, y1 = store.floor.extent()
    outline = floor_map.floor_in_frame([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], camera.image_size)
    return outline if len(outline) else None


def _square(centre: Point, half_m: float = 0.3) -> list[Point]:
    x, y = centre
    return [
        (x + dx, y + dy)
        for dx, dy in ((-half_m, -half_m), (half_m, -half_m), (half_m, half_m), (-half_m, half_m))
    ]


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [step * count for count in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _write(image: Image, text: str, at: tuple[int, int], colour: Colour, size: float = 0.45) -> None:
    cv2.putText(image, text, at, FONT, size, colour, 1, cv2.LINE_AA)
