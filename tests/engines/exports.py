"""Our own small detector, in the forms in which other people's exporters would write it.

Each function takes the path to write and gives it back. The boxes and scores are real: the network is ours,
and only what follows its last layer, or comes before its first, is another exporter's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from engines.catalogue import SHIPPED
from engines.inference.decoders import cells

SIDE = 416
CELLS = 3549
STRIDES = (8, 16, 32)
LISTED = 300
KINDS = {"f32": TensorProto.FLOAT, "u8": TensorProto.UINT8, "f16": TensorProto.FLOAT16}


class Graph:
    """A graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names = 0

    def constant(self, value: object, kind: type = np.float32) -> str:
        self.names += 1
        name = f"k{self.names}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(list(values), np.int64)

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        self.names += 1
        name = f"x{self.names}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def cut(self, table: str, start: int, end: int, axis: int) -> str:
        return self.add("Slice", table, self.ints(start), self.ints(end), self.ints(axis))

    def name(self, value: str, name: str) -> str:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name


class Ours(Graph):
    """The shipped network for a square input, up to `corners` (1, A, 4) in pixels and `score` (1, A, 1)."""

    def __init__(
        self,
        *,
        layout: str = "nchw",
        kind: str = "f32",
        scale: float = 1.0,
        mean: Sequence[float] = (0, 0, 0),
        rgb: bool = False,
        batch: int | str = 1,
        broken: Callable[[onnx.ModelProto], None] | None = None,
    ) -> None:
        """scale, mean (of the colours as they come): what the input is times and plus, to become 0..255."""
        super().__init__()
        self.layout, self.kind, self.batch = layout, kind, batch
        self.inputs: list[onnx.ValueInfoProto] = []
        net = onnx.load(str(SHIPPED / "person-detector-lite.onnx"))
        if broken is not None:
            broken(net)
        self.net = compose.add_prefix(net, "net/")
        picture = self.add("Cast", "images", to=TensorProto.FLOAT) if kind != "f32" else "images"
        if layout == "nhwc":
            picture = self.add("Transpose", picture, perm=[0, 3, 1, 2])
        if scale != 1.0:
            picture = self.add("Mul", picture, self.constant(scale))
        if any(mean):
            picture = self.add("Add", picture, self.constant(np.reshape(mean, (1, 3, 1, 1))))
        if rgb:
            picture = self.add("Gather", picture, self.ints(2, 1, 0), axis=1)
        self.nodes.append(helper.make_node("Identity", [picture], [self.net.graph.input[0].name]))
        self.before = len(self.nodes)
        rows = self.net.graph.output[0].name
        grid = cells(SIDE, SIDE, STRIDES)
        centre = self.constant(((grid[:, :2] + 0.5) * grid[:, 2:])[None])
        low = self.add("Sub", centre, self.cut(rows, 0, 2, 2))
        high = self.add("Add", centre, self.cut(rows, 2, 4, 2))
        self.rows, self.score = rows, self.cut(rows, 4, 5, 2)
        self.corners = self.add("Concat", low, high, axis=2)
        size = self.add("Sub", high, low)
        middle = self.add("Mul", self.add("Add", low, high), self.constant(0.5))
        self.centred = self.add("Concat", middle, size, axis=2)

    def classes(self, count: int, person: int, score: str = "") -> str:
        """(1, A, count): the score in the person's column, nothing in the others."""
        column = np.zeros((1, 1, count), np.float32)
        column[..., person] = 1
        return self.add("Mul", score or self.score, self.constant(column))

    def logits(self, shares: str) -> str:
        inside = self.add("Clip", shares, self.constant(1e-6), self.constant(1 - 1e-6))
        return self.add("Log", self.add("Div", inside, self.add("Sub", self.constant(1), inside)))

    def listed(self) -> tuple[str, str]:
        """Boxes (1, 300, 4) by their corners and scores (1, 300), suppressed, nothing after the last."""
        flat = self.add("Reshape", self.score, self.ints(1, 1, -1))
        chosen = self.add(
            "NonMaxSuppression",
            self.corners,
            flat,
            self.ints(LISTED),
            self.constant(0.6),
            self.constant(0.05),
        )
        rows = self.add("Reshape", self.cut(chosen, 2, 3, 1), self.ints(-1))
        boxes = self.add("Gather", self.corners, rows, axis=1)
        scores = self.add("Gather", self.score, rows, axis=1)
        both = self.add("Concat", boxes, scores, axis=2)
        zeros = self.constant(np.zeros((1, LISTED, 5)))
        whole = self.cut(self.add("Concat", both, zeros, axis=1), 0, LISTED, 1)
        return self.cut(whole, 0, 4, 2), self.add("Reshape", self.cut(whole, 4, 5, 2), self.ints(1, LISTED))

    def asks_size(self, kind: int = TensorProto.INT64) -> str:
        """A second input with the picture's width and height, as factors (1, 1, 4) of shares."""
        self.inputs.append(helper.make_tensor_value_info("orig_target_sizes", kind, [1, 2]))
        sizes = self.add("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
        return self.add("Reshape", self.add("Concat", sizes, sizes, axis=1), self.ints(1, 1, 4))

    def save(
        self, path: Path, outputs: dict[str, tuple[str, int]], metadata: dict[str, str] | None = None
    ) -> Path:
        """outputs: name to what it is and its number of dimensions; metadata: as the exporter writes it."""
        sides = ["n", 3, SIDE, SIDE] if self.layout == "nchw" else ["n", SIDE, SIDE, 3]
        sides[0] = self.batch
        images = helper.make_tensor_value_info("images", KINDS[self.kind], sides)
        infos = []
        for name, (value, dimensions) in outputs.items():
            self.name(value, name)
            kind = TensorProto.INT64 if name == "labels" else TensorProto.FLOAT
            infos.append(helper.make_tensor_value_info(name, kind, [None] * dimensions))
        graph = helper.make_graph(
            [*self.nodes[: self.before], *self.net.graph.node, *self.nodes[self.before :]],
            "export",
            [images, *self.inputs],
            infos,
            [*self.constants, *self.net.graph.initializer],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        for key, value in (metadata or {}).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        onnx.save(model, str(path))
        return path


def yolov8(
    path: Path, *, count: int = 80, person: int = 0, names: str | None = None, **input_: object
) -> Path:
    net = Ours(**input_)  # type: ignore[arg-type]
    table = net.add("Concat", net.centred, net.classes(count, person), axis=2)
    planes = net.add("Transpose", table, perm=[0, 2, 1])
    return net.save(path, {"output0": (planes, 3)}, {"names": names} if names else None)


def yolov8_rows(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    return net.save(path, {"output0": (net.add("Concat", net.centred, net.classes(80, 0), axis=2), 3)})


def yolov8_shares(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    boxes = net.add("Div", net.centred, net.constant(SIDE))
    table = net.add("Concat", boxes, net.classes(80, 0), axis=2)
    return net.save(path, {"output0": (net.add("Transpose", table, perm=[0, 2, 1]), 3)})


def yolov8_logits(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    table = net.add("Concat", net.centred, net.logits(net.classes(3, 0)), axis=2)
    return net.save(path, {"output0": (net.add("Transpose", table, perm=[0, 2, 1]), 3)})


def yolov8_corners(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    table = net.add("Concat", net.corners, net.classes(3, 0), axis=2)
    return net.save(path, {"output0": (net.add("Transpose", table, perm=[0, 2, 1]), 3)})


def segmentation_of_instances(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    weights = net.constant(np.zeros((1, CELLS, 32)))
    table = net.add("Concat", net.centred, net.classes(80, 0), weights, axis=2)
    masks = net.constant(np.zeros((1, 32, SIDE // 4, SIDE // 4)))
    planes = net.add("Transpose", table, perm=[0, 2, 1])
    return net.save(path, {"output0": (planes, 3), "output1": (masks, 4)}, {"task": "segment"})


def yolox_decoded(path: Path, *, columns: bool = False, certain_from: float | None = None) -> Path:
    """Surer that there is something than of what it is, as YOLOX and YOLOv5 are.

    certain_from: score of a person from which it is quite certain that there is something.
    """
    net = Ours()
    if certain_from is None:
        anything = net.add("Pow", net.score, net.constant(0.2))
        person = net.add("Pow", net.score, net.constant(0.8))
    else:
        above = net.add("Greater", net.score, net.constant(certain_from))
        anything, person = net.add("Cast", above, to=TensorProto.FLOAT), net.score
    table = net.add("Concat", net.centred, anything, net.classes(80, 0, person), axis=2)
    if columns:
        table = net.add("Transpose", table, perm=[0, 2, 1])
    return net.save(path, {"output": (table, 3)})


def yolox_raw(path: Path) -> Path:
    net = Ours()
    grid = cells(SIDE, SIDE, STRIDES)
    stride, cell = net.constant(grid[None, :, 2:]), net.constant(grid[None, :, :2])
    offset = net.add("Sub", net.add("Div", net.cut(net.centred, 0, 2, 2), stride), cell)
    size = net.add("Log", net.add("Div", net.cut(net.centred, 2, 4, 2), stride))
    sure = net.add("Sqrt", net.score)
    table = net.add("Concat", offset, size, sure, net.classes(80, 0, sure), axis=2)
    return net.save(path, {"output": (table, 3)})


def yolov5(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    sure = net.add("Sqrt", net.score)
    table = net.add("Concat", net.centred, sure, net.classes(80, 0, sure), axis=2)
    nobody = net.constant(np.full((1, 2 * CELLS, 85), 1e-3))
    return net.save(path, {"output0": (net.add("Concat", table, nobody, axis=1), 3)})


def end2end(path: Path, *, person: int = 0, names: str | None = None, label_first: bool = False) -> Path:
    net = Ours(scale=255.0, rgb=True)
    boxes, scores = net.listed()
    score = net.add("Reshape", scores, net.ints(1, LISTED, 1))
    label = net.constant(np.full((1, LISTED, 1), person))
    last = (label, score) if label_first else (score, label)
    metadata = {"names": names, "end2end": "True"} if names else None
    return net.save(path, {"output0": (net.add("Concat", boxes, *last, axis=2), 3)}, metadata)


def batched(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    boxes, scores = net.listed()
    column, nought = (
        net.add("Reshape", scores, net.ints(1, LISTED, 1)),
        net.constant(np.zeros((1, LISTED, 1))),
    )
    table = net.add("Concat", nought, boxes, nought, column, axis=2)
    return net.save(path, {"output": (net.add("Reshape", table, net.ints(-1, 7)), 2)})


def detections(
    path: Path, *, order: Sequence[str] = ("labels", "boxes", "scores"), sized: bool = True
) -> Path:
    """As RT-DETR, D-FINE and DEIM export: told the size of the picture, boxes in its pixels."""
    net = Ours(scale=255.0, rgb=True)
    boxes, scores = net.listed()
    if sized:
        boxes = net.add("Mul", net.add("Div", boxes, net.constant(SIDE)), net.asks_size())
    labels = net.constant(np.zeros((1, LISTED)), np.int64)
    whole = {"labels": (labels, 2), "boxes": (boxes, 3), "scores": (scores, 2)}
    return net.save(path, {name: whole[name] for name in order})


def detr(path: Path, *, softmax: bool = False) -> Path:
    """Logits of 80 classes, or of 91 and nobody, and boxes as shares, by centre and size."""
    net = Ours(scale=255.0, rgb=True)
    corners, scores = net.listed()
    low, high = net.cut(corners, 0, 2, 2), net.cut(corners, 2, 4, 2)
    middle = net.add("Mul", net.add("Add", low, high), net.constant(0.5))
    boxes = net.add("Concat", middle, net.add("Sub", high, low), axis=2)
    boxes = net.add("Div", boxes, net.constant(SIDE))
    column = net.add("Reshape", scores, net.ints(1, LISTED, 1))
    if softmax:
        shares = net.add(
            "Concat", net.classes(91, 1, column), net.add("Sub", net.constant(1), column), axis=2
        )
        logits = net.add("Log", net.add("Max", shares, net.constant(1e-6)))
    else:
        logits = net.logits(net.classes(80, 0, column))
    return net.save(path, {"logits": (logits, 3), "pred_boxes": (boxes, 3)})


def rtdetr(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    corners, scores = net.listed()
    low, high = net.cut(corners, 0, 2, 2), net.cut(corners, 2, 4, 2)
    middle = net.add("Mul", net.add("Add", low, high), net.constant(0.5))
    boxes = net.add("Concat", middle, net.add("Sub", high, low), axis=2)
    boxes = net.add("Div", boxes, net.constant(SIDE))
    column = net.add("Reshape", scores, net.ints(1, LISTED, 1))
    return net.save(path, {"output0": (net.add("Concat", boxes, net.classes(80, 0, column), axis=2), 3)})


def yolo_nas(path: Path) -> Path:
    net = Ours(scale=255.0, rgb=True)
    return net.save(path, {"boxes": (net.corners, 3), "scores": (net.classes(80, 0), 3)})


def ltrb_logits(path: Path) -> Path:
    net = Ours()
    table = net.add("Concat", net.cut(net.rows, 0, 4, 2), net.logits(net.score), axis=2)
    return net.save(path, {"predictions": (table, 3)})


def with_outputs(path: Path, change: Callable[[Ours], str]) -> Path:
    """YOLOv8's form, its table (1, A, 4 + 3) made by `change`."""
    net = Ours(scale=255.0, rgb=True)
    return net.save(path, {"output0": (net.add("Transpose", change(net), perm=[0, 2, 1]), 3)})


def outside(net: Ours) -> str:
    shift = net.constant([[[4 * SIDE, 0, 0, 0]]])
    return net.add("Concat", net.add("Add", net.centred, shift), net.classes(3, 0), axis=2)


def scores_over_one(net: Ours) -> str:
    more = net.add("Mul", net.score, net.constant(40.0))
    return net.add("Concat", net.centred, net.add("Add", net.classes(3, 0, more), net.constant(0.9)), axis=2)


def not_a_number(net: Ours) -> str:
    table = net.add("Concat", net.centred, net.classes(3, 0), axis=2)
    return net.add("Mul", table, net.constant(np.nan))


def garbage(model: onnx.ModelProto) -> None:
    """Weights of the right shapes that were never trained."""
    random = np.random.default_rng(5)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float32, np.float16) and values.ndim == 4:
            drawn = random.normal(0, values.std(), values.shape).astype(values.dtype)
            tensor.CopyFrom(numpy_helper.from_array(drawn, tensor.name))


def shuffled(model: onnx.ModelProto) -> None:
    """Each convolution reads the channels before it in another order."""
    random = np.random.default_rng(6)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float32, np.float16) and values.ndim == 4 and values.shape[1] > 3:
            mixed = values[:, random.permutation(values.shape[1])]
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(mixed), tensor.name))
