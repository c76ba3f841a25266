"""The store.yaml of many cameras: the plaza of `tagsight demo` once for each, side by side on one floor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from runtime.demo.plaza import STORE

PLAZA_EVERY_M = 40.0
"""From one plaza to the next, along x."""


def name_of(place: int) -> str:
    """The camera at that place, from 0."""
    return f"camera {place + 1}"


def plan_of(place: int) -> tuple[float, float, float, float]:
    """The floor of the camera at that place: left, top, right, bottom edge in metres."""
    left, top, right, bottom = yaml.safe_load(STORE.read_text())["floor"]["extent_m"]
    return left + place * PLAZA_EVERY_M, top, right + place * PLAZA_EVERY_M, bottom


def describe(
    uris: Sequence[str], size: tuple[int, int], fps: float, detector: str, port: int, folder: Path
) -> dict[str, Any]:
    """The configuration as the file has it. The plaza's pictures are 768 x 576, others are scaled to that."""
    plaza: dict[str, Any] = yaml.safe_load(STORE.read_text())
    (camera,) = plaza["cameras"]
    left, top, right, bottom = plaza["floor"]["extent_m"]
    shift = PLAZA_EVERY_M * (len(uris) - 1)
    cameras, entrances, zones = [], [], []
    for place, uri in enumerate(uris):
        moved, name = place * PLAZA_EVERY_M, name_of(place)
        step = np.array([[1, 0, moved], [0, 1, 0], [0, 0, 1]])
        homography = (step @ np.array(camera["homography"])).tolist()
        cameras.append(
            {
                **camera,
                "name": name,
                "uri": uri,
                "analysis_fps": fps,
                "max_size": list(size),
                "homography": homography,
            }
        )
        entrances += [
            {
                "name": f"{gate['name']} {place + 1}",
                "line": _moved(gate["line"], moved),
                "inside": _moved([gate["inside"]], moved)[0],
                "cameras": [name],
            }
            for gate in plaza["entrances"]
        ]
        zones += [
            {"name": f"{zone['name']} {place + 1}", "polygon": _moved(zone["polygon"], moved)}
            for zone in plaza["zones"]
        ]
    return {
        "site": plaza["site"],
        "floor": {"extent_m": [left, top, right + shift, bottom], "grid_m": plaza["floor"]["grid_m"]},
        "cameras": cameras,
        "entrances": entrances,
        "zones": zones,
        "engines": {"detector": detector},
        "uplink": {"host": "127.0.0.1", "port": port, "trust_broker": True},
        "intervals": {"footfall_s": 10, "heatmap_s": 20, "flow_s": 20, "health_s": 10},
        "state_dir": str(folder / "state"),
    }


def _moved(points: list[list[float]], along_m: float) -> list[list[float]]:
    return [[x + along_m, y] for x, y in points]
