"""What an ONNX file says of itself before it is run: its classes, the memory it asks for, files it wants.

Runs in the judging process: a file may be made to hurt whoever reads it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper

from engines.errors import WeightsError

NAME_KEYS = ("names", "classes", "class_names", "labels", "id2label", "categories", "class_labels")
"""Metadata under which exporters write the classes' names: Ultralytics, transformers, and others."""
MAX_NAMES_BYTES = 1 << 18
MAX_CLASSES = 2_000
PERSONS = ("person", "persons", "people", "pedestrian", "pedestrians", "human", "humans")
MAX_TENSOR = 1 << 50


@dataclass(frozen=True)
class Facts:
    """Of a file."""

    names: tuple[str, ...] = ()
    """Of the classes, in order; empty where the file does not say."""
    task: str = ""
    """What the exporter says the network is for: `detect`, `segment`, `pose`, `obb`, `classify`."""


def read_facts(path: Path, size_wh: tuple[int, int], memory_bytes: int) -> Facts:
    """Raises WeightsError for a file that is no network, wants other files, or asks for too much memory.

    size_wh: of the image it would be given.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError) as error:
        raise WeightsError(f"{path}: the file is damaged, cut short or not ONNX") from error
    if not model.graph.node or not model.graph.output or not model.graph.input:
        raise WeightsError(f"{path}: the file holds no network: damaged, cut short or not ONNX")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model.graph)):
        raise WeightsError(f"{path}: keeps its weights in another file; export it as one file")
    peak, where = memory_of(model, size_wh)
    if peak > memory_bytes:
        raise WeightsError(
            f"{path}: asks for {peak / 1e9:,.1f} GB of memory for one picture ({where}), and may have "
            f"{memory_bytes / 1e9:.1f} GB; it is no detector, or was exported for another input"
        )
    said = {entry.key: entry.value for entry in model.metadata_props}
    return Facts(names_from(said), said.get("task", "").strip().lower()[:40])


def names_from(said: dict[str, str]) -> tuple[str, ...]:
    """The classes' names from a file's metadata: a list, or a table by number, as Python or JSON has it."""
    for key in NAME_KEYS:
        text = said.get(key, "").strip()
        if text and len(text) <= MAX_NAMES_BYTES:
            names = _listed(text)
            if names and len(names) <= MAX_CLASSES:
                return names
    return ()


def _listed(text: str) -> tuple[str, ...]:
    if text[0] not in "[{(":
        parts = text.split("\n" if "\n" in text else ",")
        return tuple(part.strip() for part in parts if part.strip())
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return ()
    if isinstance(value, dict):
        value = _by_number(value)
    if not isinstance(value, list | tuple):
        return ()
    return tuple(str(name.get("name", name) if isinstance(name, dict) else name) for name in value)


def _by_number(table: dict[Any, Any]) -> list[Any]:
    """Names in order from {0: 'person'} or {'person': 0}; numbers without a name have none."""
    if table and all(isinstance(value, int) for value in table.values()):
        table = {number: name for name, number in table.items()}
    try:
        numbered = {int(number): name for number, name in table.items()}
    except (TypeError, ValueError):
        return []
    if not numbered or min(numbered) < 0 or max(numbered) >= MAX_CLASSES:
        return []
    return [numbered.get(number, f"class {number}") for number in range(max(numbered) + 1)]


def person_among(names: tuple[str, ...]) -> int | None:
    """Number of the class that is a person, or None."""
    plain = [name.strip().lower() for name in names]
    for wanted in PERSONS:
        if wanted in plain:
            return plain.index(wanted)
    return None


def memory_of(model: Any, size_wh: tuple[int, int]) -> tuple[int, str]:
    """Bytes that the weights and the tensors that are alive at once take, and which node asks for the most.

    Free dimensions of the image are taken as `size_wh`, others as 1. What does not follow from the shapes
    counts as nothing: the process's limit is there for that.
    """
    graph = _sized(model, size_wh).graph
    weights = sum(_bytes(tensor.data_type, tensor.dims) for tensor in graph.initializer)
    sizes = {
        value.name: _bytes(value.type.tensor_type.elem_type, _sides(value))
        for value in (*graph.value_info, *graph.output, *graph.input)
        if value.type.HasField("tensor_type")
    }
    last_use = {name: place for place, node in enumerate(graph.node) for name in node.input}
    alive = sum(sizes.get(value.name, 0) for value in graph.input)
    peak, where = alive, "its input"
    ends: dict[int, list[str]] = {}
    for name, place in last_use.items():
        ends.setdefault(place, []).append(name)
    for place, node in enumerate(graph.node):
        alive += sum(sizes.get(name, 0) for name in node.output)
        if alive > peak:
            peak, where = alive, f"{node.op_type} {node.name or node.output[0]!r}"
        alive -= sum(sizes.get(name, 0) for name in ends.get(place, ()))
    return weights + peak, where


def _sized(model: Any, size_wh: tuple[int, int]) -> Any:
    """The model with its inputs' free sides settled and all that follows from them."""
    width, height = size_wh
    copy = type(model)()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        sides = value.type.tensor_type.shape.dim
        for place, side in enumerate(sides):
            if side.dim_value <= 0:
                colours_last = len(sides) == 4 and sides[3].dim_value == 3
                usual = (1, height, width, 3) if colours_last else (1, 3, height, width)
                side.dim_value = usual[place] if len(sides) == 4 else 1
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    del copy.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        return copy


def _sides(value: Any) -> list[int]:
    return [side.dim_value for side in value.type.tensor_type.shape.dim]


def _bytes(kind: int, sides: Any) -> int:
    """Of a tensor; 0 where a side is unknown."""
    try:
        count = helper.tensor_dtype_to_np_dtype(kind).itemsize
    except (KeyError, TypeError, ValueError):
        return 0
    for side in sides:
        count *= max(0, int(side))
    return min(count, MAX_TENSOR)


def _tensors(graph: Any) -> Iterator[Any]:
    """All tensors of a graph: its weights, constants in nodes, and those of graphs in nodes."""
    todo = [graph]
    while todo:
        inner = todo.pop()
        yield from inner.initializer
        for sparse in inner.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in inner.node:
            for attribute in node.attribute:
                yield from (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else []))
                todo += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
