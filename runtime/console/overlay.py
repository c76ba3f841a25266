"""What is drawn on a camera's picture: entrances, zones, people with the ids that the plan has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from runtime.console.blurring import Box, Image
from runtime.console.shown import ShownCamera, ShownStore
from runtime.geometry import Floats, GeometryError, Homography

ACCENT, SOFT, DARK = (193, 209, 79), (200, 200, 200), (30, 30, 30)
"""Blue, green, red."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
FINE_M = 0.5
"""Lines are drawn in steps of so much, for a piece of one may lie behind the camera."""


def draw_floor(image: Image, camera: ShownCamera, shown: ShownStore) -> None:
    """Entrances and zones where they lie in the picture, in place; nothing without a map to the floor."""
    height, width = image.shape[:2]
    if camera.floor_map is None:
        return
    scale = np.ones(3) if camera.image_size is None else np.array([camera.image_size[0] / width] * 2 + [1.0])
    try:
        floor = Homography(np.array(camera.floor_map) @ np.diag(scale), (width / 2, height - 1.0))
    except GeometryError:
        return
    for zone in shown.zones:
        corners = [*zone.polygon, zone.polygon[0]]
        for begin, end in itertools.pairwise(corners):
            _draw_line(image, floor, begin, end, SOFT, 1)
    for entrance in shown.entrances:
        _draw_line(image, floor, *entrance.line, ACCENT, 2)


def draw_people(image: Image, people: Sequence[tuple[str, Box]]) -> None:
    """A box and the short id of each, in place."""
    for name, (left, top, width, height) in people:
        first, second = (round(left), round(top)), (round(left + width), round(top + height))
        cv2.rectangle(image, first, second, ACCENT, 1, cv2.LINE_AA)
        if name:
            at = (first[0], max(12, first[1] - 4))
            cv2.putText(image, name, at, FONT, 0.42, DARK, 3, cv2.LINE_AA)
            cv2.putText(image, name, at, FONT, 0.42, (255, 255, 255), 1, cv2.LINE_AA)


def words_picture(lines: Sequence[str]) -> bytes:
    """A picture that says something instead, as JPEG."""
    image = np.full((270, 480, 3), 40, np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(image, line, (20, 130 + 26 * number), FONT, 0.55, (230, 230, 230), 1, cv2.LINE_AA)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def _draw_line(
    image: Image,
    floor: Homography,
    begin: tuple[float, float],
    end: tuple[float, float],
    colour: tuple[int, int, int],
    thick: int,
) -> None:
    ends = np.array([begin, end], dtype=np.float64)
    steps = max(2, int(np.hypot(*(ends[1] - ends[0])) / FINE_M) + 1)
    points: Floats = floor.to_image(ends[0] + np.linspace(0, 1, steps)[:, None] * (ends[1] - ends[0]))
    limit = 4 * max(image.shape[:2])
    for one, other in itertools.pairwise(points):
        if np.isfinite((one, other)).all() and np.abs((one, other)).max() < limit:
            first, second = (tuple(round(value) for value in point) for point in (one, other))
            cv2.line(image, first, second, colour, thick, cv2.LINE_AA)
