"""From a network to an engine in use: built, compared with the network, put into use or into quarantine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.cuda import libraries
from testing.gpu.host_kernels.build import build_stand_in, compiler

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """What became of a good engine, a wrong one, one the device refuses, and another good one."""
    rtx = os.environ.get("TAGSIGHT_TENSORRT_RTX")
    if not rtx:
        pytest.skip("not run: no TensorRT-RTX (scripts/fetch-tensorrt-rtx)")
    if compiler() is None or "cuda-bindings" not in libraries.installed():
        pytest.skip("not run: no C++ compiler, or no cuda-bindings, for the fake libcuda")
    folder = tmp_path_factory.mktemp("verified")
    libcuda = build_stand_in(folder)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libcuda.parent),
        "TAGSIGHT_STAND_IN": "integrated,register,read_only",
        "PYTHONPATH": os.pathsep.join((str(REPO), rtx)),
    }
    script = Path(__file__).with_name("verified_build.py")
    command = [sys.executable, str(script), str(folder / "plans"), "good", "wrong", "foreign", "good"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder / "plans", list(json.loads(ended.stdout.splitlines()[-1]))


def test_an_engine_that_answers_as_its_network_is_put_into_use(told: tuple[Path, list[dict]]) -> None:
    first = told[1][0]
    assert first["outcome"]["ending"] == "built"
    verified = first["outcome"]["verified"]
    assert verified["device"] == "stand-in"
    assert verified["samples"] == 4
    assert verified["mean"] < 0.01
    assert verified["latency_ms"] > 0
    assert first["in_use"] == "0"
    assert "in use; built " in first["lines"][0]
    assert "differs from the network by at most" in first["lines"][0]


@pytest.mark.parametrize(
    ("place", "why"),
    [(1, "its answers differ from the network's by"), (2, "does not take it on this device")],
)
def test_one_that_does_not_is_put_aside_and_the_old_one_stays_in_use(
    told: tuple[Path, list[dict]], place: int, why: str
) -> None:
    second = told[1][place]
    assert second["outcome"]["ending"] == "failed"
    assert "the new engine is not used" in second["outcome"]["why"]
    assert why in second["outcome"]["why"]
    assert second["in_use"] == "0"
    aside = Path(second["outcome"]["why"].rpartition("(kept in ")[2].rstrip(")"))
    assert why in (aside / "reason.txt").read_text()
    assert (aside / "engine.plan").is_file()
    assert (aside / "build.log").is_file()


def test_a_later_good_one_takes_over(told: tuple[Path, list[dict]]) -> None:
    assert told[1][3]["outcome"]["ending"] == "built"
    assert told[1][3]["in_use"] == "3"
    assert len(told[1][3]["lines"]) == 2, "the one before is kept"
    assert len(list((told[0] / "quarantine").iterdir())) == 2
