"""From a staged scene to what the product and the simulated reader take: store.yaml, a scenario, people's
paths.

A scene's y grows away from the front wall; on a plan it grows downwards. So a plan has the back wall at its
top and y = depth - y of the scene. Neither the renderer nor the simulated reader knows of the other: this
joins them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.scene.courses import Trajectory
from engines.scene.optics import View
from engines.scene.spec import Scene, SceneCamera, SceneRack
from engines.scene.truth import door_line, handled, track
from runtime.geometry import Homography

Point = tuple[float, float]
PATH_STEP_S = 0.2
MARGIN_M = 0.5
OUTSIDE_M = 2.0
"""So much of the floor before the door is on the plan."""
RACK_HALF_DEPTH_M = 0.25
ENTRANCE_FPS, OTHER_FPS = 10.0, 5.0
FLOOR_GRID_M = 0.25


def plan_point(scene: Scene, point: Sequence[float]) -> list[float]:
    """A floor point of the scene on the plan, metres."""
    return [round(float(point[0]), 4), round(scene.room.size_m[1] - float(point[1]), 4)]


def plan_extent(scene: Scene) -> list[float]:
    """Left, top, right, bottom of the plan, metres."""
    width, depth = scene.room.size_m
    return [-MARGIN_M, -MARGIN_M, width + MARGIN_M, depth + OUTSIDE_M]


def scenario_of(scene: Scene, everybody: Sequence[Trajectory]) -> dict[str, Any]:
    """A scenario of the simulated reader: the scene's tags, people and turned garments, over and over."""
    racks = [rack for rack in scene.racks if rack.epcs()]
    return {
        "name": scene.name,
        "seed": scene.seed,
        "hop_plan": "etsi",
        "reader": {"antennas": max([4, *(antenna.port for antenna in scene.antennas)]), "mode": 0},
        "antennas": [
            {"port": antenna.port, "at": plan_point(scene, antenna.at), "height_m": antenna.height_m}
            for antenna in scene.antennas
        ],
        "racks": [
            {
                "name": rack.name,
                "at": plan_point(scene, rack.at),
                "heading_deg": -rack.heading_deg,
                "length_m": rack.length_m,
                "height_m": rack.height_m - 0.2,
                "tags": rack.epcs(),
            }
            for rack in racks
        ],
        "people": {
            "period_s": scene.seconds,
            "paths": [
                {"person": course.person.name, "points": _points(scene, course)} for course in everybody
            ],
        },
        "flips": {
            "given": [
                {
                    "rack": one.rack,
                    "tag": one.garment,
                    "start_s": round(one.start_s, 3),
                    "end_s": round(one.end_s, 3),
                    "person": one.person,
                }
                for one in handled(scene, everybody)
                if one.epc and one.end_s < scene.seconds
            ]
        },
    }


def write_paths(scene: Scene, everybody: Sequence[Trajectory], path: Path) -> None:
    """Where everybody is on the plan: CSV with columns time_s, person, x_m, y_m."""
    lines = ["time_s,person,x_m,y_m"]
    for course in everybody:
        lines += [
            f"{time_s:.1f},{course.person.name},{x_m:.3f},{y_m:.3f}"
            for time_s, x_m, y_m in _points(scene, course)
        ]
    path.write_text("\n".join(lines) + "\n")


def store_of(scene: Scene, uris: Mapping[str, str]) -> dict[str, Any]:
    """The scene's store.yaml, without reader port, uplink and state folder: `uris` is camera -> URI."""
    entrance_cameras = [scene.cameras[0].name]
    entrances = []
    for door in scene.doors:
        first, second, inside = (plan_point(scene, point) for point in door_line(scene, door))
        entrances.append(
            {"name": door.name, "line": [first, second], "inside": inside, "cameras": entrance_cameras}
        )
    return {
        "site": {"name": scene.name, "device": "demo-box", "timezone": "Europe/London"},
        "floor": {"extent_m": plan_extent(scene), "grid_m": 0.5},
        "cameras": [
            {
                "name": camera.name,
                "uri": uris[camera.name],
                "analysis_fps": ENTRANCE_FPS if camera.name in entrance_cameras else OTHER_FPS,
                "image_size": list(camera.size),
                "entrance": camera.name in entrance_cameras,
                "homography": floor_map(scene, camera).matrix.tolist(),
            }
            for camera in scene.cameras
        ],
        "entrances": entrances,
        "zones": [
            {"name": zone.name, "polygon": [plan_point(scene, corner) for corner in zone.polygon]}
            for zone in scene.zones
        ],
        "fixtures": [
            {
                "name": rack.name,
                "polygon": [plan_point(scene, corner) for corner in _outline(rack)],
                "skus": [{"sku": rack.garments.sku or rack.name, "epcs": [f"{rack.garments.prefix}*"]}],
            }
            for rack in scene.racks
            if rack.epcs()
        ],
        "readers": [
            {
                "name": "ceiling",
                "host": "127.0.0.1",
                "detector": "production",
                "mode": 0,
                "session": 1,
                "search_mode": "dual_target",
                "population": 16,
                "antennas": [
                    {
                        "port": antenna.port,
                        "name": f"over {_nearest(scene, antenna.at).name}",
                        "at": plan_point(scene, antenna.at),
                        "fixture": _nearest(scene, antenna.at).name,
                    }
                    for antenna in scene.antennas
                ],
            }
        ],
        "engines": {"detector": "person-detector-lite"},
        "intervals": {"footfall_s": 10, "heatmap_s": 20, "flow_s": 20, "health_s": 2},
    }


def floor_map(scene: Scene, camera: SceneCamera) -> Homography:
    """Picture to plan, fitted to the floor that the camera sees. A homography knows no lens: what a barrel
    bends is shared out over the floor, as where somebody measures points in a shop."""
    view = View.of(camera)
    width, depth = scene.room.size_m
    x, y = np.meshgrid(np.arange(0, width + 1e-9, FLOOR_GRID_M), np.arange(-0.5, depth + 1e-9, FLOOR_GRID_M))
    floor = np.stack([x.ravel(), y.ravel()], axis=1)
    pixels = view.project(np.concatenate([floor, np.zeros((len(floor), 1))], axis=1))
    seen = (pixels >= 0).all(1) & (pixels < np.asarray(camera.size)).all(1)
    plan: NDArray[np.float64] = np.array([plan_point(scene, point) for point in floor[seen].tolist()])
    return Homography.from_points(pixels[seen], plan)


def _points(scene: Scene, course: Trajectory) -> list[list[float]]:
    """Seconds, x and y on the plan, every `PATH_STEP_S`, within the scene."""
    way = track(course, PATH_STEP_S)
    return [
        [round(float(time_s), 2), *plan_point(scene, (x_m, y_m))]
        for time_s, x_m, y_m in way
        if time_s < scene.seconds
    ]


def _outline(rack: SceneRack) -> list[Point]:
    turn = math.radians(rack.heading_deg)
    c, s = math.cos(turn), math.sin(turn)
    half = rack.length_m / 2
    return [
        (rack.at[0] + a * c - b * s, rack.at[1] + a * s + b * c)
        for a, b in (
            (-half, -RACK_HALF_DEPTH_M),
            (half, -RACK_HALF_DEPTH_M),
            (half, RACK_HALF_DEPTH_M),
            (-half, RACK_HALF_DEPTH_M),
        )
    ]


def _nearest(scene: Scene, at: Point) -> SceneRack:
    return min((rack for rack in scene.racks if rack.epcs()), key=lambda rack: math.dist(rack.at, at))
