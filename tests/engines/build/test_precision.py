"""One network in fp32, fp16 and 8 bits, run by onnxruntime and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines import catalogue
from engines.build.precision import conversion, graphs
from engines.build.precision.parity import Reference, difference
from engines.errors import BuildError, WeightsError
from tests.engines.networks import bright_spot_detector, external_weights_network, unknown_operation_network

SHIPPED = catalogue.SHIPPED / "person-detector.onnx"
SIZE = (128, 96)


def pictures(count: int) -> list[np.ndarray]:
    """Network inputs [1, 3, height, width] with values 0 to 255."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (count, 3, SIZE[1] // 8, SIZE[0] // 8))
    return [np.kron(one, np.ones((8, 8)))[None].astype(np.float32) for one in coarse]


@pytest.fixture(scope="module")
def quantised() -> bytes:
    return conversion.quantise(SHIPPED, SIZE, pictures(6))


def given(kind: str, quantised: bytes, *, typed: bool = True) -> bytes:
    return conversion.prepared(SHIPPED, SIZE, kind, typed=typed, quantised=quantised)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "typed", "most"),
    [("fp32", True, 1e-6), ("fp16", True, 2e-3), ("int8", True, 0.1), ("int8", False, 0.1)],
)
def test_every_precision_answers_as_the_shipped_network(
    quantised: bytes, kind: str, typed: bool, most: float
) -> None:
    whole, prepared = Reference(SHIPPED.read_bytes()), Reference(given(kind, quantised, typed=typed))
    inputs = pictures(3)
    away = difference([whole.run(one) for one in inputs], [prepared.run(one) for one in inputs])
    assert away.mean < most, f"answers differ by {away.mean:.3g} of their range on average"


def test_fp16_is_half_the_weights_and_stops_at_the_last_convolutions(quantised: bytes) -> None:
    model = onnx.load_from_string(given("fp16", quantised))
    kinds = {entry.name: entry.type.tensor_type.elem_type for entry in model.graph.value_info}
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            assert kinds[node.output[0]] == TensorProto.FLOAT16, node.name
        if node.op_type in ("Exp", "Sigmoid"):
            assert kinds[node.output[0]] == TensorProto.FLOAT, node.name
    ends = [*model.graph.input, *model.graph.output]
    assert {end.type.tensor_type.elem_type for end in ends} == {TensorProto.FLOAT}
    assert len(given("fp16", quantised)) < 0.6 * len(given("fp32", quantised))


def test_where_flags_choose_the_precision_the_network_stays_fp32(quantised: bytes) -> None:
    model = onnx.load_from_string(given("fp16", quantised, typed=False))
    assert all(tensor.data_type != TensorProto.FLOAT16 for tensor in model.graph.initializer)


def test_8_bits_are_symmetric_with_biases_left_alone(quantised: bytes) -> None:
    model = onnx.load_from_string(quantised)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scales = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert scales
    for node in scales:
        assert not np.any(weights[node.input[2]]), f"{node.name} has a zero point"
    maker = {output: node for node in model.graph.node for output in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert all(len(node.input) < 3 or node.input[2] in weights for node in convolutions)
    eight_bit = [
        node
        for node in convolutions
        if node.input[0] in maker and maker[node.input[0]].op_type == "DequantizeLinear"
    ]
    first = next(node for node in convolutions if node.input[0] == "images")
    assert len(eight_bit) == len(convolutions) - 1
    assert first not in eight_bit


def test_a_zero_point_is_found_with_the_nodes_name(quantised: bytes) -> None:
    model = onnx.load_from_string(quantised)
    node = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[2])
    tensor.CopyFrom(numpy_helper.from_array(np.int8(3), tensor.name))
    with pytest.raises(BuildError, match="zero point") as caught:
        conversion.check_symmetric(model, SHIPPED)
    assert node.name in str(caught.value)


def test_int8_without_calibration_asks_for_frames() -> None:
    with pytest.raises(BuildError, match="give --frames"):
        conversion.prepared(SHIPPED, SIZE, "int8", typed=True)


def saved(
    path: Path, nodes: list, weights: dict[str, np.ndarray], shape: tuple[int, ...] = (1, 3, 32, 32)
) -> Path:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", "c", "rows", "columns"])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


NINE = np.ones((1, 3, 9, 9), np.float32)


def addition() -> onnx.NodeProto:
    return helper.make_node("Add", ["images", "weights"], ["answer"], name="middle/Add")


