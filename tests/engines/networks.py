"""Small ONNX networks for tests, built from operations whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
SUMMED = (1, 3549, 85)
SPOT_PX = 64
"""Side of the bright square that the network looks for, and of all its boxes."""


def bright_spot_detector(
    path: Path, *, size: tuple[int, int] | None = None, strides: Sequence[int] = STRIDES
) -> Path:
    """A detector in our own format: a cell's score is the brightness (0..1) of the square round its middle.

    size: (width, height) of a fixed input; None leaves batch, height and width free. Beside it goes a recipe
    that names its decoder: a file without one is judged by whether it finds persons, and this finds squares.
    """
    path.with_suffix(".yaml").write_text("decoder: ltrb\n", encoding="ascii")
    width, height = size or ("width", "height")
    nodes = [helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1)]
    constants = [
        _constant("scale", np.array(1 / 255, np.float32)),
        _constant("cells", np.array([0, -1, 1], np.int64)),
    ]
    rows = []
    for stride in strides:
        name = f"s{stride}"
        nodes += [
            helper.make_node(
                "AveragePool",
                ["grey"],
                [f"{name}.mean"],
                kernel_shape=[SPOT_PX, SPOT_PX],
                strides=[stride, stride],
                pads=[(SPOT_PX - stride) // 2] * 4,
            ),
            helper.make_node("Mul", [f"{name}.mean", "scale"], [f"{name}.unit"]),
            helper.make_node("Reshape", [f"{name}.unit", "cells"], [f"{name}.score"]),
            helper.make_node("Mul", [f"{name}.score", "nothing"], [f"{name}.zero"]),
            helper.make_node("Add", [f"{name}.zero", f"{name}.reach"], [f"{name}.side"]),
            helper.make_node("Concat", [f"{name}.side"] * 4 + [f"{name}.score"], [name], axis=2),
        ]
        constants.append(_constant(f"{name}.reach", np.array(SPOT_PX / 2, np.float32)))
        rows.append(name)
    constants.append(_constant("nothing", np.array(0, np.float32)))
    nodes.append(helper.make_node("Concat", rows, ["predictions"], axis=1))
    batch = "n" if size is None else 1
    graph = helper.make_graph(
        nodes,
        "bright spots",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, height, width])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, [batch, "cells", 5])],
        constants,
    )
    return save(graph, path)


def constant_network(
    path: Path, outputs: Sequence[np.ndarray], size: tuple[int, int] = (64, 64), decoder: str = ""
) -> Path:
    """A network that answers every picture with the same arrays; `decoder` is named in a recipe beside it."""
    if decoder:
        path.with_suffix(".yaml").write_text(f"decoder: {decoder}\n", encoding="ascii")
    width, height = size
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0)]
    nodes.append(helper.make_node("Mul", ["mean", "nothing"], ["zero"]))
    constants = [_constant("nothing", np.array(0, np.float32))]
    infos = []
    for index, array in enumerate(outputs):
        constants.append(_constant(f"answer{index}", array.astype(np.float32)))
        nodes.append(helper.make_node("Add", [f"answer{index}", "zero"], [f"output{index}"]))
        infos.append(helper.make_tensor_value_info(f"output{index}", TensorProto.FLOAT, array.shape))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])
    return save(helper.make_graph(nodes, "constant", [images], infos, constants), path)


def mean_colour_network(path: Path, size: tuple[int, int] = (32, 64), *, logit: bool = False) -> Path:
    """Answers a crop with its mean blue, green and red in 0..1; or with a logit, 8 (brightness - 0.5)."""
    width, height = size
    axes = [1, 2, 3] if logit else [2, 3]
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], axes=axes, keepdims=0)]
    scale = np.array(8 / 255 if logit else 1 / 255, np.float32)
    constants = [_constant("scale", scale), _constant("middle", np.array(4.0 if logit else 0.0, np.float32))]
    nodes.append(helper.make_node("Mul", ["mean", "scale"], ["scaled"]))
    if logit:
        constants.append(_constant("column", np.array([-1, 1], np.int64)))
        nodes.append(helper.make_node("Reshape", ["scaled", "column"], ["shaped"]))
    nodes.append(helper.make_node("Sub", ["shaped" if logit else "scaled", "middle"], ["answer"]))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, height, width])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", 1 if logit else 3])
    return save(helper.make_graph(nodes, "mean colour", [images], [answer], constants), path)


def unknown_operation_network(path: Path) -> Path:
    """A network with an operation that no library has."""
    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 64, 64]) for name in ("images", "out")
    ]
    node = helper.make_node("Levitate", ["images"], ["out"], domain="nowhere")
    graph = helper.make_graph([node], "unknown", info[:1], info[1:])
    return save(graph, path, [helper.make_opsetid("", 17), helper.make_opsetid("nowhere", 1)])


def external_weights_network(path: Path) -> Path:
    """A network whose weights lie in a second file beside it."""
    constant_network(path, [np.zeros((1, 84, 7))])
    location = f"{path.name}.data"
    onnx.save(
        onnx.load(str(path)), str(path), save_as_external_data=True, location=location, size_threshold=64
    )
    return path


def save(graph: onnx.GraphProto, path: Path, opsets: Sequence[onnx.OperatorSetIdProto] | None = None) -> Path:
    """Write a graph as an ONNX file that older runtimes read too."""
    model = helper.make_model(graph, opset_imports=opsets or [helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def _constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def summed_network(path: Path, nodes: list[onnx.NodeProto], **constants: object) -> Path:
    """From `images` (and its mean, `m`) by way of `big`, which `nodes` give, to outputs as YOLOX has them."""
    ends = [
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "shape"], ["out"]),
    ]
    first = helper.make_node("ReduceMean", ["images"], ["m"], keepdims=0)
    kept = {"shape": np.array(SUMMED, np.int64), **constants}
    graph = helper.make_graph(
        [first, *nodes, *ends],
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 416, 416])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, SUMMED)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in kept.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def takes_minutes(path: Path) -> Path:
    """About two on two cores; it ends, so that a limit that is not kept fails a test and does not hang it."""
    number = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go on"]), helper.make_node("Sin", ["a"], ["b"])],
        "body",
        [
            number("i", TensorProto.INT64, []),
            number("go", TensorProto.BOOL, []),
            number("a", TensorProto.FLOAT, []),
        ],
        [number("go on", TensorProto.BOOL, []), number("b", TensorProto.FLOAT, [])],
    )
    loop = helper.make_node("Loop", ["times", "yes", "m"], ["big"], body=body)
    return summed_network(path, [loop], times=np.int64(2_000_000), yes=np.array(True))
