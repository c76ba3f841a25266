"""Both inference libraries behind one protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines import backends
from engines.backends.protocol import CompilePlan, InputFormat
from engines.errors import BackendError, WeightsError
from tests.engines.networks import bright_spot_detector, unknown_operation_network


@pytest.fixture(scope="module")
def free_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_spot_detector(tmp_path_factory.mktemp("networks") / "free.onnx")


@pytest.fixture(scope="module")
def fixed_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_spot_detector(tmp_path_factory.mktemp("networks") / "fixed.onnx", size=(64, 32))


def test_free_and_fixed_inputs_are_told_apart(backend: str, free_size: Path, fixed_size: Path) -> None:
    runner = backends.choose(backend)
    assert runner.read(free_size).inputs[0].shape == (None, 3, None, None)
    assert runner.read(fixed_size).inputs[0].shape == (1, 3, 32, 64)


def test_output_shapes_follow_the_input_size(backend: str, free_size: Path) -> None:
    network = backends.choose(backend).read(free_size)
    assert network.output_shapes(64, 32)[0].shape == (1, 32 + 8 + 2, 5)
    assert network.output_shapes(96, 64)[0].shape == (1, 96 + 24 + 6, 5)


def test_pictures_in_flight_do_not_mix(backend: str, free_size: Path) -> None:
    session = (
        backends.choose(backend)
        .read(free_size)
        .compile(CompilePlan(32, 32, threads=2, streams=2, requests=3))
    )
    for request, value in enumerate((0, 51, 204)):
        session.pixels(request)[...] = value
    for request in range(3):
        session.start(request)
    for request, value in ((2, 204), (0, 0), (1, 51)):
        assert session.wait(request)[0][0, :, 4] == pytest.approx(value / 255, abs=1e-5)


def test_a_request_sees_what_its_buffer_holds_when_it_is_started_again(backend: str, free_size: Path) -> None:
    session = backends.choose(backend).read(free_size).compile(CompilePlan(32, 32))
    for value in (255, 102):
        session.pixels(0)[...] = value
        session.start(0)
        assert session.wait(0)[0][0, 0, 4] == pytest.approx(value / 255, abs=1e-5)


def test_colour_order_mean_and_scale_are_the_back_ends_work(backend: str, free_size: Path) -> None:
    network = backends.choose(backend).read(free_size)
    form = InputFormat("rgb", mean=(10.0, 0.0, 0.0), std=(1.0, 2.0, 4.0))
    session = network.compile(CompilePlan(32, 32, pixels=form))
    session.pixels(0)[...] = (40, 20, 100)  # blue, green, red
    session.start(0)
    expected = ((100 - 10) / 1 + 20 / 2 + 40 / 4) / 3 / 255
    assert session.wait(0)[0][0, 0, 4] == pytest.approx(expected, abs=1e-5)


def test_both_libraries_agree(free_size: Path) -> None:
    if len(backends.installed()) < 2:
        pytest.skip("needs both libraries")
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    answers = []
    for name in ("openvino", "onnxruntime"):
        session = backends.choose(name).read(free_size).compile(CompilePlan(96, 64))
        session.pixels(0)[...] = picture
        session.start(0)
        answers.append(session.wait(0)[0].copy())
    assert answers[0] == pytest.approx(answers[1], abs=1e-4)


def test_a_fixed_network_refuses_another_size(fixed_size: Path) -> None:
    network = backends.choose("onnxruntime").read(fixed_size)
    with pytest.raises(WeightsError, match=r"takes \[1, 3, 32, 64\], not 64x64 pictures"):
        network.compile(CompilePlan(64, 64))


def damaged(path: Path, source: Path) -> Path:
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    return path


def text(path: Path, source: Path) -> Path:
    path.write_text("this is not a network")
    return path


def empty(path: Path, source: Path) -> Path:
    path.write_bytes(b"")
    return path


def missing(path: Path, source: Path) -> Path:
    return path


def another_kind(path: Path, source: Path) -> Path:
    return Path(source.rename(path.with_suffix(".pt")))


def unknown_operation(path: Path, source: Path) -> Path:
    return unknown_operation_network(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged, "damaged, cut short or not ONNX"),
        (text, "damaged, cut short or not ONNX"),
        (empty, "the file is empty"),
        (missing, "no such file"),
        (another_kind, "expected a file ending in .onnx"),
        (unknown_operation, "no operation .*Levitate"),
    ],
)
def test_a_bad_file_is_one_sentence(backend: str, tmp_path: Path, spoil, said: str) -> None:
    source = bright_spot_detector(tmp_path / "good.onnx")
    path = spoil(tmp_path / "bad.onnx", source)
    with pytest.raises(WeightsError, match=said) as caught:
        backends.choose(backend).read(path).compile(CompilePlan(64, 64))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("machine", "available", "expected"),
    [
        ("x86_64", ("openvino", "onnxruntime"), "openvino"),
        ("x86_64", ("onnxruntime",), "onnxruntime"),
        ("aarch64", ("openvino", "onnxruntime"), "onnxruntime"),
        ("aarch64", ("openvino",), "openvino"),
    ],
)
def test_the_processor_decides_the_back_end(machine: str, available: tuple[str, ...], expected: str) -> None:
    assert backends.preferred(machine, available) == expected


def test_no_library_at_all_says_what_to_install() -> None:
    with pytest.raises(BackendError, match="pip install openvino"):
        backends.preferred("x86_64", ())


def test_an_unknown_back_end_is_named() -> None:
    with pytest.raises(BackendError, match="'tensorflow'"):
        backends.choose("tensorflow")
