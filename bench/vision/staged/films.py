"""What the detector finds in a film, kept beside the bench: it takes longest and is always the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from engines.inference.detector import PersonDetector
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from runtime.geometry import Floats
from runtime.vision.track.liveliness import shrunk


@dataclass(frozen=True)
class FilmLook:
    """One picture: its time in the film, boxes (n, 4) left, top, right, bottom px with scores (n,), and the
    small grey copy from which the tracker sees what lives."""

    time_s: float
    boxes: Floats
    scores: Floats
    grey: npt.NDArray[np.uint8]


def looks_of(film: Path, detector: PersonDetector, cache: Path) -> list[FilmLook]:
    """Every picture of a film; from `cache` where the same film and network were looked at before."""
    name = hashlib.sha256(film.read_bytes() + detector.source.path.read_bytes()).hexdigest()[:20]
    kept = cache / f"{film.stem}-{name}.npz"
    try:
        return _load(kept)
    except (OSError, KeyError, ValueError, BadZipFile):
        looks = list(_look(film, detector))
        cache.mkdir(parents=True, exist_ok=True)
        _save(kept, looks)
        return looks


def _look(film: Path, detector: PersonDetector) -> Iterator[FilmLook]:
    source = open_source(f"file:{film}?pace=fast")
    try:
        while (frame := read(source)) is not None:
            found = detector.detect(frame.image)
            yield FilmLook(
                frame.grab.time_s,
                np.asarray(found.boxes, np.float64),
                np.asarray(found.scores, np.float64),
                shrunk(frame.image),
            )
    finally:
        source.close()


def _save(path: Path, looks: list[FilmLook]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            times_s=np.array([look.time_s for look in looks]),
            counts=np.array([len(look.boxes) for look in looks]),
            boxes=np.concatenate([look.boxes.reshape(-1, 4) for look in looks]),
            scores=np.concatenate([look.scores for look in looks]),
            greys=np.array([look.grey for look in looks]),
        )


def _load(path: Path) -> list[FilmLook]:
    with np.load(path) as kept:
        ends = np.cumsum(kept["counts"])[:-1]
        boxes, scores = np.split(kept["boxes"], ends), np.split(kept["scores"], ends)
        times_s: list[float] = kept["times_s"].tolist()
        return [FilmLook(*each) for each in zip(times_s, boxes, scores, kept["greys"], strict=True)]
