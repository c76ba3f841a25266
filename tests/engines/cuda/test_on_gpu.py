"""What runs only where a GPU is. Not run so far: no machine with one was at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gpu import engines as engines_gpu
from bench.gpu.kernels.on_gpu import check_on_gpu
from bench.gpu.parity import compare
from engines import backends
from engines.cuda.driver import open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.kernels.compile import cubin_for
from engines.cuda.stored import network_of
from engines.errors import EngineError
from engines.inference.detector import DEFAULT_WEIGHTS, PersonDetector


@pytest.fixture
def compiled_for_the_gpu() -> None:
    try:
        gpu = open_gpu()
    except GpuError as error:
        pytest.skip(str(error))
    try:
        gpu.load(cubin_for(gpu.facts.target, gpu.facts.driver_version))
    finally:
        gpu.close()


@pytest.fixture
def with_engine(compiled_for_the_gpu: None) -> None:
    """Skips where no engine was built and verified for 16:9 pictures."""
    detector = PersonDetector.open(DEFAULT_WEIGHTS)
    try:
        gpu = open_gpu()
        network_of(detector, detector.input_size_for(1920, 1080))
        gpu.close()
    except EngineError as error:
        pytest.skip(str(error))


@pytest.mark.gpu
def test_the_kernels_are_as_right_on_the_gpu_as_on_the_processor(compiled_for_the_gpu: None) -> None:
    _, errors = check_on_gpu(rounds=1.0)
    assert errors["letterbox fp32, values 0 to 1"] < 5e-5
    assert errors["letterbox fp16, values 0 to 1"] < 2.5e-4


@pytest.mark.gpu
def test_every_setting_is_measured_on_the_gpu(with_engine: None, tmp_path: Path) -> None:
    figures = engines_gpu.report(DEFAULT_WEIGHTS, (1920, 1080), (1, 4), 50, tmp_path)
    assert not isinstance(figures, str)
    assert {row.setting for row in figures.settings} == {each.name for each in engines_gpu.SETTINGS}
    assert all(0 < row.gpu_ms.p50 <= row.gpu_ms.p99 and row.fps > 0 for row in figures.settings)
    assert (tmp_path / "gpu.json").is_file() and (tmp_path / "gpu.png").is_file()


@pytest.mark.gpu
def test_the_gpu_finds_the_persons_of_the_cpu_path(with_engine: None, shared_data: Path) -> None:
    clip = shared_data / "video-mot15-pets09-s2l1" / "PETS09-S2L1.mp4"
    if "onnxruntime" not in backends.installed() or not clip.is_file():
        pytest.skip("needs onnxruntime and PETS09-S2L1.mp4")
    for camera in compare(clip, 100, "auto").cameras:
        assert camera.boxes > 300
        assert camera.unmatched_boxes <= camera.boxes // 100
        assert camera.other_track_points <= camera.track_points // 10
