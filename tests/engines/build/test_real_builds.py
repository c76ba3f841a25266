"""Real builds without a GPU: TensorRT-RTX's own parser and compiler, for an sm_86 that is not here.

Every shipped network, in every precision; running the results needs a GPU (test_on_gpu.py).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner, Result

from engines import catalogue
from engines.backends import tensorrt
from engines.build.cli import build as command
from engines.build.store import PlanStore
from engines.catalogue import EngineEntry, EngineFile, Manifest, Recipe, adding
from engines.errors import EngineError
from tests.engines import exports
from tests.engines.networks import bright_spot_detector, unknown_operation_network

SPOTS = Recipe(decoder="ltrb")
DETECTIONS = Recipe(decoder="detections", outputs=["labels", "boxes", "scores"])
SHIPPED = [engine.entry.name for engine in catalogue.known_engines(Path("/nowhere"))]
CLIP = os.environ.get("TAGSIGHT_CLIP", "")


@pytest.fixture(autouse=True)
def _rtx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.environ.get("TAGSIGHT_TENSORRT_RTX")
    if not folder:
        pytest.skip("not run: no TensorRT-RTX (scripts/fetch-tensorrt-rtx)")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))


JUDGES_COARSELY = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 24)
"""The last onnxruntime for Python 3.10 makes the same 8-bit network of the same frames and finds it worse."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of the sample clip, three seconds apart."""
    if not CLIP:
        pytest.skip("not run: no clip to calibrate with (scripts/fetch-clip)")
    folder = tmp_path_factory.mktemp("frames")
    film = cv2.VideoCapture(CLIP)
    for number in range(795):
        if not film.grab():
            break
        if number % 30 == 0:
            cv2.imwrite(str(folder / f"{number:04d}.png"), film.retrieve()[1])
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--target", "sm_86", "--batches", "1", "--json"])


def one_input(name: str) -> list[str]:
    """A single input size, where the network leaves it free."""
    return ["--input", "416x320"] if catalogue.find(name).entry.task == "detector" else []


def ended(result: Result, precision: str) -> dict:
    """The one engine that was asked for, built and published, not in use."""
    assert result.exit_code == 0, (result.output, result.exception)
    (told,) = json.loads(result.output)["engines"]
    assert told["ending"] == "built, not run"
    plans = PlanStore.open()
    (published,) = plans.everything()
    manifest = published.manifest
    assert manifest.precision == precision
    assert plans.read_plan(published)[:4] != b""
    assert manifest.plan_bytes > 100_000
    assert {tensor.dtype for tensor in (*manifest.inputs, *manifest.outputs)} == {"float32"}
    assert manifest.parts.machine.sm == 86
    assert not plans.in_use(published)
    assert plans.current(manifest.name, manifest.size_wh) is None, "nothing unverified is handed out"
    assert "Engine generation completed" in (published.folder / "build.log").read_text()
    return dict(told)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_shipped_network_builds(name: str, precision: str) -> None:
    ended(run(name, "--precision", precision, *one_input(name)), precision)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_network_builds_in_8_bits_or_is_refused_with_figures(name: str, frames: Path) -> None:
    asked = (name, "--precision", "int8", *one_input(name))
    refused = run(*asked)
    assert isinstance(refused.exception, EngineError)
    assert "needs frames of your cameras to calibrate with: --frames DIR" in str(refused.exception)
    judged = run(*asked, "--frames", str(frames))
    if judged.exit_code and (catalogue.find(name).entry.task != "detector" or JUDGES_COARSELY):
        refusal = r"int8 is refused: (cosine|correlation|box F1) [\d.]+ against fp32"
        assert re.search(refusal, str(judged.exception))
        assert PlanStore.open().everything() == []
        return
    ended(judged, "int8")
    again = run(*asked)
    assert json.loads(again.output)["engines"][0]["built_s"] is None, "it is not built twice"


def test_what_is_there_is_not_built_again_until_something_changes(tmp_path: Path) -> None:
    adding.take_in(
        bright_spot_detector(tmp_path / "spots.onnx", size=(64, 64)), "spots", Recipe(decoder="ltrb")
    )
    first = ended(run("spots"), "fp16")
    assert first["built_s"] is not None
    assert ended(run("spots"), "fp16")["built_s"] is None
    assert ended(run("spots", "--force"), "fp16")["built_s"] is not None
    changed = json.loads(run("spots", "--level", "2").output)["engines"][0]
    assert changed["built_s"] is not None
    assert changed["folder"] != first["folder"]


