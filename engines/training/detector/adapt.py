"""Fits the shipped detector to one store: its own recorded frames, labelled by the teachers, nobody else's.

The last fifth of the frames in time is held out. What comes out is kept under a name of its own in the user's
engine store, and only if it is nearer to the teachers there than the detector it started from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import msgspec
import numpy as np

from engines import catalogue
from engines.catalogue import EngineFile, KnownEngine, Manifest, Recipe, adding
from engines.errors import TrainingError
from engines.evaluation import accuracy as evaluate
from engines.evaluation.accuracy import DetectorAccuracy
from engines.evaluation.pool import (
    STORE,
    Image,
    LabelledImage,
    Labels,
    PoolEntry,
    read_image,
    read_index,
    save_image,
    shrink,
    write_index,
)
from engines.evaluation.teachers import Teachers
from engines.inference.preprocess import tight_input
from engines.training.config import DetectorRecipe
from engines.training.detector import export
from engines.training.detector.train import detector_training
from engines.training.reload import net_from_onnx, width_of

MAX_FRAMES = 600
MIN_FRAMES = 20
MIN_PERSONS = 10
HELD_OUT_SHARE = 0.2
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
CLIPS = (".mp4", ".mkv", ".avi", ".gif", ".264", ".h264", ".mov")
LEARNING_RATE = 2e-4
SCALES = (0.75, 1.0)
KINDS = {"plain": 0.6, "close": 0.15, "mosaic": 0.25, "pasted": 0.0}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Adapted:
    """What an adaptation came to; `engine` is None where it was no gain and nothing was kept."""

    frames: int
    held_out: int
    before: DetectorAccuracy
    after: DetectorAccuracy
    engine: KnownEngine | None


@dataclass(frozen=True)
class AdaptationSettings:
    """What to adapt: engine `base` to the folder `frames`, kept as `name`; `teachers`: their folder."""

    frames: Path
    name: str
    teachers: Path
    base: str = "person-detector"
    steps: int = 300
    threads: int = 2
    seed: int = 1
    replace: bool = False
    store: Path | None = None


def adapt(wish: AdaptationSettings, tell: Tell) -> Adapted:
    """Labels, trains, measures, and keeps the result if it is better. Raises EngineError."""
    start = trainable_file(wish.base, wish.store)
    adding.check_name(wish.name, wish.store or catalogue.user_store(), wish.replace)
    with tempfile.TemporaryDirectory(prefix="tagsight-adapt-") as scratch:
        pool = Path(scratch) / "pool"
        size = label_frames(wish, pool, tell)
        before = measure(start, pool, size)
        training = detector_training(recipe_for(wish, Path(scratch) / "run", start, size), pool)
        training.run()
        if training.stopped:
            raise TrainingError("stopped before the end: nothing was kept")
        full = Path(scratch) / "full.onnx"
        export.write_onnx(training.average, full, size)
        after = measure(full, pool, size)
        frames, held_out = counts(pool)
        if after.ap50 <= before.ap50:
            return Adapted(frames, held_out, before, after, None)
        return Adapted(frames, held_out, before, after, keep(wish, full, pool, size))


def trainable_file(name: str, store: Path | None) -> Path:
    """The engine's file that is not in 8 bits. Raises CatalogueError, TrainingError."""
    engine = catalogue.find(name, store)
    files = [file for file in engine.entry.files if file.precision != "int8"]
    if not files:
        raise TrainingError(f"engine {name!r} has an 8-bit file only, which cannot be trained on")
    return engine.folder / files[0].file


