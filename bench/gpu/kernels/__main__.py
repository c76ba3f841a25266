"""Builds a unit of kernels and runs the checks: `python -m bench.gpu.kernels [--sanitize] [FILE.cu]`.

Prints the largest errors as JSON and exits with 0, or says what is wrong and exits with 1. A process of its
own, because a faulty kernel may end it and because the sanitizers must be loaded before Python.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.gpu.kernels.cases import Mismatch
from bench.gpu.kernels.checks import CHECKS, run_checks
from testing.gpu.host_kernels.build import HostKernels, HostKernelsError, build


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.kernels")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--rounds", type=float, default=1.0)
    parser.add_argument("--only", action="append", choices=list(CHECKS))
    given = parser.parse_args()
    kernels = None if given.file is None else given.file.read_text()
    try:
        with tempfile.TemporaryDirectory() as folder:
            runner = HostKernels(build(Path(folder), kernels=kernels, sanitize=given.sanitize))
            errors = run_checks(runner, given.rounds, tuple(given.only or CHECKS))
    except (HostKernelsError, Mismatch) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(errors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
