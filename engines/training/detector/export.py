"""Exports a trained detector: ONNX with half-precision storage, and an 8-bit Q/DQ file for CPUs with VNNI."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from engines.evaluation.accuracy import letterboxed
from engines.evaluation.pool import Image, read_image, read_index
from engines.models.detector import WIDTHS, DetectorNet
from engines.training.loop import TrainingProgress, read_checkpoint
from engines.training.manifest import digest, update

OPSET = 17
NAMES = {"full": "person-detector", "lite": "person-detector-lite"}
QUANTISED_OPERATORS = ["Conv", "ConvTranspose", "MaxPool", "Concat", "Add", "Relu"]
QUANTISED_PARTS = ("/backbone", "/fusion", "/heads")
CALIBRATION_SIZES = [(416, 320), (640, 384), (320, 320)]
PIXEL_STEP = 256 / 255
"""Of the quantised pixels: 0..255 become 0..254."""


def folded(net: DetectorNet) -> DetectorNet:
    """A copy whose pixel scale is part of the stem's weights, so that the graph starts with a convolution."""
    net = copy.deepcopy(net).eval()
    stem = net.backbone.stem[0]
    assert isinstance(stem, nn.Conv2d)
    with torch.no_grad():
        stem.weight.mul_(net.pixel_scale)
    net.pixel_scale = 1.0
    return net


def write_onnx(net: DetectorNet, path: Path, example_size: tuple[int, int] = (416, 320)) -> None:
    """Writes the net in fp32 with free batch, height and width."""
    width, height = example_size
    torch.onnx.export(
        folded(net),
        (torch.zeros(1, 3, height, width),),
        str(path),
        input_names=["images"],
        output_names=["predictions"],
        dynamic_axes={"images": {0: "n", 2: "height", 3: "width"}, "predictions": {0: "n", 1: "cells"}},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)


def store_as_half(source: Path, target: Path) -> None:
    """Halves the file: weights are stored in fp16 and cast to fp32 when the net is loaded."""
    model = onnx.load(str(source))
    graph = model.graph
    kept, casts = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 256:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node(
                "Cast", [stored], [tensor.name], name=f"{tensor.name}.cast", to=TensorProto.FLOAT
            )
        )
    nodes = casts + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(target))


class _Calibration:
    """Letterboxed pictures for onnxruntime's quantiser."""

    def __init__(self, images: list[Image], sizes: list[tuple[int, int]]) -> None:
        self._batches = self._make(images, sizes)

    @staticmethod
    def _make(images: list[Image], sizes: list[tuple[int, int]]) -> Iterator[dict[str, NDArray[np.float32]]]:
        for index, image in enumerate(images):
            yield {"images": letterboxed(image, sizes[index % len(sizes)])[0]}

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def nodes_after_the_heads(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that turn head outputs into distances and scores; those are too wide for 8 bits."""
    return [node.name for node in graph.node if not node.name.startswith(QUANTISED_PARTS)]


def write_int8(source: Path, target: Path, images: list[Image], sizes: list[tuple[int, int]]) -> None:
    """Quantises an fp32 export (write_onnx) with calibration pictures.

    Weights are signed, symmetric, per channel; activations are unsigned with their own zero point, which VNNI
    takes as they are. Biases stay in fp32, and so does everything after the last convolutions.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        options: dict[str, Any] = {
            "QuantizeBias": False,
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
        }
        quantize_static(
            str(prepared),
            str(target),
            _Calibration(images, sizes),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_OPERATORS,
            nodes_to_exclude=nodes_after_the_heads(onnx.load(str(prepared)).graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=options,
        )
    quantised = onnx.load(str(target))
    keep_predictions_exact(quantised.graph)
    step_of_pixels(quantised.graph)
    onnx.checker.check_model(quantised, full_check=True)
    onnx.save(quantised, str(target))


def keep_predictions_exact(graph: onnx.GraphProto) -> None:
    """Takes the quantiser's rounding off the heads' outputs: log distances need more than 8 bits."""
    exact = {output for node in graph.node if node.name.endswith("/predict/Conv") for output in node.output}
    quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] in exact]
    rounded = {node.output[0]: node.input[0] for node in quantisers}
    restorers = [
        node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in rounded
    ]
    source_of = {node.output[0]: rounded[node.input[0]] for node in restorers}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in source_of:
                node.input[place] = source_of[name]
    for node in quantisers + restorers:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def step_of_pixels(graph: onnx.GraphProto) -> None:
    """Makes the pixels' 8-bit step a little wider than one.

    Fed with 8-bit pixels, OpenVINO takes a step of exactly one for no quantisation at all and runs the first
    convolution, the largest of the graph, in floating point.
    """
    (entrance,) = [
        node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "images"
    ]
    (step,) = [tensor for tensor in graph.initializer if tensor.name == entrance.input[1]]
    step.CopyFrom(numpy_helper.from_array(np.array(PIXEL_STEP, np.float32), step.name))


def calibration_pictures(pool: Path, count: int = 120) -> list[Image]:
    """Training pictures spread evenly over the pool."""
    entries = [entry for entry in read_index(pool) if not entry.held_out]
    return [read_image(pool / entry.file) for entry in entries[:: max(1, len(entries) // count)]]


def export_all(checkpoint: Path, pool: Path, folder: Path) -> list[Path]:
    """Writes `NAME.onnx`, `NAME-int8.onnx` (NAMES has them) and their manifest entry into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    net, training, name = trained(checkpoint)
    half, quantised = folder / f"{name}.onnx", folder / f"{name}-int8.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        write_onnx(net, full)
        store_as_half(full, half)
        write_int8(full, quantised, calibration_pictures(pool), CALIBRATION_SIZES)
    files = [
        {"file": half.name, "precision": "f32", "sha256": digest(half), "bf16": True},
        {"file": quantised.name, "precision": "int8", "sha256": digest(quantised), "bf16": True},
    ]
    facts = {"steps": training.step, "minutes": round(training.trained_s / 60)}
    update(folder, name, {"files": files, "training": facts})
    for path in (half, quantised):
        print(f"{path}: {path.stat().st_size:,} bytes, sha256 {digest(path)}")
    return [half, quantised]


def trained(checkpoint: Path) -> tuple[DetectorNet, TrainingProgress, str]:
    """The averaged net of a checkpoint, how far its training had come, and the net's name."""
    state = read_checkpoint(checkpoint)
    width = state.get("width", "full")
    net = DetectorNet(WIDTHS[width])
    net.load_state_dict(state["average"])
    net.eval()
    return net, TrainingProgress(state["step"], state["trained_s"]), NAMES[width]
