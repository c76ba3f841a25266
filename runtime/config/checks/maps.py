"""Whether a camera's map from frame to floor can be that of a camera that looks down on the floor."""

from __future__ import annotations

import numpy as np

from runtime.config.cameras import image_to_floor
from runtime.config.checks.points import check_points, check_spread, likely_swap
from runtime.config.parsing.draft import Draft
from runtime.config.sections import Camera
from runtime.geometry import GeometryError, Homography, in_polygon

WORST_POINT_M = 1.0
HORIZON_BELOW_MIDDLE = 0.05
"""How far below the middle of the frame the horizon may run, as a share of its height: a camera at the
height of a head may look straight ahead, none looks up."""
MEASURE = "tagsight calibrate floor measures and draws it"
MIRRORED = (
    "on the plan, seen from above, x grows to the right and y downwards: x and y were swapped, or one of "
    "them was counted the other way"
)


def check_maps(draft: Draft) -> None:
    """The floor maps of all cameras. No camera above a floor sees it mirrored."""
    maps = []
    for index, camera in draft.cameras:
        path = f"cameras[{index}]"
        floor_map = _check_map(draft, camera, path)
        if floor_map is not None:
            maps.append((camera, f"{path}.{_map_key(camera)}", _is_mirrored(floor_map, camera)))
    mixed = len({mirrored for _, _, mirrored in maps}) == 2
    for camera, place, mirrored in maps:
        if mirrored:
            against = "" if not mixed else ", and others do not"
            wrong = f"camera {camera.name!r} sees the floor mirrored{against}"
            on_its_side = "" if camera.points else "; a camera that hangs on its side needs points"
            draft.note(place, wrong, f"{MIRRORED}{on_its_side}", "refused" if mixed else "tolerated")


def _map_key(camera: Camera) -> str:
    return "points" if camera.points else "homography"


def _check_map(draft: Draft, camera: Camera, path: str) -> Homography | None:
    """The camera's floor map when it is sound, None when there is none or it was noted as a mistake."""
    if camera.points and camera.homography is not None:
        wrong, right = "both points and homography", "keep the points: the map is fitted to them"
        draft.note(f"{path}.points", wrong, right)
        return None
    place = f"{path}.{_map_key(camera)}"
    before = len(draft.notes.mistakes)
    check_points(draft, camera, place)
    if len(draft.notes.mistakes) > before:
        return None
    try:
        floor_map = image_to_floor(camera)
    except GeometryError as error:
        draft.note(place, str(error), likely_swap(camera.points) or MEASURE)
        return None
    if floor_map is None:
        return None
    _check_misses(draft, camera, floor_map, place)
    check_spread(draft, camera.points, place)
    _check_horizon(draft, camera, floor_map, place)
    return floor_map if len(draft.notes.mistakes) == before else None


def _check_misses(draft: Draft, camera: Camera, floor_map: Homography, place: str) -> None:
    for number, pair in enumerate(camera.points):
        found = floor_map.to_floor(pair.image)[0]
        error_m = float(np.hypot(*(found - np.array(pair.floor))))
        if not error_m <= WORST_POINT_M:
            wrong = f"the fitted floor map misses this point by {error_m:.1f} m"
            right = likely_swap(camera.points) or "its picture or floor position is wrong, or another's"
            draft.note(f"{place}[{number}]", wrong, right)


def _check_horizon(draft: Draft, camera: Camera, floor_map: Homography, place: str) -> None:
    """The camera looks down, however it is turned, and sees some of the plan."""
    if camera.image_size is None:
        return
    width, height = camera.image_size
    slope = floor_map.matrix[2, :2]
    middle = float(slope @ (width / 2, height / 2) + floor_map.matrix[2, 2])
    steep = float(np.hypot(*slope))
    if middle < -HORIZON_BELOW_MIDDLE * height * steep:
        draft.note(
            place, "the horizon runs through the lower half of the picture", "measure the points again"
        )
    elif draft.floor is not None and draft.floor.extent_m is not None:
        u, v = np.meshgrid(np.linspace(0, width - 1, 17), np.linspace(0, height - 1, 17))
        seen = floor_map.to_floor(np.stack([u.ravel(), v.ravel()], axis=1))
        x0, y0, x1, y1 = draft.floor.extent_m
        if not in_polygon(seen, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]).any():
            draft.note(place, "the camera sees nothing of the floor plan", "measure in the plan's own metres")


def _is_mirrored(floor_map: Homography, camera: Camera) -> bool:
    """Whether left and right are swapped between frame and plan: the sign of the map's orientation.

    The same on the whole floor in view: the determinant of the map's Jacobian is that of its matrix over the
    third power of a pixel's weight, which is positive on the floor.
    """
    return bool(np.linalg.det(floor_map.matrix) < 0)
