"""What runs only where a GPU is. Not run so far: no machine with one was at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.parity import compare
from engines import backends
from engines.cuda.compile import cubin_for
from engines.cuda.driver import open_gpu
from engines.cuda.errors import GpuError


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


@pytest.mark.gpu
def test_the_gpu_finds_the_persons_of_the_cpu_path(compiled_for_the_gpu: None, shared_data: Path) -> None:
    clip = shared_data / "video-mot15-pets09-s2l1" / "PETS09-S2L1.mp4"
    if "onnxruntime" not in backends.installed() or not clip.is_file():
        pytest.skip("needs onnxruntime and PETS09-S2L1.mp4")
    for camera in compare(clip, 100, "auto").cameras:
        assert camera.boxes > 500
        assert camera.unmatched_boxes <= camera.boxes // 100
        assert camera.other_track_points <= camera.track_points // 100
