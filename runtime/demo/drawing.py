"""The demo's pictures: the stretch that was watched as annotated video, and the floor with paths and heat.

Pictures never leave the daemon, so the people are found again in the clip by the same detector and tracker;
gates, flips and who turned what are drawn from the events that the subscriber received.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.detector import PersonDetector
from runtime.commands.video_overlay import FlipSign, Overlay
from runtime.config import StoreConfig, image_to_floor
from runtime.demo.pictures import Plan, draw_layout, draw_paths, fade, from_above, heat_over, titled
from runtime.demo.plaza import CLIP_FPS, CLIP_FRAMES
from runtime.demo.tally import Tally
from runtime.errors import TagsightError
from runtime.frames.sources import open_source
from runtime.geometry import Homography
from runtime.store.facts import Flip, Interaction, Point, Visit
from runtime.vision.draw import FLIP_SECONDS
from runtime.vision.pipeline import VideoFrame, analyse, network_share
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings

MAX_VIDEO_S = 120.0
"""Of a longer demo only the first two minutes are drawn."""

BACKGROUND_FRAMES = 20
PATH_LEAST_M = 1.0

Image = NDArray[np.uint8]


def draw_demo(
    clip: Path, config: StoreConfig, tally: Tally, epoch_s: float, watched: tuple[float, float], out: Path
) -> None:
    """Write annotated.mp4, floor.png and heatmap.png into `out`."""
    background = empty_scene(clip)
    homography = _homography(config, background)
    paths = _annotate(clip, config, tally, epoch_s, watched, out / "annotated.mp4", homography)
    plan = Plan(config.floor.extent())
    ground = fade(from_above(background, homography, plan))
    floor = ground.copy()
    draw_paths(floor, paths, plan)
    draw_layout(floor, config, plan)
    _write(out / "floor.png", titled(floor, f"{config.site.name}: {len(paths)} paths on the floor"))
    warmest_s = heat_over(ground, tally.heat(), plan)
    draw_layout(ground, config, plan)
    cell = config.floor.grid_m
    title = f"{config.site.name}: person-time per {cell:g} m cell, warmest {warmest_s:.0f} s"
    _write(out / "heatmap.png", titled(ground, title))


def empty_scene(clip: Path) -> Image:
    """The clip without its people: the median of frames spread over it. Raises TagsightError."""
    wanted = set(np.linspace(0, CLIP_FRAMES - 1, BACKGROUND_FRAMES).astype(int).tolist())
    pictures = [frame.image for frame in _clip_frames(clip) if frame.index in wanted]
    if not pictures:
        raise TagsightError(f"{clip}: not a video that can be read")
    return np.asarray(np.median(np.stack(pictures), axis=0), np.uint8)


@dataclass(frozen=True)
class _Sign:
    """A flip of the events: where it is shown, when, and in which words."""

    at: Point
    time_s: float
    text: str


def _annotate(
    clip: Path,
    config: StoreConfig,
    tally: Tally,
    epoch_s: float,
    watched: tuple[float, float],
    out: Path,
    homography: Homography,
) -> list[NDArray[np.float64]]:
    """Write the video; returns the path of every person drawn, (n, 2) floor metres each."""
    start = max(0, round((watched[0] - epoch_s) * CLIP_FPS))
    end = round((min(watched[1], watched[0] + MAX_VIDEO_S) - epoch_s) * CLIP_FPS)
    detector = PersonDetector.open(config.engines.detector, **network_share())
    signs, visits = _signs(config, tally), tally.of(Visit)
    walks: dict[tuple[int, int], list[Point]] = defaultdict(list)
    overlay: Overlay | None = None
    try:
        for loop in range(start // CLIP_FRAMES, (end - 1) // CLIP_FRAMES + 1):
            first, last = max(start, loop * CLIP_FRAMES), min(end, (loop + 1) * CLIP_FRAMES)
            frames = _clip_frames(clip, first - loop * CLIP_FRAMES, last - loop * CLIP_FRAMES)
            size, frames = _peek(clip, frames)
            overlay = overlay or Overlay(out, size, CLIP_FPS, homography, config)
            tracker = FloorTracker(TrackerSettings(), CameraView(*size, homography))
            for seen in analyse(frames, detector, tracker):
                time_s = epoch_s + (loop * CLIP_FRAMES + seen.frame.index) / CLIP_FPS
                through: Counter[tuple[str, str]] = Counter(
                    (visit.entrance, visit.direction)
                    for visit in visits
                    if watched[0] <= visit.time_s <= time_s
                )
                shown = [
                    FlipSign(sign.at, sign.text, time_s - sign.time_s)
                    for sign in signs
                    if 0 <= time_s - sign.time_s <= FLIP_SECONDS
                ]
                overlay.add(
                    seen.frame.image, time_s - watched[0], seen.tracks, through, shown, _latest(signs, time_s)
                )
                for track in seen.tracks:
                    if track.id is not None and track.floor_xy_m is not None and track.unseen_s == 0.0:
                        walks[loop, track.id].append(track.floor_xy_m)
    finally:
        if overlay is not None:
            overlay.close()
    paths = [np.array(walk) for walk in walks.values()]
    return [path for path in paths if np.linalg.norm(np.ptp(path, axis=0)) >= PATH_LEAST_M]


def _signs(config: StoreConfig, tally: Tally) -> list[_Sign]:
    """What to show for every flip, in order of time."""
    places = {fixture.name: fixture.centre() for fixture in config.fixtures}
    matches = {match.flip: match for match in tally.of(Interaction)}
    signs = []
    for flip in tally.of(Flip):
        if flip.fixture not in places:
            continue
        match = matches.get(flip.key)
        who = (
            ""
            if match is None or match.visitor is None
            else f" by visitor {match.visitor[-4:]} ({match.probability:.0%})"
        )
        signs.append(_Sign(places[flip.fixture], flip.start_s, f"{flip.sku or flip.epc[-6:]} turned{who}"))
    return sorted(signs, key=lambda sign: sign.time_s)


def _latest(signs: Sequence[_Sign], time_s: float, most: int = 3) -> list[str]:
    """The last few flips, newest first, for the panel."""
    return [sign.text for sign in reversed(signs) if sign.time_s <= time_s][:most]


def _homography(config: StoreConfig, picture: Image) -> Homography:
    camera = config.cameras[0]
    homography = image_to_floor(camera, (picture.shape[1], picture.shape[0]))
    if homography is None:
        raise TagsightError(f"camera {camera.name} has no place on the floor")
    return homography


def _peek(clip: Path, frames: Iterator[VideoFrame]) -> tuple[tuple[int, int], Iterator[VideoFrame]]:
    """Size (width, height) of the first frame, and all frames."""
    first = next(frames, None)
    if first is None:
        raise TagsightError(f"{clip}: not a video that can be read")

    def again() -> Iterator[VideoFrame]:
        yield first
        yield from frames

    return (first.image.shape[1], first.image.shape[0]), again()


def _clip_frames(clip: Path, start: int = 0, end: int = CLIP_FRAMES) -> Iterator[VideoFrame]:
    """Frames `start` to before `end` of the clip."""
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        while (grab := source.grab()) is not None and grab.number < end:
            if grab.number >= start and (image := source.retrieve()) is not None:
                yield VideoFrame(grab.number, grab.time_s, image)


def _write(path: Path, picture: Image) -> None:
    if not cv2.imwrite(str(path), picture):
        raise TagsightError(f"{path}: the picture cannot be written")
