"""A network that looks at persons one by one, and its back end: boxes of an image in, a row for each out."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from engines import backends
from engines.backends import cpu
from engines.backends.protocol import CompilePlan, InputFormat, NetworkSession
from engines.catalogue import Task
from engines.catalogue.source import NetworkSource, locate
from engines.errors import EngineError, WeightsError
from engines.inference.detector import Image
from engines.inference.reading import pixels_of

MAX_SHRINK = 2.0
"""Pixels are averaged until less than this is left to shrink: linear interpolation would skip some."""

AROUND_PX = 2
"""Pixels beside a box that interpolation may read."""

Box = tuple[float, float, float, float]
Rows = NDArray[np.float32]


class CropNetwork:
    """Runs a network of one fixed input size on person crops. Not for use by several threads at once."""

    def __init__(
        self, source: NetworkSource, task: Task, *, backend: str = "auto", threads: int = 0, streams: int = 1
    ) -> None:
        runner = backends.choose(backend)
        network = runner.read(source.path)
        shapes = [port.shape for port in network.inputs]
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3 or None in shapes[0][2:]:
            raise WeightsError(
                f"{source.path}: a {task} network has one input [n, 3, height, width] of a fixed size, "
                f"this one has {', '.join(str(list(shape)) for shape in shapes) or 'none'}"
            )
        height, width = (side or 0 for side in shapes[0][2:])
        outputs = [port.shape for port in network.output_shapes(width, height)]
        if len(outputs) != 1 or len(outputs[0]) != 2 or outputs[0][1] is None:
            raise WeightsError(
                f"{source.path}: a {task} network answers with [n, k], "
                f"this one with {', '.join(str(list(shape)) for shape in outputs)}"
            )
        self.source = source
        self.task = task
        self.backend_name = runner.name
        self.size_wh = (width, height)
        self.answers = outputs[0][1]
        self.grown = x, y = source.recipe.grown or (0.0, 0.0)
        self._growth = np.array([-x, -y, x, y])
        threads = threads or cpu.available_threads()
        streams = max(1, min(streams, threads))
        recipe = source.recipe
        self.pixels = pixels_of(recipe, InputFormat())
        self._session: NetworkSession = network.compile(
            CompilePlan(
                width,
                height,
                pixels=self.pixels,
                threads=threads,
                streams=streams,
                requests=streams + 1,
                precision=source.precision,
            )
        )

    def rows(self, image_bgr: Image, boxes: npt.ArrayLike) -> Rows:
        """The network's answers (n, k) for boxes (n, 4) left, top, right, bottom px of a BGR image.

        Boxes are grown where the network wants to see beyond them, and show the image's edge repeated where
        they leave it. One that lies outside the image, or has no area, answers nan. Raises EngineError for
        something that is no image.
        """
        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
            raise EngineError(
                f"a picture must be uint8 [height, width, 3], not {image_bgr.dtype} {list(image_bgr.shape)}"
            )
        wanted = np.asarray(boxes, np.float64).reshape(-1, 4)
        found = np.full((len(wanted), self.answers), np.nan, np.float32)
        idle = deque(range(self._session.requests))
        running: deque[tuple[int, int]] = deque()
        grown = wanted + (wanted[:, [2, 3, 2, 3]] - wanted[:, [0, 1, 0, 1]]) * self._growth
        for row in shown(wanted, image_bgr.shape[1], image_bgr.shape[0]).tolist():
            if not idle:
                self._collect(running, idle, found)
            request = idle.popleft()
            left, top, right, bottom = grown[row].tolist()
            cut(image_bgr, (left, top, right, bottom), self.size_wh, self._session.pixels(request))
            self._session.start(request)
            running.append((row, request))
        while running:
            self._collect(running, idle, found)
        return found

    def _collect(self, running: deque[tuple[int, int]], idle: deque[int], found: Rows) -> None:
        row, request = running.popleft()
        found[row] = self._session.wait(request)[0][0]
        idle.append(request)


def open_crops(weights: str | Path, task: Task, *, backend: str, threads: int, streams: int) -> CropNetwork:
    """The network of that name in the catalogue, or of a file. Raises EngineError for one of another task."""
    source = locate(weights, backends.choose(backend).name)
    known = getattr(source.recipe, "task", task)
    if known != task:
        raise WeightsError(f"engine {str(weights)!r} is for {known}; a network for {task} is needed here")
    return CropNetwork(source, task, backend=backend, threads=threads, streams=streams)


def cut(
    image: Image, box: Box, size_wh: tuple[int, int], target: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """A box of an image stretched to `size_wh`, into `target` if given.

    Where the box leaves the image, the image's edge is repeated. The box must share an area with it.
    The GPU cuts in the same way (`crop_boxes` of engines/cuda/kernels/images.cu).
    """
    left, top, right, bottom = box
    x0, y0 = max(0, int(left) - AROUND_PX), max(0, int(top) - AROUND_PX)
    window = image[y0 : max(0, int(bottom)) + AROUND_PX, x0 : max(0, int(right)) + AROUND_PX]
    whole_wh = window.shape[1], window.shape[0]
    scale = np.array([size_wh[0] / (right - left), size_wh[1] / (bottom - top)])
    shift = -np.array([left - x0, top - y0]) * scale
    left_to_shrink = scale.min()
    fewer_wh = whole_wh
    while left_to_shrink < 1 / MAX_SHRINK and min(fewer_wh) > 1:
        fewer_wh = fewer_wh[0] // 2, fewer_wh[1] // 2
        left_to_shrink *= 2
    if fewer_wh != whole_wh:
        window = np.asarray(cv2.resize(window, fewer_wh, interpolation=cv2.INTER_AREA), np.uint8)
    scale = scale * whole_wh / np.array(fewer_wh)
    middle = 0.5 * scale - 0.5
    matrix = np.array([[scale[0], 0.0, shift[0] + middle[0]], [0.0, scale[1], shift[1] + middle[1]]])
    options = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.warpAffine(window, matrix, size_wh, dst=target, **options), np.uint8)


def shown(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.intp]:
    """Rows of the boxes (n, 4) that show at least a pixel of an image of that size."""
    limits = np.array([width, height, width, height], np.float64)
    inside = np.clip(np.where(np.isfinite(boxes), boxes, 0.0), 0.0, limits)
    finite = np.isfinite(boxes).all(1)
    return np.flatnonzero(finite & (inside[:, 2:] - inside[:, :2] >= 1.0).all(1))
