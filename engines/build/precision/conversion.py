"""One network in fp32, fp16 or 8 bits: the precision is in the ONNX, as strongly typed TensorRT wants it.

fp16 and 8 bits stop at the last convolutions: what comes after turns a few numbers into boxes or vectors,
costs next to nothing and needs the range. Inputs and outputs stay fp32 for every precision.

8 bits: scales without zero points (signed, symmetric), per channel for weights, and biases left alone, which
is what every TensorRT takes. The first convolution, which reads pixels, and those of each channel for itself
(depthwise) are left in fp16.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.build.key import Precision
from engines.build.precision import graphs
from engines.build.precision.graphs import Model, Node
from engines.errors import BackendError, BuildError, WeightsError

HALF_SCALE_OPSET = 19
"""The first in which scales may be fp16."""

QUANTISED = ("Conv", "ConvTranspose")
OWN_GRAPHS = ("If", "Loop", "Scan")
MAX_HALF = 65_504.0
FP32_INPUTS = {"Resize": (1, 2)}
"""Inputs that ONNX wants in fp32 whatever the rest is."""

Samples = Sequence[NDArray[np.float32]]
"""Network inputs [1, 3, height, width]."""


def plain(path: Path, size_wh: tuple[int, int]) -> Model:
    """The fp32 network for images of one size. Raises WeightsError."""
    return graphs.named(graphs.pinned(graphs.widened(graphs.read(path)), path, size_wh))


def prepared(
    path: Path, size_wh: tuple[int, int], precision: Precision, *, typed: bool, quantised: bytes | None = None
) -> bytes:
    """The ONNX that is given to TensorRT. Raises WeightsError, BuildError.

    typed: precision is in the network (TensorRT 10 and later). Where it is not, TensorRT chooses among the
    precisions it is allowed, and networks go in with fp32 between. quantised: `quantise`'s network, for int8.
    """
    if precision == "int8":
        if quantised is None:
            raise BuildError(f"{path}: no 8-bit network was made of it yet; give --frames")
        model = onnx.load_from_string(quantised)
        return serialised(halved(model, path) if typed else model)
    model = plain(path, size_wh)
    return serialised(halved(model, path) if typed and precision == "fp16" else model)


def serialised(model: Model) -> bytes:
    """As a file would hold it."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def halved(model: Model, path: Path) -> Model:
    """The same network with fp16 up to the last heavy operations. Raises WeightsError with the node."""
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        model = _newer(model, path)
    inside = graphs.before_heavy(model.graph.node)
    half: list[Node] = []
    wide: list[Node] = []
    for node in model.graph.node:
        if node.op_type in OWN_GRAPHS:
            raise WeightsError(
                f"{path}: node {node.name!r} ({node.op_type}) holds a graph of its own; use fp32"
            )
        (half if node.name in inside else wide).append(node)
    _halve_weights(model, path, half, wide)
    entering = _halve_inputs(model.graph, half)
    for node in half:
        _halve_attributes(node)
    leaving = _widen_results(model.graph, half, wide)
    nodes = list(_in_order([*entering, *half, *leaving, *wide]))
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    return graphs.inferred(model, path)


def _newer(model: Model, path: Path) -> Model:
    if model.opset_import[0].version >= HALF_SCALE_OPSET:
        return model
    try:
        newer = onnx.version_converter.convert_version(model, HALF_SCALE_OPSET)
        return graphs.named(graphs.inferred(newer, path))
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        said = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: cannot be brought to ONNX opset {HALF_SCALE_OPSET} ({said})") from error


def _keeps_fp32(node: Node, place: int) -> bool:
    return place in FP32_INPUTS.get(node.op_type, ())


def _halve_weights(model: Model, path: Path, half: list[Node], wide: list[Node]) -> None:
    floats = {t.name: t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT}
    still = {name for node in wide for name in node.input}
    still |= {name for node in half for i, name in enumerate(node.input) if _keeps_fp32(node, i)}
    made: set[str] = set()
    for node in half:
        for place, name in enumerate(node.input):
            if name not in floats or _keeps_fp32(node, place):
                continue
            if name not in made:
                values = numpy_helper.to_array(floats[name])
                if values.size and float(np.abs(values).max()) > MAX_HALF:
                    raise WeightsError(
                        f"{path}: weights of node {node.name!r} are too large for fp16; use fp32"
                    )
                model.graph.initializer.append(
                    numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16")
                )
                made.add(name)
            node.input[place] = f"{name}.fp16"
    for name in made - still:
        model.graph.initializer.remove(floats[name])


def _halve_inputs(graph: Any, half: list[Node]) -> list[Node]:
    casts = []
    for entry in graph.input:
        if entry.type.tensor_type.elem_type != TensorProto.FLOAT:
            continue
        readers = [node for node in half if entry.name in node.input]
        if readers:
            inner = f"{entry.name}.fp16"
            casts.append(helper.make_node("Cast", [entry.name], [inner], name=inner, to=TensorProto.FLOAT16))
            _rename(readers, {entry.name: inner})
    return casts