def convolution() -> onnx.NodeProto:
    return helper.make_node("Conv", ["images", "weights"], ["answer"], name="middle/Conv")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda path: path.write_bytes(SHIPPED.read_bytes()[: 1 << 20]) and path,
            "damaged, cut short or not ONNX",
        ),
        (lambda path: path.write_bytes(b"\x08\x08") and path, "holds no network"),
        (lambda path: path.write_bytes(b"xx") and path, "damaged, cut short or not ONNX"),
        (lambda path: path, "no such file"),
        (lambda path: bright_spot_detector(path, size=(64, 64)), "height is 64, not 96"),
        (lambda path: saved(path, [addition()], {"weights": NINE}, (1, 3, 96, 128)), "middle/Add"),
        (lambda path: saved(path, [addition()], {"weights": NINE}, (1, 3, 96)), "no picture"),
    ],
    ids=["cut", "empty", "foreign", "missing", "other size", "wrong shapes", "no picture"],
)
def test_what_is_no_network_for_these_pictures_is_one_sentence(tmp_path: Path, make, said: str) -> None:
    path = make(tmp_path / "mine.onnx")
    with pytest.raises(WeightsError, match=said) as caught:
        conversion.plain(path, SIZE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_beyond_fp16_are_refused_with_the_nodes_name(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "large.onnx", [convolution()], {"weights": np.full((4, 3, 3, 3), 1e5, np.float32)}
    )
    with pytest.raises(WeightsError, match="'middle/Conv' are too large for fp16"):
        conversion.prepared(path, (32, 32), "fp16", typed=True)


def test_an_operation_with_a_graph_of_its_own_is_refused_for_fp16(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["inner"], name="inner")],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1, 3, 32, 32])],
    )
    choice = helper.make_node(
        "If", ["which"], ["chosen"], name="fork", then_branch=branch, else_branch=branch
    )
    last = helper.make_node("Conv", ["chosen", "weights"], ["answer"], name="last")
    weights = {"which": np.array(True), "weights": np.ones((4, 3, 3, 3), np.float32)}
    path = saved(tmp_path / "fork.onnx", [choice, last], weights)
    with pytest.raises(WeightsError, match="'fork' \\(If\\)"):
        conversion.prepared(path, (32, 32), "fp16", typed=True)
    assert conversion.prepared(path, (32, 32), "fp32", typed=True)


def test_nodes_without_names_get_one(tmp_path: Path) -> None:
    path = bright_spot_detector(tmp_path / "spots.onnx", size=(64, 64))
    names = [node.name for node in conversion.plain(path, (64, 64)).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_an_unknown_operation_is_left_to_the_compiler_to_name(tmp_path: Path) -> None:
    model = graphs.read(unknown_operation_network(tmp_path / "odd.onnx"))
    assert model.graph.node[0].op_type == "Levitate"


def test_a_digest_covers_external_weights(tmp_path: Path) -> None:
    path = external_weights_network(tmp_path / "two.onnx")
    before = graphs.content_digest(path)
    beside = path.with_name("two.onnx.data")
    beside.write_bytes(beside.read_bytes()[:-1] + b"\x7f")
    assert graphs.content_digest(path) != before
    assert graphs.content_digest(SHIPPED) == catalogue.sha256_of(SHIPPED)


def test_weights_outside_the_networks_folder_are_refused(tmp_path: Path) -> None:
    path = external_weights_network(tmp_path / "two.onnx")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../elsewhere.data"
    path.write_bytes(model.SerializeToString())
    for look in (graphs.read, graphs.content_digest):
        with pytest.raises(WeightsError, match=r"'\.\./elsewhere.data'; they must lie in the same folder"):
            look(path)


def test_a_network_as_torch_exports_it_goes_to_every_precision(tmp_path: Path) -> None:
    """Weights in fp16 behind a Cast, a shared bias behind an Identity, axes that are attributes."""
    random = np.random.default_rng(1)
    first, second, last = (
        random.normal(0, 0.2, shape) for shape in ((8, 3, 3, 3), (8, 8, 1, 1), (4, 8, 1, 1))
    )
    nodes = [
        helper.make_node("Cast", ["stored"], ["first.weight"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["half.bias"], ["bias"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["bias"], ["same.bias"]),
        helper.make_node("Conv", ["images", "first.weight", "bias"], ["one"]),
        helper.make_node("Conv", ["one", "second", "same.bias"], ["two"]),
        helper.make_node("ReduceMean", ["two"], ["pooled"], axes=[2, 3]),
        helper.make_node("Conv", ["pooled", "last"], ["answer"]),
    ]
    weights = {
        "stored": first.astype(np.float16),
        "half.bias": np.ones(8, np.float16),
        "second": second.astype(np.float32),
        "last": last.astype(np.float32),
    }
    path = saved(tmp_path / "pooled.onnx", nodes, weights)
    inputs = [random.normal(0, 1, (1, 3, 32, 32)).astype(np.float32) for _ in range(4)]
    whole = Reference(path.read_bytes())
    eight = conversion.quantise(path, (32, 32), inputs)
    model = onnx.load_from_string(eight)
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 2, "all but the first"
    for kind in ("fp32", "fp16", "int8"):
        other = Reference(conversion.prepared(path, (32, 32), kind, typed=True, quantised=eight))
        away = difference([whole.run(one) for one in inputs], [other.run(one) for one in inputs])
        assert away.fault(kind) == "", kind
