"""Runs the checks in a process of their own, plain or under AddressSanitizer and UBSan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.inputs import REPO
from bench.kernel_double.build import DoubleError, compiler

LANE_LIMIT_S = 240.0


@dataclass(frozen=True)
class Verdict:
    """How a lane ended: the largest errors, or what it found wrong."""

    errors: dict[str, float] = field(default_factory=dict)
    fault: str | None = None


def address_sanitizer() -> Path:
    """The sanitizer's library, to be loaded before Python. Raises DoubleError where it is not here."""
    command = compiler()
    if command is None:
        raise DoubleError("no C++ compiler is here (g++)")
    found = subprocess.run(
        [command, "-print-file-name=libasan.so"], capture_output=True, text=True, timeout=20, check=False
    )
    library = Path(found.stdout.strip())
    if not library.is_absolute() or not library.exists():
        raise DoubleError(f"{command} has no AddressSanitizer here (libasan)")
    return library.resolve()


def run_lane(
    kernels: Path | None = None, *, sanitize: bool = False, rounds: float = 1.0, only: tuple[str, ...] = ()
) -> Verdict:
    """Check the kernels in the file, or our own. Raises DoubleError where there is nothing to build with."""
    if compiler() is None:
        raise DoubleError("no C++ compiler is here (g++)")
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "bench.kernel_double", "--rounds", str(rounds)]
    command += [f"--only={name}" for name in only]
    if sanitize:
        environment["LD_PRELOAD"] = str(address_sanitizer())
        environment["ASAN_OPTIONS"] = "detect_leaks=0:detect_stack_use_after_return=0"
        command.append("--sanitize")
    if kernels is not None:
        command.append(str(kernels))
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LANE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict(fault=f"no end after {LANE_LIMIT_S:.0f} s")
    if ended.returncode:
        return Verdict(fault=_gist(ended.stderr) or f"the process ended with {ended.returncode}")
    return Verdict(errors=json.loads(ended.stdout))


def _gist(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if "runtime error" in line or "ERROR: AddressSanitizer" in line]
    return (marked or lines or [""])[0 if marked else -1][:160]
