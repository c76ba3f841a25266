"""A benchmark run once more in a process that finds the fake where it looks for libcuda."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tagsight.errors import TagsightError

STAND_IN = "TAGSIGHT_STAND_IN"
ABILITIES = "integrated,register,read_only,graphs,late"
RUN_LIMIT_S = 550.0
LABEL = "host build, no GPU"


def is_here() -> bool:
    """Whether this process runs over the fake."""
    return STAND_IN in os.environ


def run(arguments: Sequence[str], abilities: str = ABILITIES) -> str:
    """What `tagsight ARGUMENTS` prints over the fake. Raises TagsightError with its last words."""
    from testing.gpu.host_kernels.build import build_stand_in

    with tempfile.TemporaryDirectory() as folder:
        build_stand_in(Path(folder))
        environment = {**os.environ, "LD_LIBRARY_PATH": folder, STAND_IN: abilities}
        # pycuda wants all of libcuda; bound lazily, it does without what is never called.
        script = f"import os, sys; sys.setdlopenflags({os.RTLD_LAZY}); from runtime.cli import main; main()"
        ended = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
    if ended.returncode:
        raise TagsightError((ended.stderr.strip().splitlines() or ["it failed"])[-1])
    return ended.stdout
