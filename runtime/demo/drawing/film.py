"""The demo's film: the stretch of the clip that was watched, with visitors, gates and turned garments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
import numpy as np

from contract.describe import short_visitor
from contract.facts import Flip, Interaction, Point, Visit
from engines.inference.detector import PersonDetector
from runtime.config import StoreConfig
from runtime.demo.drawing.names import PersonPath, name_walks
from runtime.demo.plaza import CLIP_FPS, CLIP_FRAMES
from runtime.demo.score import DemoScore
from runtime.demo.tally import EventTally
from runtime.frames.opening import open_source
from runtime.geometry import Homography
from runtime.vision.draw import FLIP_SECONDS
from runtime.vision.overlay import FlipSign, Note, Overlay
from runtime.vision.pipeline import VideoFrame, analyse, network_share
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings

MAX_FILM_S = 120.0
"""Of a longer demo only the first two minutes are drawn."""
MAX_NOTES = 3
LOOP_TRACKS = 100_000
"""Added to track numbers for each loop of the clip, so that no two people share one."""


@dataclass(frozen=True)
class Stretch:
    """The part of the looped clip that is drawn: frames `start` to before `end`, counted over all loops."""

    epoch_s: float
    start: int
    end: int

    @classmethod
    def watched(cls, epoch_s: float, start_s: float, end_s: float) -> Stretch:
        """From UTC seconds, at most `MAX_FILM_S` of them."""
        last_s = min(end_s, start_s + MAX_FILM_S)
        return cls(
            epoch_s, max(0, round((start_s - epoch_s) * CLIP_FPS)), round((last_s - epoch_s) * CLIP_FPS)
        )

    @property
    def start_s(self) -> float:
        """UTC seconds of the first frame."""
        return self.time_s(self.start)

    def time_s(self, frame: int) -> float:
        """UTC seconds of a frame."""
        return self.epoch_s + frame / CLIP_FPS

    def loops(self) -> Iterator[tuple[int, int, int]]:
        """Each loop's number, and the frames `first` to before `last` of it, counted within the clip."""
        for loop in range(self.start // CLIP_FRAMES, (self.end - 1) // CLIP_FRAMES + 1):
            base = loop * CLIP_FRAMES
            yield loop, max(self.start, base) - base, min(self.end, base + CLIP_FRAMES) - base


@dataclass(frozen=True)
class FilmPeople:
    """Who is in the film: tracks by frame, and each track's walk over the floor."""

    frames: dict[int, list[Track]]
    walks: dict[int, PersonPath]


def find_people(
    clip: Path,
    detector: str,
    homography: Homography,
    size: tuple[int, int],
    stretch: Stretch,
    step: Callable[[], None],
) -> FilmPeople:
    """The people of the stretch, by the daemon's own detector and tracker; `step` is called every frame."""
    network = PersonDetector.open(detector, **network_share())
    frames: dict[int, list[Track]] = {}
    steps: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for loop, first, last in stretch.loops():
        tracker = FloorTracker(TrackerSettings(), CameraView(*size, homography))
        for seen in analyse(clip_frames(clip, first, last), network, tracker):
            frame = loop * CLIP_FRAMES + seen.frame.index
            frames[frame] = [
                _renumbered(track, loop * LOOP_TRACKS) for track in seen.tracks if track.id is not None
            ]
            for track in frames[frame]:
                if track.id is not None and track.floor_xy_m is not None and track.unseen_s == 0.0:
                    steps[track.id].append((stretch.time_s(frame), *track.floor_xy_m))
            step()
    walks = {track: np.array(walk) for track, walk in steps.items()}
    return FilmPeople(frames, {track: PersonPath(walk[:, 0], walk[:, 1:]) for track, walk in walks.items()})


def draw_film(
    clip: Path,
    config: StoreConfig,
    tally: EventTally,
    result: DemoScore,
    seen: FilmPeople,
    overlay: Overlay,
    stretch: Stretch,
    step: Callable[[], None],
) -> None:
    """Draw every frame of the stretch; `step` is called for each."""
    names = name_walks(seen.walks, config, tally)
    signs, visits = flip_signs(config, tally, result), tally.of(Visit)
    labels = {track: short_visitor(visitor) for track, visitor in names.items()}
    for loop, first, last in stretch.loops():
        for picture in clip_frames(clip, first, last):
            frame = loop * CLIP_FRAMES + picture.index
            time_s = stretch.time_s(frame)
            through: Counter[tuple[str, str]] = Counter(
                (visit.entrance, visit.direction)
                for visit in visits
                if stretch.start_s <= visit.time_s <= time_s
            )
            tracks = seen.frames.get(frame, [])
            shown = [
                sign.shown(time_s, tracks, names)
                for sign in signs
                if 0 <= time_s - sign.time_s <= FLIP_SECONDS
            ]
            notes = [sign.note for sign in reversed(signs) if sign.time_s <= time_s][:MAX_NOTES]
            overlay.add(picture.image, time_s - stretch.start_s, tracks, through, shown, notes, labels)
            step()


@dataclass(frozen=True)
class Sign:
    """A turned garment: where, when, in which words, whether that is true, by whom and where they stood."""

    at: Point
    time_s: float
    text: str
    right: bool | None
    visitor: str | None = None
    stood: Point | None = None

    @property
    def note(self) -> Note:
        return Note(self.text, self.right)

    def shown(self, time_s: float, tracks: Sequence[Track], names: dict[int, str]) -> FlipSign:
        """The sign in a frame: its line begins where the visitor is now, else where they stood."""
        here = [
            track.floor_xy_m
            for track in tracks
            if self.visitor is not None and track.id is not None and names.get(track.id) == self.visitor
        ]
        return FlipSign(self.at, self.text, time_s - self.time_s, self.right, here[0] if here else self.stood)


def flip_signs(config: StoreConfig, tally: EventTally, result: DemoScore) -> list[Sign]:
    """What to show for every flip that was found or played, in order of time."""
    places = {fixture.name: fixture.centre() for fixture in config.fixtures}
    matches = {match.flip: match for match in tally.of(Interaction)}
    signs = []
    for flip in tally.of(Flip):
        if flip.fixture not in places:
            continue
        match, right = matches.get(flip.key), result.verdicts.get(flip.key)
        what = f"{flip.sku or flip.epc[-6:]} turned"
        if match is None or match.visitor is None:
            who = "nobody seen" if match is None else match.who
            signs.append(Sign(places[flip.fixture], flip.start_s, f"{what}, by {who}", right))
            continue
        stood = match.evidence.floor_xy_m if match.evidence is not None else None
        text = f"{what} by {short_visitor(match.visitor)} ({match.probability:.0%})"
        signs.append(Sign(places[flip.fixture], flip.start_s, text, right, match.visitor, stood))
    for true in result.missed:
        for fixture in config.fixtures:
            for article in fixture.skus:
                if any(fnmatchcase(true.epc, pattern) for pattern in article.epcs):
                    text = f"{article.sku} turned, not found"
                    signs.append(Sign(fixture.centre(), true.start_s, text, False))
    return sorted(signs, key=lambda sign: sign.time_s)


def clip_frames(clip: Path, start: int = 0, end: int = CLIP_FRAMES) -> Iterator[VideoFrame]:
    """Frames `start` to before `end` of the clip."""
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        while (grab := source.grab()) is not None and grab.number < end:
            if grab.number >= start and (image := source.retrieve()) is not None:
                yield VideoFrame(grab.number, grab.time_s, image)


def _renumbered(track: Track, base: int) -> Track:
    return track if not base or track.id is None else msgspec.structs.replace(track, id=base + track.id)
