"""A camera's picture with the store's floor in it, as configured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from runtime.config import Camera, Entrance, StoreConfig, image_to_floor
from runtime.geometry import GeometryError, Homography
from runtime.vision.draw import ScenePainter

Image = npt.NDArray[np.uint8]

PAPER_BGR = (120, 120, 120)
GRID_BGR = (140, 140, 140)
GRID_EVERY_PX = 60
SPACINGS_M = (0.5, 1.0, 2.0, 5.0, 10.0)
LEAST_SPACING_PX = 18


def plain_frame(size: tuple[int, int]) -> Image:
    """Grey, with a line every GRID_EVERY_PX pixels, of (width, height): where no picture is to be had."""
    width, height = size
    picture = np.full((height, width, 3), PAPER_BGR, np.uint8)
    picture[::GRID_EVERY_PX] = GRID_BGR
    picture[:, ::GRID_EVERY_PX] = GRID_BGR
    return picture


def entrances_of(store: StoreConfig, camera: Camera) -> Iterator[Entrance]:
    """The entrances that a camera counts at."""
    for entrance in store.entrances:
        if not entrance.cameras or camera.name in entrance.cameras:
            yield entrance


def draw_view(picture: Image, store: StoreConfig, camera: Camera, whence: str) -> Image:
    """The picture with floor grid, zones, racks, antennas, this camera's entrances and its measured points.

    `whence` says where the picture is from.
    """
    size = int(picture.shape[1]), int(picture.shape[0])
    told = [f"{camera.name}: {whence}, {size[0]} x {size[1]}"]
    try:
        floor_map = image_to_floor(camera, size)
    except GeometryError as error:
        floor_map = None
        told.append(str(error))
    painter = ScenePainter(size, floor_map)
    canvas = painter.canvas(picture)
    if floor_map is None:
        told.append("no floor map: tagsight calibrate floor makes one")
    else:
        spacing_m = _spacing_m(floor_map, size)
        painter.grid(canvas, spacing_m, store.floor.extent())
        told.append(f"floor grid: a line every {spacing_m:g} m; {_misses(camera)}")
        _draw_floor(painter, canvas, store, camera)
    if camera.image_size is not None and camera.image_size != size:
        told.append("its floor map, measured at {} x {}, is scaled".format(*camera.image_size))
    for number, pair in enumerate(camera.points):
        scale = 1.0 if camera.image_size is None else size[0] / camera.image_size[0]
        painter.point(canvas, f"points[{number}]", (pair.image[0] * scale, pair.image[1] * scale))
    painter.panel(canvas, told)
    return canvas


def _draw_floor(painter: ScenePainter, canvas: Image, store: StoreConfig, camera: Camera) -> None:
    for zone in store.zones:
        painter.zone(canvas, zone.name, zone.polygon)
    for fixture in store.fixtures:
        painter.rack(canvas, fixture.name, fixture.polygon or [fixture.centre()])
    for reader in store.readers:
        for antenna in reader.antennas:
            if antenna.at is not None:
                painter.antenna(canvas, f"{antenna.port} {antenna.name}", antenna.at)
    for entrance in entrances_of(store, camera):
        painter.gate(canvas, entrance.name, entrance.line, entrance.inside)


def _spacing_m(floor_map: Homography, size: tuple[int, int]) -> float:
    """The finest spacing that leaves room between lines where most of the floor is."""
    u, v = np.meshgrid(np.linspace(0, size[0] - 1, 12), np.linspace(0, size[1] - 1, 12))
    with np.errstate(invalid="ignore"):
        scale = floor_map.metres_per_pixel(np.column_stack([u.ravel(), v.ravel()]))
    seen = scale[np.isfinite(scale)]
    middle = float(np.median(seen)) if len(seen) else 1.0
    return next((spacing for spacing in SPACINGS_M if spacing >= LEAST_SPACING_PX * middle), SPACINGS_M[-1])


def _misses(camera: Camera) -> str:
    """How well the map fits its points, in words."""
    if not camera.points:
        return "map given as a homography"
    floor_map = image_to_floor(camera)
    assert floor_map is not None
    image = np.array([pair.image for pair in camera.points])
    floor = np.array([pair.floor for pair in camera.points])
    worst_cm = float(np.linalg.norm(floor_map.to_floor(image) - floor, axis=1).max()) * 100
    return f"map of {len(camera.points)} points, the worst missed by {worst_cm:.1f} cm"
