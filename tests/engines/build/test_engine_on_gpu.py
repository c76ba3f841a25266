"""On a machine with a GPU and TensorRT: engines built, verified, used, and left alone the second time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines import catalogue
from engines.backends import tensorrt
from engines.build import report
from engines.build.cli import build
from engines.build.store import PlanStore

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not tensorrt.device_count():
        pytest.skip("not run: no GPU")
    if not tensorrt.installed():
        pytest.skip("not run: no TensorRT for this Python")
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))


@pytest.mark.parametrize("name", [engine.entry.name for engine in catalogue.known_engines(Path("/nowhere"))])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_shipped_network_is_built_verified_and_used(name: str, precision: str) -> None:
    asked = [name, "--precision", precision, "--batches", "1,4", "--json"]
    first = CliRunner().invoke(build, asked)
    assert first.exit_code == 0, (first.output, first.exception)
    told = json.loads(first.output)["engines"]
    assert {one["ending"] for one in told} == {"built"}
    assert all(one["verified"]["latency_ms"] > 0 for one in told)
    plans = PlanStore.open()
    assert all(plans.in_use(one) for one in plans.everything())
    again = json.loads(CliRunner().invoke(build, asked).output)["engines"]
    assert {one["ending"] for one in again} == {"up to date"}
    states, not_run = report.states(run=True)
    assert not_run == ""
    assert all(state.run_now and not state.fault and not state.stale for state in states)
    assert list((plans.root / "timing").glob("*.cache")) or tensorrt.find().name == "tensorrt_rtx"
