"""The fake libcuda, and what runs over it in a process of its own: libcuda loads once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.cuda import libraries
from testing.gpu.host_kernels.build import build_stand_in, compiler

REPO = Path(__file__).resolve().parents[3]
RUN_LIMIT_S = 240.0

Run = Callable[..., dict[str, object]]


@pytest.fixture(scope="session")
def libcuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if compiler() is None:
        pytest.skip("no C++ compiler (g++) to build the fake libcuda with")
    return build_stand_in(tmp_path_factory.mktemp("libcuda"))


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def library(request: pytest.FixtureRequest) -> str:
    if request.param not in libraries.installed():
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def over_stand_in(libcuda: Path) -> Run:
    """Runs a script of this folder, or an absolute path, over a fake of those abilities: its JSON."""

    def run(script: str, abilities: str, *arguments: str) -> dict[str, object]:
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(libcuda.parent),
            "TAGSIGHT_STAND_IN": abilities,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(REPO), os.environ.get("PYTHONPATH")))),
        }
        ended = subprocess.run(
            [sys.executable, str(Path(__file__).parent / script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return dict(json.loads(ended.stdout.splitlines()[-1]))

    return run
