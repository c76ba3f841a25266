"""Sums of the frames of a seed, to show that they are the same bytes again: drawn, not encoded.

A log holds a line a part, so that drawing may be broken off and go on; the digest is that of the sums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from engines.errors import EngineError
from engines.scene.spec import Scene
from engines.training.synthetic.filming import Studio

PART = 100


def frame_sums(scene: Scene, frames: int, log: Path | None, tell: Callable[[str], None]) -> str:
    """The digest of the first frames of every camera, edges not smoothed, and their labels.

    Raises EngineError for the log of another scene.
    """
    head = f"{scene.name}: {frames} moments of {len(scene.cameras)} cameras, a line {PART}"
    known = log.read_text().splitlines() if log is not None and log.exists() else list[str]()
    if known and known[0] != head:
        raise EngineError(f"{log}: holds sums of '{known[0]}'; '{head}' or no such file would be right")
    lines = [line for line in known[1:] if len(line.split()) == 2]
    rest = _parts(scene, frames, len(lines))
    if log is not None and not known:
        log.write_text(head + "\n")
    for line in rest:
        lines.append(line)
        tell(line)
        if log is not None:
            with log.open("a") as file:
                file.write(line + "\n")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _parts(scene: Scene, frames: int, done: int) -> Iterator[str]:
    """A line for each part that is left: its last frame, and the sum of its pictures and labels."""
    firsts = range(done * PART, frames, PART)
    if not firsts:
        return
    studio = Studio(scene, samples=0)
    for first in firsts:
        last = min(first + PART, frames)
        found = hashlib.sha256()
        for frame in range(first, last):
            for shot in studio.take(frame).shots:
                found.update(shot.image.tobytes())
                found.update(repr(shot.labels).encode())
        yield f"{last} {found.hexdigest()}"