def frames_of(folder: Path) -> Iterator[tuple[str, Image]]:
    """Pictures of a folder and frames of the clips in it, in the order of names and time.

    At most MAX_FRAMES in all: of more, an even choice. Raises TrainingError where there are none.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES + CLIPS)
    if not paths:
        raise TrainingError(f"{folder}: no pictures ({' '.join(PICTURES)}) and no clips ({' '.join(CLIPS)})")
    pictures = [path for path in paths if path.suffix.lower() in PICTURES]
    clips = [path for path in paths if path.suffix.lower() in CLIPS]
    each = max(1, MAX_FRAMES // (len(clips) + bool(pictures)))
    for path in pictures[:: -(-len(pictures) // each) or 1]:
        yield path.stem, read_image(path)
    for path in clips:
        total = sum(1 for _ in clip(path))
        if total == 0:
            raise TrainingError(f"{path}: no frame could be decoded")
        every = -(-total // each)
        yield from (
            (f"{path.stem}-{number:06d}", frame)
            for number, frame in enumerate(clip(path))
            if number % every == 0
        )


def clip(path: Path) -> Iterator[Image]:
    """All frames of a clip that can be decoded; none where it is no video."""
    try:
        with av.open(str(path)) as video:
            for packet in video.demux(video=0):
                with suppress(av.error.InvalidDataError):
                    yield from (
                        np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in packet.decode()
                    )
    except (av.error.FFmpegError, IndexError):
        return


def label_frames(wish: AdaptationSettings, pool: Path, tell: Tell) -> tuple[int, int]:
    """Has the teachers label the frames; writes a pool and gives the net's input size for them.

    Raises TrainingError for too few frames or persons, or where a teacher's file is missing.
    """
    teachers = Teachers(wish.teachers, wish.threads)
    pool.mkdir()
    entries: list[PoolEntry] = []
    size = (0, 0)
    for name, image in frames_of(wish.frames):
        size = size if any(size) else tight_input((image.shape[1], image.shape[0]), 416)
        picture = LabelledImage(name, STORE, False, image, Labels(), complete=False)
        picture.labels = teachers.label(picture)
        entries.append(save_image(pool, shrink(picture)))
        if len(entries) % 50 == 0:
            tell(f"{len(entries)} frames labelled")
    first_held_out = round(len(entries) * (1 - HELD_OUT_SHARE))
    marked = [
        PoolEntry(entry.file, STORE, place >= first_held_out, entry.boxes, entry.trust, entry.teacher_iou)
        for place, entry in enumerate(entries)
    ]
    _check_enough(wish.frames, marked)
    write_index(pool, marked)
    return size


def _check_enough(folder: Path, entries: list[PoolEntry]) -> None:
    if len(entries) < MIN_FRAMES:
        raise TrainingError(f"{folder}: {len(entries)} frames are too few: record at least {MIN_FRAMES}")
    for held_out, whose in ((False, "to learn from"), (True, "held out, the last fifth")):
        seen = sum(trust > 0 for entry in entries if entry.held_out == held_out for trust in entry.trust)
        if seen < MIN_PERSONS:
            raise TrainingError(
                f"{folder}: the teachers see {seen} persons in the frames {whose}: "
                f"record frames with at least {MIN_PERSONS}"
            )


def recipe_for(wish: AdaptationSettings, run: Path, start: Path, size: tuple[int, int]) -> DetectorRecipe:
    """A short, gentle run on the frames alone."""
    sides = [(round(size[0] * s / 32) * 32, round(size[1] * s / 32) * 32) for s in SCALES]
    return DetectorRecipe(
        data=wish.teachers,
        run=run,
        seed=wish.seed,
        minutes=24 * 60,
        steps=wish.steps,
        batch=8,
        threads=wish.threads,
        workers=0,
        learning_rate=LEARNING_RATE,
        warmup_steps=min(30, wish.steps // 4),
        ema_decay=0.99,
        soft_gain=1.0,
        sizes=sides,
        validation_size=size,
        checkpoint_every_steps=wish.steps,
        validate_every_steps=wish.steps,
        width=width_of(net_from_onnx(start)),
        start_from=start,
        kinds=KINDS,
    )


def measure(file: Path, pool: Path, size: tuple[int, int]) -> DetectorAccuracy:
    """An exported net on the frames held out, against the teachers' boxes."""
    return evaluate.measure(evaluate.onnx_predictor(file), evaluate.held_out(pool, (STORE,)), size)


def counts(pool: Path) -> tuple[int, int]:
    """Frames in all, and frames held out."""
    entries = read_index(pool)
    return len(entries), sum(entry.held_out for entry in entries)


def spoken(found: DetectorAccuracy) -> str:
    return (
        f"AP at IoU 0.5 {found.ap50:.3f} on the frames held out "
        f"(precision {found.precision:.2f}, recall {found.recall:.2f} at score {found.threshold:.2f})"
    )


def keep(wish: AdaptationSettings, full: Path, pool: Path, size: tuple[int, int]) -> KnownEngine:
    """Stores the net under the wished name, in half-precision storage and in 8 bits."""
    base = catalogue.find(wish.base, wish.store).entry
    recipe = Recipe(decoder=base.decoder, long_side=base.long_side, score=base.score, overlap=base.overlap)
    half, quantised = full.with_name("half.onnx"), full.with_name("int8.onnx")
    export.store_as_half(full, half)
    engine = adding.take_in(half, wish.name, recipe, store=wish.store, replace=wish.replace)
    export.write_int8(full, quantised, export.calibration_pictures(pool), [size])
    target = engine.folder / f"{wish.name}-int8.onnx"
    target.write_bytes(quantised.read_bytes())
    bf16 = engine.entry.files[0].bf16
    second = EngineFile(file=target.name, precision="int8", sha256=catalogue.sha256_of(target), bf16=bf16)
    changes: dict[str, Any] = {
        "files": [*engine.entry.files, second],
        "about": f"{wish.base}, adapted to {wish.frames.name}",
    }
    entry = msgspec.structs.replace(engine.entry, **changes)
    partial = engine.folder / f".{catalogue.MANIFEST}"
    partial.write_bytes(msgspec.yaml.encode(Manifest([entry])))
    partial.replace(engine.folder / catalogue.MANIFEST)
    return KnownEngine(entry, engine.folder, shipped=False)