def _halve_attributes(node: Node) -> None:
    for attribute in node.attribute:
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(values))


def _widen_results(graph: Any, half: list[Node], wide: list[Node]) -> list[Node]:
    """Casts from fp16 to fp32 for what the rest of the network, or the caller, reads."""
    results = {name for node in half for name in node.output}
    kinds = {entry.name: entry.type.tensor_type.elem_type for entry in (*graph.value_info, *graph.output)}
    casts = []
    answers = {entry.name for entry in graph.output}
    for name in sorted(results):
        readers = [node for node in wide if name in node.input]
        if kinds.get(name) != TensorProto.FLOAT or not (readers or name in answers):
            continue
        inner, outer = (f"{name}.fp16", name) if name in answers else (name, f"{name}.fp32")
        casts.append(helper.make_node("Cast", [inner], [outer], name=f"{name}.fp32", to=TensorProto.FLOAT))
        if name in answers:
            _rename(half, {name: inner}, outputs=True)
        else:
            _rename(readers, {name: outer})
    return casts


def _rename(nodes: list[Node], names: dict[str, str], *, outputs: bool = False) -> None:
    for node in nodes:
        for field in (node.input, node.output) if outputs else (node.input,):
            for place, name in enumerate(field):
                field[place] = names.get(name, name)


def _in_order(nodes: list[Node]) -> Iterator[Node]:
    """Every node after those whose results it reads."""
    maker = {output: node for node in nodes for output in node.output}
    done: set[str] = set()
    for start in nodes:
        todo = [start]
        while todo:
            node = todo[-1]
            waits = [maker[name] for name in node.input if name in maker and maker[name].name not in done]
            if node.name in done or not waits:
                todo.pop()
                if node.name not in done:
                    done.add(node.name)
                    yield node
            else:
                todo += waits


def quantise(path: Path, size_wh: tuple[int, int], samples: Samples) -> bytes:
    """The 8-bit network, calibrated on the CPU with network inputs. Raises WeightsError, BuildError."""
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    except ImportError as error:
        raise BackendError("8-bit networks are made with onnxruntime: pip install 'tagsight[gpu]'") from error
    model = plain(path, size_wh)
    inside = graphs.before_heavy(model.graph.node)
    name = graphs.image_input(model, path).name
    pixels = graphs.first_heavy(model.graph.node)
    spared = [
        node.name
        for node in model.graph.node
        if node.name not in inside or node.name in pixels or _is_depthwise(node)
    ]
    options: dict[str, Any] = {
        "QuantizeBias": False,
        "WeightSymmetric": True,
        "ActivationSymmetric": True,
        "OpTypesToExcludeOutputQuantization": list(QUANTISED),
    }
    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory(prefix="tagsight-int8-") as folder:
            source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(serialised(model))
            quantize_static(
                str(source),
                str(target),
                _Reader(name, samples),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                nodes_to_exclude=spared,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options=options,
            )
            made = graphs.named(onnx.load(str(target)))
    except (ValueError, RuntimeError) as error:
        raise BuildError(
            f"{path}: cannot be brought to 8 bits ({' '.join(str(error).split())[:200]})"
        ) from error
    finally:
        logging.getLogger().removeFilter(_no_advice)
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise BuildError(f"{path}: has no convolution that could be brought to 8 bits; use fp16")
    check_symmetric(made, path)
    return serialised(graphs.inferred(made, path))


def _is_depthwise(node: Node) -> bool:
    """A convolution of each channel for itself: little work, and the first to suffer from 8 bits."""
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)


def _no_advice(record: logging.LogRecord) -> bool:
    """onnxruntime's advice on pre-processing: the network was prepared by us."""
    return "pre-processing" not in record.getMessage()


class _Reader:
    """Network inputs for onnxruntime's calibration, one after the other."""

    def __init__(self, name: str, samples: Samples) -> None:
        self._name = name
        self._left = iter(samples)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        sample = next(self._left, None)
        return None if sample is None else {self._name: sample}


def check_symmetric(model: Model, path: Path) -> None:
    """Raises BuildError with the node whose scale has a zero point, or whose bias is in 8 or 32 bits."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = weights.get(node.input[2]) if len(node.input) > 2 else None
        if zero is not None and np.any(numpy_helper.to_array(zero)):
            raise BuildError(
                f"{path}: node {node.name!r} has a zero point; TensorRT takes only symmetric scales"
            )
        stored = weights.get(node.input[0])
        if stored is not None and stored.data_type == TensorProto.INT32:
            raise BuildError(f"{path}: node {node.name!r} is a quantised bias, which TensorRT does not take")
