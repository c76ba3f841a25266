"""A network is judged in a process of its own, with limits; what was found out about a file is kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import msgspec

from engines.backends.files import check_file
from engines.catalogue import Recipe, sha256_of, trust, user_store
from engines.catalogue.judging.task import NetworkRefused, NetworkVerdict, Task
from engines.catalogue.source import FILE_SUFFIXES, NetworkSource
from engines.errors import EngineError, StoreError, WeightsError
from tagsight.worker import Worker

CHILD = "engines.catalogue.judging.child"
LIMIT_S = 300.0
ONE_ARENA = {"MALLOC_ARENA_MAX": "2"}
TOLD_EVERY_S = 5.0
"""A supervisor that waits for a word is given one in time."""
MEMORY_BYTES = 4 << 30
MIN_MEMORY_BYTES = 256 << 20
SHARE_OF_FREE = 0.7
VERSION = 1
"""Of the judgement: another one judges files again."""
KEPT = ".judged"
NAMELESS = "<file>"
"""Stands for the file in verdicts that are kept: the same bytes may be called otherwise next time."""
MAX_KEPT = 64
MAX_VERDICT_BYTES = 1 << 20

OnWait = Callable[[float], None]


def judge(task: Task, *, limit_s: float = LIMIT_S, on_wait: OnWait = lambda took_s: None) -> NetworkVerdict:
    """Whether a network finds persons, and how. Raises EngineError for a missing file or picture.

    on_wait: called with the seconds it has taken so far, at once and every `TOLD_EVERY_S` until it is over.
    """
    check_file(Path(task.file), FILE_SUFFIXES)
    free = _free_bytes()
    allowed = min(task.memory_bytes, max(MIN_MEMORY_BYTES, int(SHARE_OF_FREE * free)))
    absolute = {
        "file": str(Path(task.file).absolute()),
        "picture": str(Path(task.picture).absolute()) if task.picture else None,
    }
    asked = msgspec.structs.replace(task, memory_bytes=allowed, **absolute)
    with tempfile.TemporaryFile() as said:
        status, answer = _ask(asked, said, limit_s, on_wait)
        if answer:
            told = msgspec.json.decode(answer, type=NetworkVerdict | str)
            if isinstance(told, str):
                raise EngineError(told.replace(asked.file, task.file))
            return _renamed(told, asked.file, task.file)
        raise WeightsError(f"{task.file}: {_death(status, said, allowed, limit_s)}")


def _renamed(verdict: NetworkVerdict, before: str, name: str) -> NetworkVerdict:
    """The verdict with the file called by another name."""
    return msgspec.structs.replace(verdict, reason=verdict.reason.replace(before, name))


def _ask(task: Task, said: IO[bytes], limit_s: float, on_wait: OnWait) -> tuple[int | None, bytes]:
    """Exit status (None at the time limit) and answer of the child, of which nothing is left."""
    with Worker(CHILD, msgspec.json.encode(task), said, ONE_ARENA) as worker:
        status = _ended(worker.process, limit_s, on_wait)
        worker.end()
        return status, b"" if status is None else io.BufferedReader(worker.answers).read(MAX_VERDICT_BYTES)


def _ended(process: subprocess.Popen[bytes], limit_s: float, on_wait: OnWait) -> int | None:
    """Its exit status; None where it still runs at the time limit."""
    began_s = time.monotonic()
    while (took_s := time.monotonic() - began_s) < limit_s:
        on_wait(took_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(min(TOLD_EVERY_S, limit_s - took_s))
    return None


def _death(status: int | None, said: IO[bytes], allowed: int, limit_s: float) -> str:
    """Why a child that gave no answer is gone."""
    said.seek(0)
    lines = said.read(MAX_VERDICT_BYTES).decode(errors="replace").strip().splitlines()
    last = lines[-1][:200] if lines else "it said nothing"
    if status is None:
        return f"was not judged within {limit_s:.0f} s: too slow for this machine, or it never ends"
    if status == -signal.SIGKILL or "MemoryError" in last or "bad_alloc" in last:
        return f"asks for more than the {allowed / 1e9:.1f} GB of memory it may have here"
    if status < 0:
        return f"crashes the library that runs it ({signal.Signals(-status).name}); export it again"
    return f"cannot be run: {last}"


def _free_bytes() -> int:
    """Memory that is there to be had, by the kernel's estimate."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return MEMORY_BYTES


def judged(
    source: NetworkSource,
    backend: str,
    store: Path | None,
    size: tuple[int, int] | None = None,
    on_wait: OnWait = lambda took_s: None,
) -> NetworkSource:
    """The source with a recipe that was found out, where its own names no decoder.

    A verdict is kept in the user's store under the file's SHA-256, so that a file is judged once. on_wait: as
    in `judge`; never called where a verdict is there. Raises Refused, and EngineError for a file that is not
    there.
    """
    if source.recipe.decoder is not None:
        return source
    check_file(source.path, FILE_SUFFIXES)
    asked = msgspec.structs.replace(source.recipe, input=size or source.recipe.input)
    place = (store or user_store()) / KEPT / f"{_key(source.path, asked, backend)}.json"
    verdict = _kept(place)
    if verdict is None:
        task = Task(file=str(source.path), backend=backend, recipe=asked)
        verdict = judge(task, limit_s=LIMIT_S, on_wait=on_wait)
        if verdict.lasting:
            _keep(place, _renamed(verdict, str(source.path), NAMELESS))
    if not verdict.accepted:
        raise NetworkRefused(_renamed(verdict, NAMELESS, str(source.path)))
    found_out = msgspec.structs.replace(verdict.recipe, input=source.recipe.input)
    return replace(source, recipe=found_out)


def _key(path: Path, recipe: Recipe, backend: str) -> str:
    together = hashlib.sha256(f"{VERSION} {backend} {sha256_of(path)} ".encode())
    if path.suffix == ".xml":
        together.update(sha256_of(path.with_suffix(".bin")).encode())
    together.update(msgspec.json.encode(recipe))
    return together.hexdigest()


def _kept(place: Path) -> NetworkVerdict | None:
    if not place.is_file():
        return None
    try:
        return msgspec.json.decode(trust.read_private(place, MAX_VERDICT_BYTES), type=NetworkVerdict)
    except (StoreError, OSError, msgspec.DecodeError):
        return None


def _keep(place: Path, verdict: NetworkVerdict) -> None:
    """Where the store cannot be written to, the file is judged again next time."""
    with contextlib.suppress(StoreError, OSError):
        place.parent.parent.mkdir(parents=True, exist_ok=True)
        trust.make_private_folder(place.parent)
        kept = sorted(place.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[: max(0, len(kept) - MAX_KEPT + 1)]:
            old.unlink()
        trust.write_private(place, msgspec.json.encode(verdict))
