"""What common detectors find in the picture that networks are tried on; its README has the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import backends
from engines.catalogue import SHIPPED
from engines.catalogue.judging.task import Task
from engines.catalogue.judging.verdict import pass_verdict

THERE = 7


@pytest.mark.parametrize(
    ("file", "decoder", "least"),
    [
        ("det-yolox-nano/yolox_nano.onnx", "yolox", 7),
        ("det-nanodet-m/nanodet_m_320.onnx", "nanodet", 7),
        ("det-nanodet-m/nanodet_m_416.onnx", "nanodet", 7),
        ("det-fastestdet/FastestDet.onnx", "fastestdet", 6),
        ("det-yolov8n-int8/yolov8n_int8.onnx", "yolov8", 7),
        ("det-omz-person-retail-0013/person-detection-retail-0013.xml", "ssd", 7),
        ("det-omz-pedestrian-adas-0002/pedestrian-detection-adas-0002.xml", "ssd", 7),
    ],
)
def test_a_common_detector_is_taken_in(shared_data: Path, file: str, decoder: str, least: int) -> None:
    backend = "openvino" if file.endswith(".xml") else "onnxruntime"
    if backend not in backends.installed():
        pytest.skip(f"{backend} is not installed")
    verdict = pass_verdict(Task(file=str(shared_data / file), backend=backend))
    assert verdict.accepted, verdict.reason
    assert (verdict.decoder, verdict.persons_there) == (decoder, THERE)
    assert verdict.persons_found >= least


@pytest.mark.parametrize("name", ["person-detector", "person-detector-lite"])
def test_ours_are_taken_in(name: str) -> None:
    verdict = pass_verdict(Task(file=str(SHIPPED / f"{name}.onnx"), backend="onnxruntime"))
    assert (verdict.accepted, verdict.decoder, verdict.persons_found) == (True, "ltrb", THERE), verdict.reason
