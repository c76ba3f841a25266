"""Whether the cameras can see what they are to count: an entrance out of view would quietly count nobody."""

from __future__ import annotations

import numpy as np

from runtime.config.cameras import image_to_floor
from runtime.config.draft import Draft
from runtime.config.sections import Camera, Entrance
from runtime.geometry import GeometryError

LINE_SAMPLES = 21


def check_sight(draft: Draft) -> None:
    """Every entrance is watched by a camera that has a floor map and the line in its picture."""
    cameras = {camera.name: camera for _, camera in draft.cameras}
    if set(draft.names.get("cameras", [])) - set(cameras):
        return
    for index, entrance in draft.entrances:
        path = f"entrances[{index}].cameras"
        watching = [cameras[name] for name in entrance.cameras or cameras if name in cameras]
        mapped = [camera for camera in watching if camera.points or camera.homography is not None]
        blind = [camera for camera in watching if entrance.cameras and camera not in mapped]
        for camera in blind:
            wrong = f"camera {camera.name!r} has no floor map, so it cannot count"
            draft.note(path, wrong, "tagsight calibrate floor makes one")
        if watching and not mapped and not blind:
            draft.note(path, "no camera has a floor map", "tagsight calibrate floor makes one")
        elif mapped and not any(_may_see(camera, entrance) for camera in mapped):
            names = ", ".join(repr(camera.name) for camera in mapped)
            draft.note(
                path, f"the line is in the picture of none of {names}", "move the line, or name another"
            )


def _may_see(camera: Camera, entrance: Entrance) -> bool:
    """False only when the camera's map says for sure that no part of the line is in its picture."""
    try:
        floor_map = image_to_floor(camera)
    except GeometryError:
        return True
    if floor_map is None or camera.image_size is None:
        return True
    start, end = np.array(entrance.line)
    along = np.linspace(0, 1, LINE_SAMPLES)[:, None]
    pixels = floor_map.to_image(start + along * (end - start))
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0) & (pixels < np.array(camera.image_size))
    return bool(inside.all(axis=1).any())
