"""What a person wears, layer upon layer, at every level of detail: points at rest, how they hang on bones,
colours, faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.training.synthetic.drawing.meshes import normals
from engines.training.synthetic.people.parts import Faces, Floats


@dataclass(frozen=True)
class Level:
    """One level of detail: points at rest (n, 3), normals, weights (n, bones), vertex columns 6 to 12,
    faces."""

    points: Floats
    normals: Floats
    weights: Floats
    columns: Floats
    faces: Faces


class Pieces:
    """Collects pieces over any points and cuts them down to what each level uses."""

    def __init__(self) -> None:
        self._pieces: list[tuple[Floats, Floats, Floats, Floats, dict[str, Faces]]] = []

    def add(
        self,
        points: Floats,
        weights: Floats,
        colour: NDArray[np.floating],
        layer: NDArray[np.floating] | float,
        faces: dict[str, Faces],
    ) -> None:
        colours = np.broadcast_to(np.asarray(colour, np.float32), (len(points), 3))
        layers = np.broadcast_to(np.asarray(layer, np.float32), (len(points),))
        self._pieces.append((points, weights, colours, layers, faces))

    def lowest_m(self) -> float:
        return min(
            float(points[np.unique(faces["near"])][:, 2].min())
            for points, _, _, _, faces in self._pieces
            if len(faces["near"])
        )

    def level(self, name: str, height_m: float, ground_m: float) -> Level:
        places, norms, weights, columns, triangles, start = [], [], [], [], [], 0
        for points, weight, colours, layers, faces in self._pieces:
            if not len(faces[name]):
                continue
            used, local = np.unique(faces[name], return_inverse=True)
            here = points[used].astype(np.float32)
            corners: Faces = np.asarray(local.reshape(-1, 3), np.int32)
            norm = normals(here, corners)
            column = np.zeros((len(used), 7), np.float32)
            column[:, :3] = colours[used]
            across = here[:, 0] / (1.1 * height_m / 1.7) / 2 + 0.25
            column[:, 3] = np.where(norm[:, 1] < 0, across, across + 0.5)
            column[:, 4] = (here[:, 2] - ground_m) / height_m * 1.6
            column[:, 5] = layers[used]
            places.append(here)
            norms.append(norm)
            weights.append(weight[used])
            columns.append(column)
            triangles.append(corners + start)
            start += len(used)
        return Level(
            np.concatenate(places),
            np.concatenate(norms),
            np.concatenate(weights).astype(np.float32),
            np.concatenate(columns),
            np.concatenate(triangles).astype(np.int32),
        )
