"""Which engines are wanted of a network: input sizes, batch sizes, precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from engines.build.builder import BuildOutcome, Request
from engines.build.key import Asked, Options, Precision
from engines.build.precision import eightbit, graphs
from engines.build.site import source_of
from engines.build.store import PlanStore
from engines.build.suitable import hindrance
from engines.catalogue import KnownEngine
from engines.errors import BuildError, EngineError
from engines.inference.preprocess import tight_input

IMAGE_SHAPES = ((4, 3), (16, 9))
"""Of cameras: a network that takes any size is built for the tightest input of each."""
MAX_BATCH = 64
MIN_SIDE, MAX_SIDE = 32, 4096


def sizes_of(engine: KnownEngine, source: Path, asked: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(width, height) of the inputs to build for. Raises WeightsError for a file that is no network."""
    if asked:
        return list(dict.fromkeys(asked))
    if engine.entry.input is not None:
        return [engine.entry.input]
    shape = graphs.image_input(graphs.read(source), source).type.tensor_type.shape.dim
    height, width = (shape[place].dim_value for place in (2, 3))
    if width and height:
        return [(width, height)]
    sizes = [tight_input(form, engine.entry.long_side) for form in IMAGE_SHAPES]
    return list(dict.fromkeys(sizes))


def batch_sizes_from(text: str) -> tuple[int, ...]:
    """Batch sizes such as `1,2,4,8,16`. Raises BuildError for what is not a rising list of small numbers."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise BuildError(f"--batches {text!r}: write rising numbers, such as 1,2,4,8,16")
    found = tuple(int(part) for part in parts)
    if found[0] < 1 or found[-1] > MAX_BATCH or any(a >= b for a, b in pairwise(found)):
        raise BuildError(f"--batches {text!r}: must rise, from at least 1 to at most {MAX_BATCH}")
    return found


def precision_for(plans: PlanStore, engine: KnownEngine, source: Path, size_wh: tuple[int, int]) -> Precision:
    """int8 where it was calibrated for this very network and accepted, else fp16. Raises StoreError."""
    verdict = eightbit.verdict_on(plans, engine, size_wh)
    fits = verdict is not None and verdict.passes and verdict.onnx_sha256 == graphs.content_digest(source)
    return "int8" if fits else "fp16"


@dataclass(frozen=True, kw_only=True)
class EngineWish:
    """What was asked for, of all engines alike."""

    sizes: tuple[tuple[int, int], ...] = ()
    precision: Asked = "auto"
    buckets: tuple[int, ...] = (1, 2, 4, 8, 16)
    workspace_mib: int = 1024
    level: int = 3
    dla_core: int | None = None
    frames: Path | None = None
    force: bool = False
    limit_s: float = 3600.0

    def options(self, size_wh: tuple[int, int], precision: Precision) -> Options:
        """For one input size. Raises BuildError for what no TensorRT takes."""
        width, height = size_wh
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in size_wh):
            raise BuildError(f"--input {width}x{height}: both sides must be {MIN_SIDE} to {MAX_SIDE} pixels")
        if self.dla_core is not None and len(self.buckets) != 1:
            raise BuildError("a DLA runs one batch size only: give one with --batches, such as --batches 4")
        return Options(
            precision=precision,
            size_wh=size_wh,
            buckets=self.buckets,
            workspace_mib=self.workspace_mib,
            level=self.level,
            dla_core=self.dla_core,
        )


def requests(
    plans: PlanStore, engines: Sequence[KnownEngine], wish: EngineWish
) -> Iterator[Request | BuildOutcome]:
    """What to build of each engine; an outcome where nothing is to be built, or that cannot even be said."""
    for engine in engines:
        try:
            source = source_of(engine)
            why = hindrance(engine, source)
            if why:
                yield BuildOutcome(title=engine.entry.name, ending="skipped", why=why)
                continue
            for size in sizes_of(engine, source, wish.sizes):
                kind = wish.precision
                chosen = precision_for(plans, engine, source, size) if kind == "auto" else kind
                options = wish.options(size, chosen)
                yield Request(engine, options, wish.frames, force=wish.force, limit_s=wish.limit_s)
        except EngineError as error:
            yield BuildOutcome(title=engine.entry.name, ending="failed", why=str(error))
