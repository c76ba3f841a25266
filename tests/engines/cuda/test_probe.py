"""`tagsight engines gpu` says in words what is here and what is used instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines.catalogue.cli import engines
from engines.cuda import driver, libraries
from testing.gpu.host_kernels.build import build_stand_in, compiler


def test_without_a_gpu_the_reason_and_the_fallback_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "installed", lambda: ())
    said = CliRunner().invoke(engines, ["gpu"], catch_exceptions=False).output
    assert "no GPU: no CUDA library for Python is here: pip install pycuda, or cuda-bindings" in said
    assert "persons are detected by" in said
    told = json.loads(CliRunner().invoke(engines, ["gpu", "--json"], catch_exceptions=False).output)
    assert told["gpu"] is None
    assert "pip install" in told["reason"]


def test_a_gpu_is_described_with_the_way_of_its_frames(repo: Path, tmp_path: Path) -> None:
    if "cuda-bindings" not in libraries.installed() or compiler() is None:
        pytest.skip("needs cuda-bindings, and g++ to build the fake libcuda with")
    build_stand_in(tmp_path)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(tmp_path),
        "TAGSIGHT_STAND_IN": "integrated,register",
        "PYTHONPATH": str(repo),
    }
    script = (
        f"import sys; sys.setdlopenflags({os.RTLD_LAZY})\n"
        "from engines.catalogue.cli import engines; engines(['gpu'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "stand-in: sm_87, 8 multiprocessors, 1.0 GiB, shared, CUDA 13.0" in ended.stdout
    assert f"frames: {driver.FrameTransfer.IN_PLACE.value}" in ended.stdout