def test_at_boot_one_is_built_and_what_only_the_processor_runs_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding.take_in(bright_spot_detector(tmp_path / "spots.onnx", size=(64, 64)), "spots", SPOTS)
    adding.take_in(exports.detections(tmp_path / "two.onnx"), "two", DETECTIONS, backend="onnxruntime")
    engines = [engine for engine in catalogue.known_engines() if not engine.shipped]
    monkeypatch.setattr(catalogue, "known_engines", lambda: engines)
    result = run("--all")
    assert result.exit_code == 0, result.exception
    endings = {one["title"]: one["ending"] for one in json.loads(result.output)["engines"]}
    assert endings == {"spots 64x64 fp16": "built, not run", "two": "skipped"}


def kept(store: Path, name: str, file: Path) -> None:
    """Put a network into the user's catalogue without trying it, as a hand-edited folder might hold it."""
    folder = store / name
    folder.mkdir(parents=True)
    content = file.read_bytes()
    (folder / "own.onnx").write_bytes(content)
    files = [EngineFile(file="own.onnx", sha256=catalogue.sha256_of(file))]
    entry = EngineEntry(name=name, files=files, input=(64, 64), decoder="ltrb")
    (folder / "manifest.yaml").write_bytes(msgspec.yaml.encode(Manifest([entry])))


def test_an_operation_that_tensorrt_lacks_is_named_with_its_node(tmp_path: Path) -> None:
    kept(tmp_path / "store", "odd", unknown_operation_network(tmp_path / "odd.onnx"))
    result = run("odd", "--precision", "fp32")
    assert isinstance(result.exception, EngineError)
    said = str(result.exception)
    assert "node 'Levitate_0' (Levitate): TensorRT has no such operation" in said
    log = Path(said.rpartition("(log: ")[2].rstrip(")"))
    assert "Levitate" in log.read_text()
    assert PlanStore.open().everything() == []
    assert list((tmp_path / "store" / ".tensorrt").glob("building-*")) == []


def test_a_size_that_the_network_cannot_take_is_named_with_its_node() -> None:
    result = run("person-detector", "--precision", "fp32", "--input", "100x100")
    assert isinstance(result.exception, EngineError)
    assert "/fusion/" in str(result.exception)


def test_a_cut_file_is_refused_before_the_compiler_is_asked(tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((catalogue.SHIPPED / "person-detector.onnx").read_bytes()[:500_000])
    kept(tmp_path / "store", "cut", cut)
    result = run("cut")
    assert "the file is damaged, cut short or not ONNX" in str(result.exception)


def test_one_that_fails_does_not_keep_the_others_from_being_built(tmp_path: Path) -> None:
    kept(tmp_path / "store", "odd", unknown_operation_network(tmp_path / "odd.onnx"))
    adding.take_in(
        bright_spot_detector(tmp_path / "spots.onnx", size=(64, 64)), "spots", Recipe(decoder="ltrb")
    )
    result = run("odd", "spots")
    assert "1 of 2 engines could not be built" in str(result.exception)
    assert [one["ending"] for one in json.loads(result.output.splitlines()[0])["engines"]] == [
        "failed",
        "built, not run",
    ]


def test_a_device_the_library_does_not_know_is_refused() -> None:
    result = CliRunner().invoke(
        command, ["person-detector", "--target", "sm_87", "--input", "416x320", "--json"]
    )
    assert "cannot build for sm_87; it can for sm_75, sm_80, sm_86" in str(result.exception)


def test_a_dla_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(
        command, ["person-detector", "--target", "sm_86", "--batches", "4", "--dla", "0", "--json"]
    )
    assert "DLA core 0 was asked for, but" in str(result.exception)


def test_without_a_gpu_nothing_is_loaded(tmp_path: Path) -> None:
    if tensorrt.device_count():
        pytest.skip("a GPU is here")
    adding.take_in(
        bright_spot_detector(tmp_path / "spots.onnx", size=(64, 64)), "spots", Recipe(decoder="ltrb")
    )
    ended(run("spots"), "fp16")
    plans = PlanStore.open()
    (published,) = plans.everything()
    with pytest.raises(EngineError, match="no CUDA device is here"):
        tensorrt.load(tensorrt.find("tensorrt_rtx"), plans, published)


def test_calibration_needs_enough_pictures(tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        cv2.imwrite(str(few / f"{number}.png"), np.zeros((64, 64, 3), np.uint8))
    result = run("person-detector", "--precision", "int8", "--input", "416x320", "--frames", str(few))
    assert "holds 3 pictures that can be read" in str(result.exception)
