"""`tagsight engines build --all`, as a service runs it at boot, where networks are known that no GPU runs."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from engines import backends, catalogue
from engines.build import site as buildsite
from engines.build.cli import build as command
from engines.build.key import Machine
from engines.build.store import PlanStore
from engines.build.suitable import hindrance
from engines.catalogue import EngineEntry, EngineFile, KnownEngine, Recipe
from engines.catalogue.source import NetworkSource
from engines.cuda.errors import GpuError
from engines.cuda.stored import open_stored
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from tests.engines import exports
from tests.engines.networks import bright_spot_detector, constant_network

Make = Callable[[Path], Path]

AS_EXPORTED: dict[str, tuple[Make, Recipe, str]] = {
    "two-inputs": (exports.detections, Recipe(decoder="detections"), "must have one input, and has 2"),
    "colours-last": (
        partial(exports.yolov8, layout="nhwc"),
        Recipe(decoder="yolov8"),
        r"is no picture \[batch, 3, height, width\]",
    ),
    "8-bit": (partial(exports.yolov8, kind="u8"), Recipe(decoder="yolov8"), "'images' must be fp32"),
    "half": (partial(exports.yolov8, kind="f16"), Recipe(decoder="yolov8"), "'images' must be fp32"),
    "no-kernel": (
        exports.end2end,
        Recipe(decoder="end2end"),
        "no kernel decodes end2end outputs, kernels do ltrb, yolox, yolov8",
    ),
    "shares": (
        exports.yolov8_shares,
        Recipe(decoder="yolov8", box_units="shares"),
        "no kernel decodes yolov8 with boxes or scores of another kind",
    ),
    "logits": (
        exports.ltrb_logits,
        Recipe(decoder="ltrb", score_scale="logits"),
        "no kernel decodes ltrb with boxes or scores of another kind",
    ),
    "masks": (
        exports.segmentation_of_instances,
        Recipe(decoder="yolov8"),
        "no kernel decodes 2 outputs of yolov8, kernels do one",
    ),
    "classifier": (
        lambda path: constant_network(path, [np.zeros((1, 1000))]),
        Recipe(),
        r"outputs \[1, 1000\] are not those of a detector known here",
    ),
    "yolov8": (exports.yolov8, Recipe(decoder="yolov8"), ""),
    "unnamed": (exports.yolov8, Recipe(), ""),
    "yolox": (exports.yolox_raw, Recipe(decoder="yolox"), ""),
    "spots": (bright_spot_detector, Recipe(decoder="ltrb"), ""),
}
"""What an exporter wrote, how it is read, and why nothing is built for it; empty where something is."""
BY_THE_PROCESSOR = ("two-inputs", "colours-last", "8-bit", "no-kernel")


def known(folder: Path, name: str) -> KnownEngine:
    """In the user's catalogue, as `engines add` leaves it there."""
    make, recipe, _ = AS_EXPORTED[name]
    path = make(folder / f"{name}.onnx")
    files = [EngineFile(file=path.name, sha256=catalogue.sha256_of(path))]
    values = {key: getattr(recipe, key) for key in Recipe.__struct_fields__}
    return KnownEngine(EngineEntry(**values, name=name, files=files), folder, shipped=False)


@pytest.mark.parametrize("name", AS_EXPORTED)
def test_nothing_is_built_that_no_frame_would_be_seen_with(tmp_path: Path, name: str) -> None:
    engine, said = known(tmp_path, name), AS_EXPORTED[name][2]
    why = hindrance(engine, buildsite.source_of(engine))
    if said:
        assert re.fullmatch(f"not for the GPU: .*{said}.*; the CPU runs it", why), why
    else:
        assert why == ""


def test_colours_last_are_seen_where_the_sizes_are_free(tmp_path: Path) -> None:
    engine = known(tmp_path, "colours-last")
    model = onnx.load(str(tmp_path / "colours-last.onnx"))
    for place, side in enumerate(("n", "height", "width")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = side
    onnx.save(model, str(tmp_path / "colours-last.onnx"))
    assert "is no picture [batch, 3, height, width]" in hindrance(engine, tmp_path / "colours-last.onnx")


def test_where_no_kernel_decodes_nobody_is_sent_to_build_an_engine(tmp_path: Path) -> None:
    engine = known(tmp_path, "no-kernel")
    source = NetworkSource(tmp_path / "no-kernel.onnx", engine.entry)
    detector = PersonDetector(backends.choose("onnxruntime"), source, threads=1)
    with pytest.raises(GpuError, match=r"^no kernel decodes end2end outputs, kernels do"):
        open_stored(None, detector, (exports.SIDE, exports.SIDE))  # type: ignore[arg-type]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command where there is a TensorRT, which is never asked, and these engines are known."""
    machine = Machine(flavour="tensorrt", tensorrt="10.3.0")

    @contextlib.contextmanager
    def open_site(*asked: object) -> Iterator[buildsite.BuildSite]:
        yield buildsite.BuildSite(None, machine, PlanStore.open())  # type: ignore[arg-type]

    def run(engines: list[KnownEngine], *arguments: str) -> Result:
        by_name = {engine.entry.name: engine for engine in engines}
        monkeypatch.setattr(catalogue, "known_engines", lambda: engines)
        monkeypatch.setattr(catalogue, "find", by_name.__getitem__)
        return CliRunner().invoke(command, list(arguments))

    monkeypatch.setattr(buildsite, "open_site", open_site)
    return run


def test_at_boot_what_only_the_processor_runs_is_skipped_and_no_fault(
    tmp_path: Path, service: Callable[..., Result]
) -> None:
    engines = [known(tmp_path, name) for name in BY_THE_PROCESSOR]
    booted = service(engines, "--all")
    assert booted.exit_code == 0, booted.exception
    lines = booted.output.splitlines()
    assert len(lines) == len(engines)
    for name, line in zip(BY_THE_PROCESSOR, lines, strict=True):
        assert line.startswith(f"{name}: skipped, not for the GPU: ")
        assert line.endswith("; the CPU runs it")
    told = json.loads(service(engines, "--all", "--json").output)["engines"]
    assert {one["ending"] for one in told} == {"skipped"}


def test_a_fault_beside_skipped_networks_is_told_and_named_ones_are_faults(
    tmp_path: Path, service: Callable[..., Result]
) -> None:
    engines = [known(tmp_path, name) for name in ("two-inputs", "yolox")]
    (tmp_path / "yolox.onnx").write_bytes(b"damaged")
    booted = service(engines, "--all")
    assert isinstance(booted.exception, EngineError)
    assert "1 of 2 engines could not be built: " in str(booted.exception)
    assert "two-inputs" not in str(booted.exception)
    assert "two-inputs: skipped, " in booted.output
    asked = service(engines, "two-inputs")
    assert isinstance(asked.exception, EngineError)
    assert "1 of 1 engines could not be built: not for the GPU: " in str(asked.exception)
