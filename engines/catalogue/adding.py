"""Taking a user's network into the catalogue: judged, timed, stored with its checksum."""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from engines import backends, catalogue
from engines.backends import cpu
from engines.backends.files import check_file
from engines.backends.protocol import Backend, Precision
from engines.catalogue import MANIFEST, NAME_PATTERN, EngineEntry, EngineFile, KnownEngine, Manifest, Recipe
from engines.catalogue.judging import NetworkRefused, NetworkVerdict, Task, judge
from engines.catalogue.source import NetworkSource
from engines.errors import CatalogueError
from engines.inference.detector import PersonDetector

TRIAL_PICTURE_WH = (640, 480)
TRIALS = 7
CLEARLY_FASTER = 0.9
"""bfloat16 costs accuracy, so it must save a tenth of the time to be used."""


@dataclass(frozen=True)
class Added:
    """An engine that was taken in, and what was found out about it."""

    engine: KnownEngine
    verdict: NetworkVerdict


def add(
    file: Path,
    name: str,
    recipe: Recipe,
    *,
    backend: str = "auto",
    store: Path | None = None,
    replace: bool = False,
    picture: Path | None = None,
    persons: int | None = None,
) -> Added:
    """Judge a network on a picture (see `judging`) and store it as `name`.

    picture, persons: as in `judging.Task`. Raises Refused for a network that does not find persons,
    and EngineError for a file that is missing, damaged or beyond the back end, and for a name that is
    malformed or taken.
    """
    store = store or catalogue.user_store()
    check_name(name, store, replace)
    check_file(file, (".onnx",))
    shown = str(picture) if picture is not None else None
    runner = backends.choose(backend).name
    task = Task(file=str(file), backend=runner, recipe=recipe, picture=shown, persons=persons)
    verdict = judge(task)
    if not verdict.accepted:
        raise NetworkRefused(verdict)
    engine = take_in(file, name, verdict.recipe, backend=backend, store=store, replace=replace)
    return Added(engine, verdict)


def take_in(
    file: Path,
    name: str,
    recipe: Recipe,
    *,
    backend: str = "auto",
    store: Path | None = None,
    replace: bool = False,
) -> KnownEngine:
    """Time a network that has been judged and store it as `name`. Raises EngineError."""
    store = store or catalogue.user_store()
    check_name(name, store, replace)
    runner = backends.choose(backend)
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=store) as folder:
        draft = Path(folder) / "engine"
        draft.mkdir()
        copied = Path(shutil.copyfile(file, draft / f"{name}.onnx"))
        entry = _examined(file, copied, name, recipe, runner)
        (draft / MANIFEST).write_bytes(msgspec.yaml.encode(Manifest([entry])))
        place = store / name
        if place.exists():
            place.rename(Path(folder) / "replaced")
        draft.rename(place)
    return KnownEngine(entry, place, shipped=False)


def check_name(name: str, store: Path, replace: bool) -> None:
    """Raises CatalogueError for a name that is malformed, ours, or taken (without `replace`)."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise CatalogueError(f"name {name!r}: use at most 64 small letters, digits, '.', '_' and '-'")
    if any(engine.entry.name == name for engine in catalogue.known_engines(store) if engine.shipped):
        raise CatalogueError(f"name {name!r} belongs to an engine that came with tagsight: use another")
    if (store / name).exists() and not replace:
        raise CatalogueError(f"an engine called {name!r} is there already: use another name or --replace")


def _examined(file: Path, copied: Path, name: str, recipe: Recipe, runner: Backend) -> EngineEntry:
    """The manifest entry of a network, from running it."""
    plain_s = trial_s(PersonDetector(runner, NetworkSource(copied, recipe), threads=0))
    bf16 = False
    if runner.name == "openvino" and cpu.has_bf16():
        quicker: Precision = "bf16"
        bf16_s = trial_s(PersonDetector(runner, NetworkSource(copied, recipe, quicker), threads=0))
        bf16 = bf16_s < CLEARLY_FASTER * plain_s
    return EngineEntry(
        name=name,
        files=[EngineFile(file=copied.name, sha256=catalogue.sha256_of(copied), bf16=bf16)],
        about=f"added from {file.name}",
        **{key: getattr(recipe, key) for key in Recipe.__struct_fields__},
    )


def trial_s(detector: PersonDetector) -> float:
    """Median seconds for one picture of noise (the first run, which compiles, is left out)."""
    width, height = TRIAL_PICTURE_WH
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    detector.detect(picture)
    took_s = []
    for _ in range(TRIALS):
        start_s = time.perf_counter()
        detector.detect(picture)
        took_s.append(time.perf_counter() - start_s)
    return statistics.median(took_s)
