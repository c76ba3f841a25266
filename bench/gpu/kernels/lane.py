"""Runs the checks in a process of their own, plain or under AddressSanitizer and UBSan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from bench.inputs import REPO
from testing.gpu.host_kernels.build import HostKernelsError, compiler

LANE_LIMIT_S = 240.0


@dataclass(frozen=True)
class LaneVerdict:
    """How a lane ended: the largest errors, or what it found wrong."""

    errors: dict[str, float] = field(default_factory=dict)
    fault: str | None = None


@lru_cache(maxsize=1)
def address_sanitizer() -> Path:
    """The sanitizer's library, to be loaded before Python. Raises HostKernelsError where it is not there."""
    command = compiler()
    if command is None:
        raise HostKernelsError("no C++ compiler is here (g++)")
    found = subprocess.run(
        [command, "-print-file-name=libasan.so"], capture_output=True, text=True, timeout=20, check=False
    )
    library = Path(found.stdout.strip())
    if not library.is_absolute() or not library.exists():
        raise HostKernelsError(f"{command} has no AddressSanitizer here (libasan)")
    trial = subprocess.run(
        [sys.executable, "-c", ""],
        env={**os.environ, **_preloaded(library)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if trial.returncode:
        raise HostKernelsError(f"Python does not run with {library} loaded: {_gist(trial.stderr)}")
    return library.resolve()


def _preloaded(library: Path) -> dict[str, str]:
    options = "detect_leaks=0:detect_stack_use_after_return=0"
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": options}


def run_lane(
    kernels: Path | None = None, *, sanitize: bool = False, rounds: float = 1.0, only: tuple[str, ...] = ()
) -> LaneVerdict:
    """Check the kernels in the file, or our own. Raises HostKernelsError where nothing can be built."""
    if compiler() is None:
        raise HostKernelsError("no C++ compiler is here (g++)")
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "bench.gpu.kernels", "--rounds", str(rounds)]
    command += [f"--only={name}" for name in only]
    if sanitize:
        environment.update(_preloaded(address_sanitizer()))
        command.append("--sanitize")
    if kernels is not None:
        command.append(str(kernels))
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LANE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return LaneVerdict(fault=f"no end after {LANE_LIMIT_S:.0f} s")
    if ended.returncode:
        return LaneVerdict(fault=_gist(ended.stderr) or f"the process ended with {ended.returncode}")
    return LaneVerdict(errors=json.loads(ended.stdout))


def _gist(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if "runtime error" in line or "ERROR: AddressSanitizer" in line]
    return (marked or lines or [""])[0 if marked else -1][:160]
