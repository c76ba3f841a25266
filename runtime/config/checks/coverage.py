"""Whether the cameras can see what they are to count: what is out of view would quietly count nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.config.cameras import image_to_floor
from runtime.config.parsing.draft import Draft
from runtime.config.sections import Camera, Entrance, Fixture
from runtime.geometry import Bools, Floats, GeometryError, Homography, in_polygon

LINE_SAMPLES = 21
AREA_SAMPLES = 15
LEAST_SHARE_OF_A_LINE = 0.5
REACH_M = 1.5
"""Who handles a garment stands so near to its rack."""


def check_view(draft: Draft) -> None:
    """Every entrance is watched by a camera that has a floor map and the line in its frame."""
    cameras = {camera.name: camera for _, camera in draft.cameras}
    if set(draft.names.get("cameras", [])) - set(cameras):
        return
    for index, entrance in draft.entrances:
        path = f"entrances[{index}].cameras"
        watching = [cameras[name] for name in entrance.cameras or cameras if name in cameras]
        mapped = [camera for camera in watching if _has_map(camera)]
        blind = [camera for camera in watching if entrance.cameras and camera not in mapped]
        for camera in blind:
            wrong = f"camera {camera.name!r} has no floor map, so it cannot count"
            draft.note(path, wrong, "tagsight calibrate floor makes one")
        if watching and not mapped and not blind:
            draft.note(path, "no camera has a floor map", "tagsight calibrate floor makes one")
        elif mapped:
            _check_line(draft, entrance, mapped, path)
    _check_areas(draft, [camera for camera in cameras.values() if _has_map(camera)])


def _has_map(camera: Camera) -> bool:
    return bool(camera.points) or camera.homography is not None


def _check_line(draft: Draft, entrance: Entrance, cameras: Sequence[Camera], path: str) -> None:
    start, end = np.array(entrance.line)
    line = start + np.linspace(0, 1, LINE_SAMPLES)[:, None] * (end - start)
    share = float(_may_see(cameras, line).mean())
    names = ", ".join(repr(camera.name) for camera in cameras)
    if share == 0:
        draft.note(path, f"the line is in the picture of none of {names}", "move the line, or name another")
    elif share < LEAST_SHARE_OF_A_LINE:
        wrong = f"only {share:.0%} of the line is in the picture of {names}"
        draft.note(path, wrong, "turn the camera or add one: who crosses the rest is not counted", "remark")


def _check_areas(draft: Draft, cameras: Sequence[Camera]) -> None:
    """Zones and racks that no camera sees. Fitting rooms are not to be seen."""
    if not cameras:
        return
    named = ", ".join(repr(camera.name) for camera in cameras)
    for index, zone in draft.zones:
        if zone.kind == "area" and not _may_see(cameras, _places_in(np.array(zone.polygon))).any():
            wrong = f"zone {zone.name!r} is in the picture of none of {named}"
            draft.note(f"zones[{index}].polygon", wrong, "nobody is counted there", "remark")
    for index, fixture in draft.fixtures:
        if fixture.kind == "rack" and not _may_see(cameras, _places_around(fixture)).any():
            wrong = f"rack {fixture.name!r} is in the picture of none of {named}"
            right = "nobody is matched with its garments"
            place = "at" if fixture.at is not None else "polygon"
            draft.note(f"fixtures[{index}].{place}", wrong, right, "remark")


def _places_in(polygon: Floats) -> Floats:
    """Corners and a grid of places (n, 2) inside."""
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    x, y = np.meshgrid(np.linspace(x0, x1, AREA_SAMPLES), np.linspace(y0, y1, AREA_SAMPLES))
    grid = np.column_stack([x.ravel(), y.ravel()])
    return np.concatenate([polygon, grid[in_polygon(grid, polygon)]])


def _places_around(fixture: Fixture) -> Floats:
    """Where people stand who handle what hangs there."""
    if fixture.at is None and fixture.polygon is None:
        return np.empty((0, 2))
    middle = np.array(fixture.centre())
    corners = np.array(fixture.polygon) if fixture.polygon is not None else middle[None]
    half = np.abs(corners - middle).max(axis=0) + REACH_M
    return _places_in(middle + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]))


def _may_see(cameras: Sequence[Camera], places: Floats) -> Bools:
    """Which places (n, 2) are in the frame of any camera, as far as its map can say that they are not."""
    seen: Bools = np.zeros(len(places), dtype=np.bool_)
    for camera in cameras:
        try:
            floor_map = image_to_floor(camera)
        except GeometryError:
            floor_map = None
        if floor_map is None or camera.image_size is None:
            return np.ones(len(places), dtype=np.bool_)
        seen[in_frame(floor_map, places, camera.image_size)] = True
    return seen


def in_frame(floor_map: Homography, places: Floats, size: tuple[int, int]) -> Bools:
    """Which floor places (n, 2) lie in a frame of (width, height)."""
    pixels = floor_map.to_image(places)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0) & (pixels < np.array(size))
    return np.asarray(inside.all(axis=1))
