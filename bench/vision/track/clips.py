"""Labelled clips for the tracker's bench, with what a detector found in every frame."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.inputs import shared_file
from engines.inference.detector import Detections, PersonDetector
from runtime.config import StoreConfig, load_at_work
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from runtime.geometry import Floats
from runtime.vision.track.liveliness import Grey, shrunk
from tagsight.errors import TagsightError

PLAZA = Path(__file__).parents[3] / "runtime" / "demo" / "plaza.yaml"
CLIPS = {
    "PETS09-S2L1": ("video-mot15-pets09-s2l1/PETS09-S2L1.mp4", PLAZA),
    "TUD-Campus": ("video-mot15-tud-campus/TUD-Campus.mp4", None),
}
"""Clips of the development data: file, and the configuration that has its floor."""

LEFT, TOP, WIDTH, HEIGHT, COUNTS, FLOOR_X, FLOOR_Y = 2, 3, 4, 5, 6, 7, 8
"""Columns of MOT15 ground truth after frame (from 1) and id."""


@dataclass(frozen=True)
class LabelledClip:
    """A labelled clip, what a detector found in it, and its frames as small grey images.

    `truth` is MOT15 text as an array.
    """

    name: str
    size: tuple[int, int]
    fps: float
    config: StoreConfig | None
    truth: Floats
    found: list[Detections]
    small: list[Grey]

    @property
    def counted(self) -> Floats:
        """The rows of the truth that are marked to count."""
        rows: Floats = self.truth[self.truth[:, COUNTS] == 1]
        return rows


def labelled(name: str, detector: str, with_floor: bool = True) -> LabelledClip:
    """A clip of the development data, or a video file beside which its `gt.txt` or `NAME.gt.txt` lies.

    Raises TagsightError, EngineError.
    """
    file, plan = CLIPS.get(name, ("", None))
    path = shared_file(file, "--clip") if file else Path(name)
    rendered = path.with_suffix(".gt.txt")
    truth = rendered if rendered.exists() else path.with_name("gt.txt")
    if not truth.exists():
        raise TagsightError(f"{truth}: no ground truth beside the clip; MOT Challenge's gt.txt is wanted")
    config = load_at_work(plan, clips_needed=False) if plan is not None and with_floor else None
    finder = PersonDetector.open(detector)
    source = open_source(f"file:{path}?pace=fast")
    found, small = [], []
    while (frame := read(source)) is not None:
        found.append(finder.detect(frame.image))
        small.append(shrunk(frame.image))
    source.close()
    title = name if file else _title(path)
    table = np.loadtxt(truth, delimiter=",")
    if plan is not None:
        # The floor of PETS has its y axis up, a plan has it down.
        table[:, FLOOR_Y] *= -1
    return LabelledClip(title, source.size, source.fps, config, table, found, small)


def _title(path: Path) -> str:
    about = configparser.ConfigParser()
    about.read(path.with_name("seqinfo.ini"))
    return about.get("Sequence", "name", fallback=path.stem)
