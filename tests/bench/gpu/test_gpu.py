"""What measures a GPU runs over the fake too, and says so; without either it says "not run"."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli import bench
from bench.gpu.power import PowerMeter, board_power
from engines import backends
from engines.cuda import libraries
from engines.cuda.errors import GpuError
from testing.gpu.host_kernels.build import compiler

Say = Callable[..., str]


@pytest.fixture
def say() -> Say:
    def run(*arguments: str) -> str:
        return CliRunner().invoke(bench, list(arguments), catch_exceptions=False).output

    return run


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise GpuError("no NVIDIA driver is here")

    for module in ("engines", "density", "kernels.on_gpu"):
        monkeypatch.setattr(f"bench.gpu.{module}.open_gpu", none)
    monkeypatch.setattr("runtime.vision.executors.choice.open_gpu", none)


@pytest.fixture
def stand_in() -> None:
    if not libraries.installed() or compiler() is None or "onnxruntime" not in backends.installed():
        pytest.skip("needs pycuda or cuda-bindings, g++ and onnxruntime")


@pytest.mark.parametrize("command", [("engines", "--gpu"), ("density",), ("kernels", "--gpu")])
def test_without_a_gpu_nothing_is_measured_and_the_reason_is_said(
    no_gpu: None, say: Say, command: tuple[str, ...]
) -> None:
    assert say(*command) == "not run: no GPU (no NVIDIA driver is here)\n"
    assert json.loads(say(*command, "--json")) == {"not_run": "not run: no GPU (no NVIDIA driver is here)"}


def test_latencies_of_stages_and_settings_over_the_stand_in(stand_in: None, say: Say, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    size = ("--picture", "320x240", "--batches", "1,2", "--rounds", "2")
    told = json.loads(say("engines", "--gpu", "--stand-in", *size, "--out", str(tmp_path), "--json"))
    assert "host build, no GPU" in told["device"]
    assert set(told["stages_ms"]) == {"1", "2"}
    assert {"fetch", "letterbox", "network", "decode and suppress", "results"} == set(told["stages_ms"]["1"])
    settings = {(row["setting"], row["batch"]): row for row in told["settings"]}
    assert len(settings) == 8
    assert "no copy" in settings["as shipped", 1]["frames"]
    assert "copy on the CPU" in settings["frames copied", 1]["frames"]
    assert settings["as shipped", 2]["graphs"] and not settings["no graphs", 2]["graphs"]
    assert settings["one batch in flight", 1]["in_flight"] == 1
    assert all(row["fps"] > 0 and row["gpu_ms"]["p50"] > 0 for row in told["settings"])
    assert told["memory_mb"] > 1
    assert json.loads((tmp_path / "gpu.json").read_text()) == told
    assert cv2.imread(str(tmp_path / "gpu.png")) is not None


def test_density_over_the_stand_in_and_on_the_processor(stand_in: None, say: Say, tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 10, (192, 144))
    for level in range(5):
        video.write(np.full((144, 192, 3), 40 * level, np.uint8))
    video.release()
    given = ("--cameras", "2,1", "--seconds", "0.1", "--clip", str(clip), "--json")
    over = json.loads(say("density", "--stand-in", *given))
    assert "host build, no GPU" in over["where"]
    by_processor = json.loads(say("density", "--on", "processor", *given))
    assert "on the CPU" in by_processor["where"]
    for told in (over, by_processor):
        assert [row["cameras"] for row in told["results"]] == [1, 2]
        assert all(
            row["fps"] == pytest.approx(row["cameras"] * row["fps_a_camera"]) for row in told["results"]
        )
        assert told["carried"] == pytest.approx(max(row["fps"] for row in told["results"]) / 10)


def test_the_kernels_checks_run_where_memory_is_the_gpus(stand_in: None, say: Say) -> None:
    told = json.loads(say("kernels", "--stand-in", "--rounds", "0.1", "--json"))
    assert told["where"] == "stand-in (host build, no GPU)"
    assert 0 < told["largest_error"]["letterbox fp16, values 0 to 1"] < 2.5e-4


@pytest.mark.parametrize(
    ("line", "watts"),
    [
        ("RAM 2448/7620MB CPU [1%@729] GR3D_FREQ 0% VDD_IN 4760mW/4760mW VDD_CPU_GPU_CV 1078mW/1078mW", 4.76),
        ("RAM 1903/3964MB EMC_FREQ 0% POM_5V_IN 2545/2545 POM_5V_GPU 0/0", 2.545),
        ("RAM 2448/7620MB CPU [1%@729]", None),
    ],
)
def test_power_of_a_board_is_read_from_tegrastats(line: str, watts: float | None) -> None:
    assert board_power(line) == watts


def test_power_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.gpu.power.nvml_power", lambda: None)
    monkeypatch.setattr("bench.gpu.power.shutil.which", lambda name: None)
    with PowerMeter() as power:
        pass
    assert (power.mean_w, power.source) == (None, "")


def test_tegrastats_is_listened_to_and_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "tegrastats"
    script.write_text("#!/bin/sh\nwhile :; do echo VDD_IN 5000mW/5000mW; sleep 0.05; done\n")
    script.chmod(0o755)
    monkeypatch.setattr("bench.gpu.power.nvml_power", lambda: None)
    monkeypatch.setattr("bench.gpu.power.shutil.which", lambda name: str(script))
    with PowerMeter() as power:
        process = power._tegrastats
        while power.mean_w is None:
            pass
    assert power.mean_w == 5.0
    assert process is not None and process.wait(5.0) != 0, "it was told to end"
