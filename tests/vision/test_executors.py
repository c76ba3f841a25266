"""What looks at the frames of the vision process, and that it is chosen and said at the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engines import backends
from engines.cuda import libraries
from engines.cuda.errors import GpuError
from engines.inference.detector import PersonDetector
from runtime.vision.crop_inference import Heads
from runtime.vision.executors import choice
from runtime.vision.executors.choice import choose_executor
from runtime.vision.executors.cpu import CpuExecutor
from runtime.vision.executors.gpu_heads import choose_heads
from runtime.vision.heads import open_heads
from tests.engines.cuda.conftest import libcuda, library, over_stand_in
from tests.engines.networks import bright_spot_detector, mean_colour_network

__all__ = ["libcuda", "library", "over_stand_in"]

SCRIPT = str(Path(__file__).with_name("executor_on_gpu.py"))
HEADS = str(Path(__file__).with_name("heads_on_gpu.py"))
RECORDS_OFF = 0.2
"""Of a probability, with a network that judges how much of a crop is person: the GPU sees the detection's
box, the CPU the track's, which is smoothed."""
IN_PLACE = "read in place, no copy (integrated GPU, registered ring)"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = bright_spot_detector(tmp_path / "spots.onnx")
    path.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    return path


def test_with_a_gpu_the_process_reads_rings_in_place_and_follows_everybody(
    over_stand_in: Callable[..., dict[str, object]], library: str, weights: Path
) -> None:
    if "onnxruntime" not in backends.installed():
        pytest.skip("onnxruntime, which the fake TensorRT runs on, is not installed")
    if library != libraries.installed()[0]:
        pytest.skip("the process takes the first library that is here")
    result = over_stand_in(SCRIPT, "integrated,register,read_only,graphs,late", str(weights), "double")
    said = list(result["said"])  # type: ignore[call-overload]
    assert said[0] == f"persons are detected by stand-in, sm_87, CUDA 13.0 by {library}; frames: {IN_PLACE}"
    assert f"camera till: frames are {IN_PLACE}" in said
    assert "input 416 x 320: double in batches of 1, 2, a CUDA graph each, 2 in flight" in said
    assert result["tracks"] == [1, 1], "one walker in each camera, whatever order frames are finished in"
    there, back = result["steps"]  # type: ignore[misc]
    assert there == pytest.approx(80, abs=12) and back == pytest.approx(-80, abs=12)
    assert result["runs"] > 10, "the CPU looked instead"  # type: ignore[operator]
    assert (result["faults"], result["ended"]) == ([], [0])


def test_networks_on_crops_say_on_the_gpu_what_they_say_on_the_processor(
    over_stand_in: Callable[..., dict[str, object]], library: str, weights: Path, tmp_path: Path
) -> None:
    if library != libraries.installed()[0] or "onnxruntime" not in backends.installed():
        pytest.skip("the process takes the first library that is here; the fake needs onnxruntime")
    appearance = mean_colour_network(tmp_path / "colours.onnx")
    action = mean_colour_network(tmp_path / "brightness.onnx", logit=True)
    action.with_suffix(".yaml").write_text("grown: [0.3, 0.12]")
    given = (str(weights), str(appearance), str(action))
    result = over_stand_in(HEADS, "integrated,register,read_only,graphs,late", *given)
    crowd, few = result["persons"]  # type: ignore[misc]
    assert crowd == 10 and 2 <= few < 8
    assert result["looked_at"] == [8, few], "eight places a frame"
    assert max(result["looks_off"]) < 0.002  # type: ignore[call-overload]
    assert max(result["handling_off"]) < 0.002  # type: ignore[call-overload]
    assert max(result["completed"]) < 0.002, "the CPU looks at the other two"  # type: ignore[call-overload]
    assert result["records"] == [result["records"][0]] * 2  # type: ignore[index]
    assert result["judged"] > 10 and result["unjudged"] == 0  # type: ignore[operator]
    assert result["records_off"] < RECORDS_OFF  # type: ignore[operator]
    said = list(result["said"])  # type: ignore[call-overload]
    assert "appearance: colours on the GPU" in said and "action: brightness on the GPU" in said
    assert any("double, then colours, then brightness in batches of 1, 2" in line for line in said)
    assert min(result["runs"]) > 10, "the CPU looked instead"  # type: ignore[call-overload]
    assert result["faults"] == []


def test_without_engines_for_crops_the_processor_looks_and_each_is_said_once(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    appearance = mean_colour_network(tmp_path / "colours.onnx")
    action = mean_colour_network(tmp_path / "brightness.onnx", logit=True)
    heads = open_heads({"appearance": str(appearance), "action": str(action)}, backend="auto", threads=1)
    assert choose_heads(Heads(heads)).networks == ()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("runtime.")]
    assert [line.split(":")[0] for line in said] == ["appearance", "action"]
    assert all("on the CPU" in line and "has no TensorRT engine" in line for line in said)


def test_without_an_engine_the_processor_looks_and_it_is_said(
    over_stand_in: Callable[..., dict[str, object]], library: str, weights: Path
) -> None:
    if library != libraries.installed()[0]:
        pytest.skip("the process takes the first library that is here")
    result = over_stand_in(SCRIPT, "integrated", str(weights), "stored")
    said = list(result["said"])  # type: ignore[call-overload]
    assert any("on the CPU" in line and "has no TensorRT engine" in line for line in said)
    assert (result["tracks"], result["runs"]) == ([1, 1], 0)


def test_a_gpu_that_fails_ends_the_process_with_its_words(
    over_stand_in: Callable[..., dict[str, object]], library: str, weights: Path
) -> None:
    if library != libraries.installed()[0] or "onnxruntime" not in backends.installed():
        pytest.skip("the process takes the first library that is here; the fake needs onnxruntime")
    result = over_stand_in(SCRIPT, "integrated,register,read_only,graphs,late", str(weights), "fail")
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in str(result["detail"])
    assert result["ended"] == [1]


def test_without_a_gpu_the_processor_looks_and_the_description_says_why(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    def none() -> None:
        raise GpuError("no NVIDIA driver is here")

    monkeypatch.setattr(choice, "open_gpu", none)
    detector = PersonDetector.open(weights, threads=1)
    executor = choose_executor("auto", detector)
    assert isinstance(executor, CpuExecutor)
    assert executor.description == f"{detector.backend_name} on the CPU (no NVIDIA driver is here)"


def test_a_configured_back_end_is_taken_without_looking_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    def looked() -> None:
        raise AssertionError("a GPU was looked for")

    monkeypatch.setattr(choice, "open_gpu", looked)
    name = backends.installed()[0]
    executor = choose_executor(name, PersonDetector.open(weights, backend=name, threads=1))
    assert executor.description == f"{name} on the CPU (configured: engines.backend is {name})"
