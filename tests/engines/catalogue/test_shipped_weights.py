"""The weights in the repository: unbroken, small, and able to see people."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from engines import backends
from engines.backends.protocol import CompilePlan
from engines.evaluation.accuracy import decode, letterboxed
from engines.evaluation.pool import with_heads, yolo_boxes
from engines.evaluation.teachers import overlap

onnxruntime = pytest.importorskip("onnxruntime")

NAMES = ("person-detector", "person-detector-lite")
FILES = tuple(f"{name}{kind}.onnx" for name in NAMES for kind in ("", "-int8"))
LARGEST_BYTES = 4_000_000


@pytest.fixture(scope="module")
def weights(repo: Path) -> Path:
    return repo / "engines" / "weights"


@pytest.fixture(scope="module")
def entries(weights: Path) -> dict[str, dict[str, Any]]:
    manifest = yaml.safe_load((weights / "manifest.yaml").read_text())
    return {item["name"]: item for item in manifest["engines"] if item["name"] in NAMES}


def run(path: Path, batch: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["predictions"], {"images": batch})[0])


def test_every_file_of_the_manifest_is_the_one_that_was_measured(
    weights: Path, entries: dict[str, dict[str, Any]]
) -> None:
    files = [file for entry in entries.values() for file in entry["files"]]
    assert {file["file"] for file in files} == set(FILES)
    for file in files:
        content = (weights / file["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(content) <= LARGEST_BYTES


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("size", [(416, 320), (320, 320), (640, 384)])
def test_the_net_takes_any_multiple_of_32_and_answers_in_pixels(
    weights: Path, file: str, size: tuple[int, int]
) -> None:
    width, height = size
    rows = run(weights / file, np.full((2, 3, height, width), 114, np.float32))
    assert rows.shape == (2, sum((width // s) * (height // s) for s in (8, 16, 32)), 5)
    assert np.isfinite(rows).all()
    assert (rows[..., :4] >= 0).all()
    assert ((rows[..., 4] >= 0) & (rows[..., 4] <= 1)).all()
    assert rows[..., 4].max() < 0.3, "a plain grey picture has nobody in it"


@pytest.mark.parametrize("file", FILES)
def test_the_net_finds_the_people_of_street_photos(
    weights: Path, shared_data: Path, entries: dict[str, dict[str, Any]], file: str
) -> None:
    """Held-out photos; every boxed person counts. 0.8 leaves room for the labels' own faults."""
    folder = shared_data / "img-street-people"
    found = wanted = 0
    for path in sorted((folder / "images").glob("*.jpg"))[:400:20]:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        batch, scale = letterboxed(image, (416, 320))
        seen = decode(run(weights / file, batch)[0], (416, 320), scale)
        boxes = with_heads(yolo_boxes(folder / "labels" / f"{path.stem}.txt", image.shape[1], image.shape[0]))
        sure = seen.boxes[seen.scores >= entries[file.removesuffix(".onnx").removesuffix("-int8")]["score"]]
        wanted += len(boxes)
        found += int((overlap(boxes, sure).max(1) > 0.5).sum()) if len(sure) else 0
    assert wanted >= 20
    assert found >= 0.8 * wanted


@pytest.mark.parametrize("file", FILES)
def test_a_wide_frame_shows_no_fewer_people_at_640_by_384(
    weights: Path, shared_data: Path, entries: dict[str, dict[str, Any]], file: str
) -> None:
    """Six frames spread over the held-out part of the supermarket clip, 1920 x 1080."""
    capture = cv2.VideoCapture(str(shared_data / "video-retail-nvidia" / "retail.mp4"))
    frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    seen = {(416, 256): 0, (640, 384): 0}
    for share in (0.82, 0.85, 0.88, 0.91, 0.94, 0.97):
        capture.set(cv2.CAP_PROP_POS_FRAMES, round(share * frames))
        there, frame = capture.read()
        assert there
        for size in seen:
            batch, scale = letterboxed(np.asarray(frame, np.uint8), size)
            found = decode(run(weights / file, batch)[0], size, scale)
            boxes = found.boxes[
                found.scores >= entries[file.removesuffix(".onnx").removesuffix("-int8")]["score"]
            ]
            assert (boxes[:, 2] > 0).all() and (boxes[:, 0] < frame.shape[1]).all()
            seen[size] += len(boxes)
    assert seen[640, 384] >= seen[416, 256] >= 20


def test_both_runtimes_read_the_same_answer_from_the_same_file(weights: Path) -> None:
    openvino = pytest.importorskip("openvino")
    batch = np.random.default_rng(1).integers(0, 256, (1, 3, 96, 128)).astype(np.float32)
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(str(weights / FILES[0])), "CPU", options)
    theirs, ours = np.asarray(compiled([batch])[0]), run(weights / FILES[0], batch)
    assert np.allclose(theirs, ours, rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="8-bit kernels of OpenVINO are x86_64's")
def test_openvino_runs_every_convolution_of_the_8_bit_net_in_8_bits(weights: Path, name: str) -> None:
    pytest.importorskip("openvino")
    network = backends.choose("openvino").read(weights / f"{name}-int8.onnx")
    session: Any = network.compile(CompilePlan(64, 64))
    model = session._requests[0].get_compiled_model().get_runtime_model()
    layers = [layer.get_rt_info() for layer in model.get_ordered_ops()]
    convolutions = [layer for layer in layers if layer["layerType"].astype(str).startswith("Convolution")]
    kinds = [layer["primitiveType"].astype(str) for layer in convolutions]
    assert len(kinds) > 20
    assert [kind for kind in kinds if not kind.endswith("I8")] == []
