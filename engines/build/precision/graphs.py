"""ONNX graphs before they are compiled: reading them whole, and the few changes every precision needs.

Needs the package onnx, which the daemon itself does without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper

from engines.backends.files import check_file
from engines.catalogue import sha256_of
from engines.errors import WeightsError

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operations that take nearly all of the time; what no such operation comes after is cheap."""

Model = Any
Node = Any


def read(path: Path) -> Model:
    """The model of an ONNX file with its external data. Raises WeightsError for anything else."""
    check_file(path, (".onnx",))
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError) as error:
        raise WeightsError(f"{path}: the file is damaged, cut short or not ONNX") from error
    if not model.graph.node or not model.graph.output or not model.graph.input:
        raise WeightsError(f"{path}: the file holds no network: damaged, cut short or not ONNX")
    for place in _external_places(path, model):
        check_file(place, (place.suffix,))
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, OSError, RuntimeError) as error:
        raise WeightsError(f"{path}: is no valid ONNX network ({_sentence(error)})") from error
    return model


def content_digest(path: Path) -> str:
    """SHA-256 of a network: of the file, and of its external data where it has some. Raises WeightsError."""
    check_file(path, (".onnx",))
    digest = sha256_of(path)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError) as error:
        raise WeightsError(f"{path}: the file is damaged, cut short or not ONNX") from error
    places = _external_places(path, model)
    if not places:
        return digest
    together = hashlib.sha256(digest.encode())
    for place in places:
        check_file(place, (place.suffix,))
        together.update(f"{place.name} {sha256_of(place)}".encode())
    return together.hexdigest()


def _external_places(path: Path, model: Model) -> list[Path]:
    """The files beside a network that hold its weights; only files in its own folder are allowed."""
    names = {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in names:
        if len(PurePosixPath(name).parts) != 1 or name in ("", ".", ".."):
            raise WeightsError(f"{path}: wants weights from {name!r}; they must lie in the same folder")
    return [path.parent / name for name in sorted(names)]


def widened(model: Model) -> Model:
    """The same network with plain fp32 weights: none stored in fp16 and cast, none behind an Identity."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    casts = [node for node in graph.node if _widens(node, stored)]
    for node in casts:
        values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Identity" and node.input[0] in stored]:
        copy = graph.initializer.add()
        copy.CopyFrom(stored[node.input[0]])
        copy.name = node.output[0]
        stored[copy.name] = copy
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    return model


def _widens(node: Node, stored: dict[str, Any]) -> bool:
    return (
        node.op_type == "Cast"
        and node.input[0] in stored
        and stored[node.input[0]].data_type == TensorProto.FLOAT16
        and node.attribute[0].i == TensorProto.FLOAT
    )


def named(model: Model) -> Model:
    """The same network with a name for every node, so that a fault can say where it is."""
    taken = {node.name for node in model.graph.node}
    for place, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{place}"
            while node.name in taken:
                node.name += "_"
            taken.add(node.name)
    return model


def pinned(model: Model, path: Path, size_wh: tuple[int, int]) -> Model:
    """The same network for images of one size, every tensor's type and shape known as far as they follow.

    Raises WeightsError where the network takes another size, or its shapes do not fit each other.
    """
    width, height = size_wh
    dimensions = image_input(model, path).type.tensor_type.shape.dim
    for place, side, what in ((2, height, "height"), (3, width, "width")):
        given = dimensions[place].dim_value
        if given not in (0, side):
            raise WeightsError(f"{path}: the network's {what} is {given}, not {side}")
        dimensions[place].dim_value = side
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return inferred(model, path)


def inferred(model: Model, path: Path) -> Model:
    """The same network with types and shapes worked out. Raises WeightsError with the node at fault."""
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: its parts do not fit each other ({_sentence(error)})") from error


def image_input(model: Model, path: Path) -> Any:
    """The network's one input of images [batch, 3, height, width], fp32. Raises WeightsError."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in weights]
    if len(inputs) != 1:
        raise WeightsError(f"{path}: must have one input, and has {len(inputs)}")
    form = inputs[0].type.tensor_type
    if form.elem_type != TensorProto.FLOAT:
        raise WeightsError(f"{path}: its input {inputs[0].name!r} must be fp32")
    sides = [side.dim_value for side in form.shape.dim]
    if len(sides) != 4 or sides[1] not in (0, 3) or (sides[1] == 0 and sides[3] == 3):
        raise WeightsError(f"{path}: its input {inputs[0].name!r} is no picture [batch, 3, height, width]")
    return inputs[0]


def fixed_batch(model: Model, path: Path) -> int | None:
    """The number of images the network takes at once, or None where it is free."""
    return image_input(model, path).type.tensor_type.shape.dim[0].dim_value or None


def before_heavy(nodes: Iterable[Node]) -> set[str]:
    """Names of the nodes whose results reach a heavy operation, and of those operations.

    What is left turns the last heavy results into answers: cheap, and too wide for 8 or 16 bits.
    """
    nodes = list(nodes)
    maker = {output: node for node in nodes for output in node.output}
    todo = [node for node in nodes if node.op_type in HEAVY]
    reached: dict[str, Node] = {}
    while todo:
        node = todo.pop()
        if node.name not in reached:
            reached[node.name] = node
            todo += [maker[name] for name in node.input if name in maker]
    return set(reached)


def first_heavy(nodes: Iterable[Node]) -> set[str]:
    """Names of the heavy operations that no other one comes before: those that see pixels."""
    nodes = list(nodes)
    maker = {output: node for node in nodes for output in node.output}
    first = set()
    for start in nodes:
        if start.op_type not in HEAVY:
            continue
        todo, seen = [maker[name] for name in start.input if name in maker], set()
        while todo and todo[-1].op_type not in HEAVY:
            node = todo.pop()
            if node.name not in seen:
                seen.add(node.name)
                todo += [maker[name] for name in node.input if name in maker]
        if not todo:
            first.add(start.name)
    return first


def _sentence(error: Exception) -> str:
    """What onnx says, on one line, without the C++ behind it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = " ".join(lines[:3])
    return words if len(words) <= 240 else words[:239] + "…"
