"""The demo's pictures: the stretch that was watched as annotated video, and the floor with paths and heat.

Pictures never leave the daemon, so the people are found again in the clip by the same detector and tracker;
gates, flips, who turned what and the visitors' ids are those of the events that the subscriber received.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from runtime.config import StoreConfig, image_to_floor
from runtime.demo.drawing.film import Stretch, clip_frames, draw_film, find_people
from runtime.demo.drawing.floor import floor_picture, heat_picture
from runtime.demo.plaza import CLIP_FPS, CLIP_FRAMES
from runtime.demo.progress import progress
from runtime.demo.score import DemoScore
from runtime.demo.tally import EventTally
from runtime.vision.overlay import Overlay
from tagsight.errors import TagsightError

BACKGROUND_FRAMES = 20
PATH_LEAST_M = 1.0

Image = NDArray[np.uint8]


def draw_demo(
    clip: Path,
    config: StoreConfig,
    tally: EventTally,
    result: DemoScore,
    watched: Stretch,
    out: Path,
    console: Console,
) -> None:
    """Write annotated.mp4, floor.png and heatmap.png into `out`; says on `console` how far it is."""
    frames = watched.end - watched.start
    with progress(console, "looking at the empty square", CLIP_FRAMES) as step:
        background = empty_scene(clip, step)
    size = background.shape[1], background.shape[0]
    homography = image_to_floor(config.cameras[0], size)
    if homography is None:
        raise TagsightError(f"camera {config.cameras[0].name} has no place on the floor")
    with progress(console, "finding the people again for the film", frames) as step:
        seen = find_people(clip, config.engines.detector, homography, size, watched, step)
    overlay = Overlay(out / "annotated.mp4", size, CLIP_FPS, homography, config, legend=True)
    try:
        with progress(console, "drawing the film", frames) as step:
            draw_film(clip, config, tally, result, seen, overlay, watched, step)
    finally:
        overlay.close()
    paths = [walk.places_m for walk in seen.walks.values()]
    paths = [path for path in paths if np.linalg.norm(np.ptp(path, axis=0)) >= PATH_LEAST_M]
    _write(out / "floor.png", floor_picture(background, homography, config, paths))
    _write(out / "heatmap.png", heat_picture(background, homography, config, tally.heat()))


def empty_scene(clip: Path, step: Callable[[], None] = lambda: None) -> Image:
    """The clip without its people: the median of frames spread over it. Raises TagsightError."""
    wanted = set(np.linspace(0, CLIP_FRAMES - 1, BACKGROUND_FRAMES).astype(int).tolist())
    pictures = []
    for frame in clip_frames(clip):
        if frame.index in wanted:
            pictures.append(frame.image)
        step()
    if not pictures:
        raise TagsightError(f"{clip}: not a video that can be read")
    return np.asarray(np.median(np.stack(pictures), axis=0), np.uint8)


def _write(path: Path, picture: Image) -> None:
    if not cv2.imwrite(str(path), picture):
        raise TagsightError(f"{path}: the picture cannot be written")
