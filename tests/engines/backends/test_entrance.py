"""Where a network takes its picture, by the shapes and kinds of its inputs."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from engines.backends.entrance import entrance_of
from engines.backends.protocol import TensorInfo
from engines.catalogue.judging.facts import memory_of
from engines.errors import WeightsError

FILE = Path("mine.onnx")
WIDE = (640, 384)


def picture(*shape: int | None, kind: str = "f32") -> TensorInfo:
    return TensorInfo("images", shape, kind)


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        ((1, 3, 384, 640), "nchw", WIDE),
        ((None, 3, None, None), "nchw", None),
        ((None, None, None, None), "nchw", None),
        ((1, 384, 640, 3), "nhwc", WIDE),
        ((None, 384, 640, 3), "nhwc", WIDE),
        ((None, None, None, 3), "nhwc", None),
        ((1, None, 640, 3), "nhwc", None),
    ],
)
def test_colours_come_first_or_last(shape: tuple, layout: str, size: tuple | None) -> None:
    entrance = entrance_of([picture(*shape)], FILE)
    assert (entrance.layout, entrance.size) == (layout, size)
    expected = (1, 3, 384, 640) if layout == "nchw" else (1, 384, 640, 3)
    assert entrance.shape(*WIDE) == expected


@pytest.mark.parametrize("place", [0, 1])
def test_the_size_of_the_picture_may_be_asked_for(place: int) -> None:
    ports = [picture(1, 3, 384, 640), TensorInfo("orig_target_sizes", (1, 2), "i64")]
    entrance = entrance_of(ports if place == 0 else ports[::-1], FILE)
    assert (entrance.image, entrance.told_at, entrance.name) == (place, 1 - place, "images")
    assert entrance.constant_value(*WIDE).tolist() == [[640, 384]]
    assert entrance.constant_value(*WIDE).dtype == "int64"


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([TensorInfo("words", (1, 77), "i64")], r"its input is words \[1, 77\]"),
        ([picture(1, 3, 64, 64), picture(1, 3, 64, 64)], "but a detector takes one picture"),
        ([picture(4, 64, 64, 3)], "takes 4 pictures at once"),
        ([picture(1, 3, 64, 64, kind="f64")], "takes pictures of f64 numbers"),
        ([picture(1, 3, 64, 64), TensorInfo("scale", (1, 4), "f32")], r"asks for scale \[1, 4\] beside"),
    ],
)
def test_other_inputs_are_refused_with_what_to_export(ports: list[TensorInfo], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        entrance_of(ports, FILE)


@pytest.mark.parametrize("sides", [["n", 3, "height", "width"], ["n", "height", "width", 3]])
def test_memory_is_added_up_for_the_picture_that_it_would_be_given(sides: list) -> None:
    """A picture of 640 x 384 in fp32, and its double."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "images"], ["sum"])],
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, sides)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    peak, _ = memory_of(model, WIDE)
    assert peak == 2 * 640 * 384 * 3 * 4
