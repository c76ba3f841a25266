"""Taking a user's network into the catalogue: checked, run once, stored with its checksum."""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from engines import backends, catalogue
from engines.backends import Backend, Precision, cpu
from engines.backends.files import check_file
from engines.catalogue import MANIFEST, NAME_PATTERN, EngineEntry, EngineFile, KnownEngine, Manifest, Recipe
from engines.detector import PersonDetector, Source
from engines.errors import CatalogueError, WeightsError

TRIAL_PICTURE_WH = (640, 480)
TRIALS = 7
CLEARLY_FASTER = 0.9
"""bfloat16 costs accuracy, so it must save a tenth of the time to be used."""


def add(
    file: Path,
    name: str,
    recipe: Recipe,
    *,
    backend: str = "auto",
    store: Path | None = None,
    replace: bool = False,
) -> KnownEngine:
    """Check a network, run it on a picture and store it as `name`.

    Raises EngineError for a file that is missing, damaged, no detector or beyond the back end, and for a name
    that is malformed or taken.
    """
    store = store or catalogue.user_store()
    check_name(name, store, replace)
    check_file(file, (".onnx",))
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
    detector = PersonDetector(runner, Source(file, recipe), threads=0)
    plain_s = trial_s(detector)
    bf16 = False
    if runner.name == "openvino" and cpu.has_bf16():
        quicker: Precision = "bf16"
        bf16_s = trial_s(PersonDetector(runner, Source(file, recipe, quicker), threads=0))
        bf16 = bf16_s < CLEARLY_FASTER * plain_s
    _check_complete(file, copied, runner)
    known = {key: getattr(recipe, key) for key in Recipe.__struct_fields__ if key != "decoder"}
    return EngineEntry(
        name=name,
        files=[EngineFile(file=copied.name, sha256=catalogue.sha256_of(copied), bf16=bf16)],
        decoder=detector.decoder.name,
        about=f"added from {file.name}",
        **known,
    )


def _check_complete(file: Path, copied: Path, runner: Backend) -> None:
    try:
        runner.read(copied)
    except WeightsError as error:
        raise WeightsError(f"{file}: keeps its weights in another file; export it as one file") from error


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
