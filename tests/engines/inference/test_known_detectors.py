"""Common detectors find the people of labelled frames about as often as they are known to.

Average precision at IoU 0.5 on every fifth frame of TUD-Campus and every fortieth of PETS09-S2L1. The figures
known from elsewhere (twice as many frames of the latter): yolox-nano .739/.933, nanodet-m-320 .828/.876,
nanodet-m-416 .777/.891, yolov8n .799/.898, fastestdet .798/.824, person-detection-retail-0013 .894/.918. A
wrong channel order, offset or scale costs far more than the margin.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.inference.detector import PersonDetector
from tests.engines.labelled import LabelledFrame, average_precision, clip_frames

MARGIN = 0.045


@pytest.fixture(scope="module")
def campus(shared_data: Path) -> list[LabelledFrame]:
    return list(clip_frames(shared_data / "video-mot15-tud-campus", every=5))


@pytest.fixture(scope="module")
def pets(shared_data: Path) -> list[LabelledFrame]:
    return list(clip_frames(shared_data / "video-mot15-pets09-s2l1", every=40))


@pytest.mark.parametrize(
    ("file", "decoder", "on_campus", "on_pets"),
    [
        ("det-yolox-nano/yolox_nano.onnx", "yolox", 0.739, 0.933),
        ("det-nanodet-m/nanodet_m_320.onnx", "nanodet", 0.828, 0.876),
        ("det-nanodet-m/nanodet_m_416.onnx", "nanodet", 0.777, 0.891),
        ("det-fastestdet/FastestDet.onnx", "fastestdet", 0.798, 0.824),
    ],
)
def test_an_onnx_detector_reaches_its_known_precision_without_being_told_its_decoder(
    shared_data: Path,
    campus: list[LabelledFrame],
    pets: list[LabelledFrame],
    file: str,
    decoder: str,
    on_campus: float,
    on_pets: float,
) -> None:
    detector = PersonDetector.open(shared_data / file, score=0.01)
    assert detector.decoder.name == decoder
    assert average_precision(detector, campus) == pytest.approx(on_campus, abs=MARGIN)
    assert average_precision(detector, pets) >= on_pets - MARGIN


def test_openvinos_own_format_is_read(
    shared_data: Path, campus: list[LabelledFrame], pets: list[LabelledFrame]
) -> None:
    pytest.importorskip("openvino")
    file = shared_data / "det-omz-person-retail-0013" / "person-detection-retail-0013.xml"
    detector = PersonDetector.open(file, score=0.01, backend="openvino")
    assert detector.decoder.name == "ssd"
    assert average_precision(detector, campus) == pytest.approx(0.894, abs=MARGIN)
    assert average_precision(detector, pets) >= 0.918 - MARGIN


def test_a_yolov8_style_network_is_read(shared_data: Path, campus: list[LabelledFrame]) -> None:
    file = shared_data / "det-yolov8n-int8" / "yolov8n_int8.onnx"
    detector = PersonDetector.open(file, score=0.01, backend="onnxruntime")
    assert detector.decoder.name == "yolov8"
    assert average_precision(detector, campus) == pytest.approx(0.799, abs=MARGIN)


def test_onnxruntime_finds_the_same_people(shared_data: Path, campus: list[LabelledFrame]) -> None:
    detector = PersonDetector.open(
        shared_data / "det-yolox-nano" / "yolox_nano.onnx", score=0.01, backend="onnxruntime"
    )
    assert average_precision(detector, campus) == pytest.approx(0.739, abs=MARGIN)
