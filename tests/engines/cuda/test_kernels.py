"""The CUDA kernels' own source, built for this CPU, against the oracle and against the CPU path."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.gpu.kernels import checks, lane, mutants
from bench.gpu.kernels.cases import address, rubbish
from engines.cuda.frames import FRAME, Placed, descriptors
from engines.cuda.kernels import launches
from engines.cuda.kernels.launches import SIGNATURES, Decoded, Kept
from engines.cuda.kernels.sources import source
from engines.inference import nms, preprocess
from engines.inference.crops import cut
from engines.inference.decoders import DECODERS, DecoderInput
from testing.gpu.host_kernels.build import HostKernels, HostKernelsError, build, compiler

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="no C++ compiler (g++) to build the kernels with"
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> HostKernels:
    if compiler() is None:
        pytest.skip("no C++ compiler (g++) to build the kernels with")
    return HostKernels(build(tmp_path_factory.mktemp("kernels")))


@pytest.mark.parametrize("name", checks.CHECKS)
def test_a_kernel_agrees_with_the_oracle(runner: HostKernels, name: str) -> None:
    errors = checks.run_checks(runner, 1.0, (name,))
    assert all(error <= 1e-3 for error in errors.values()), errors


@needs_compiler
def test_no_kernel_leaves_its_buffers_or_its_language() -> None:
    try:
        lane.address_sanitizer()
    except HostKernelsError as error:
        pytest.skip(str(error))
    verdict = lane.run_lane(sanitize=True, rounds=0.3)
    assert verdict.fault is None, verdict.fault


@needs_compiler
@pytest.mark.parametrize(
    "name", ["blue and red exchanged", "boxes grown at one end only", "barrier only for some threads"]
)
def test_a_fault_put_into_a_kernel_is_found(name: str) -> None:
    found = mutants.judge(next(mutant for mutant in mutants.MUTANTS if mutant.name == name))
    assert found.by == "comparison"


def test_every_fault_has_its_place_in_the_kernels() -> None:
    assert len({mutants.mutated(mutant) for mutant in mutants.MUTANTS}) == len(mutants.MUTANTS) >= 12


def test_arguments_are_packed_as_the_kernels_take_them() -> None:
    kinds = {"int": "c_int", "float": "c_float", "PixelRule": "PixelRule"}
    declared = re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', source())
    assert {name for name, _ in declared} == set(SIGNATURES)
    for name, arguments in declared:
        wanted = [
            "c_ulong" if "*" in argument else kinds[argument.split()[0]] for argument in arguments.split(",")
        ]
        assert [kind.__name__ for kind in SIGNATURES[name]] == wanted, name


def test_the_frame_descriptor_is_laid_out_as_the_kernels_read_it() -> None:
    struct = source().split("struct Frame {")[1].split("};")[0]
    fields = [
        name.strip(" *")
        for line in struct.strip().splitlines()
        for name in re.sub(r"//.*|const u8|u64|int|float|;", "", line).split(",")
    ]
    assert fields == list(FRAME.names or ())
    assert FRAME.itemsize == 64


def test_a_frame_that_does_not_fit_its_memory_is_refused() -> None:
    with pytest.raises(launches.LaunchError, match="does not fit its 191 bytes"):
        descriptors([Placed(4096, 191, 8, 8, (0, 0), (8, 8))])
    with pytest.raises(launches.LaunchError, match="too few for 8 pixels"):
        descriptors([Placed(4096, 999, 8, 8, (0, 0), (8, 8), row_bytes=23)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1, 2, 3), "takes 4 arguments, not 3"),
        ((1, 2, 3, 4.0), "argument 3 is 4.0, not a whole number"),
        ((-1, 2, 3, 4), "argument 0 is -1"),
        ((1, 2, 3, 2**31), "argument 3 is 2147483648"),
    ],
)
def test_wrong_arguments_are_refused_before_the_launch(arguments: tuple[int, ...], said: str) -> None:
    with pytest.raises(launches.LaunchError, match=said):
        launches.Launch("l2_normalise", (1, 1, 1), (128, 1, 1), arguments).packed()


def test_a_letterboxed_frame_is_that_of_the_cpu_path(runner: HostKernels) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (288, 384, 3), np.uint8)
    canvas = np.empty((160, 224, 3), np.uint8)
    lies = preprocess.Canvas(canvas, "corner").letterbox(picture)
    out = rubbish((1, 3, 160, 224), np.float32)
    table = descriptors([Placed(address(picture), picture.nbytes, 384, 288, lies.offset_xy, lies.size_wh)])
    rule = launches.pixel_rule((0.0,) * 3, (1.0,) * 3, rgb=False)
    runner.run(launches.letterbox(address(table), 1, address(out), (1, 160, 224), rule, half=False))
    assert np.abs(out[0].transpose(1, 2, 0) - canvas).max() < 0.9, "cv2 rounds to whole levels"


BOXES = {
    "smaller than the crop": (40.5, 30.25, 71.0, 95.5),
    "half as large again": (10.0, 20.0, 130.3, 250.7),
    "several times as large": (100.0, 10.0, 355.0, 283.0),
    "beyond the near corner": (-30.0, -12.5, 60.0, 110.0),
    "beyond the far corner": (300.0, 200.0, 420.0, 330.0),
    "wide": (20.0, 100.0, 370.0, 130.0),
}


@pytest.mark.parametrize("grown", [(0.0, 0.0), (0.3, 0.12)])
@pytest.mark.parametrize("lies", BOXES)
def test_a_crop_is_that_of_the_cpu_path(runner: HostKernels, lies: str, grown: tuple[float, float]) -> None:
    """Apart from the rounding of cv2: to whole levels, and of places to 1/32 px."""
    width, height = 48, 96
    coarse = np.random.default_rng(11).integers(0, 256, (24, 32, 3), np.uint8)
    picture = np.ascontiguousarray(cv2.resize(coarse, (384, 288), interpolation=cv2.INTER_CUBIC))
    box = np.clip(np.array(BOXES[lies], np.float32), 0, (384, 288, 384, 288)).astype(np.float64)
    more = (box[2:] - box[:2]) * grown
    expected = cut(picture, (*(box[:2] - more), *(box[2:] + more)), (width, height))
    table = descriptors([Placed(address(picture), picture.nbytes, 384, 288, (0, 0), (384, 288))])
    boxes, counts = np.zeros((1, 200, 4), np.float32), np.ones(1, np.int32)
    boxes[0, 0] = BOXES[lies]
    out, owners = rubbish((1, 3, height, width), np.float32), rubbish((1,), np.int32)
    rule = launches.pixel_rule((0.0,) * 3, (1.0,) * 3, rgb=False)
    given = (address(table), address(boxes), address(counts), 1, address(out), address(owners))
    runner.run(launches.crop_boxes(*given, (1, height, width), rule, half=False, grown=grown))
    off = np.abs(out[0].transpose(1, 2, 0) - expected)
    assert off.max() < 1.2 and off.mean() < 0.4, f"{off.max():.2f} at most, {off.mean():.2f} on average"


@pytest.mark.parametrize("name", ["ltrb", "yolox", "yolov8"])
def test_persons_are_those_of_the_cpu_path(runner: HostKernels, name: str) -> None:
    rng = np.random.default_rng(7)
    cells, classes = 28 * 20 + 14 * 10 + 7 * 5, 3
    table = rng.uniform(0, 1, (cells, {"ltrb": 5, "yolox": 5 + classes, "yolov8": 4 + classes}[name]))
    table[:, :4] = rng.uniform(0.5, 3, (cells, 4)) if name == "yolox" else rng.uniform(5, 60, (cells, 4))
    if name == "yolov8":
        table[:, :2] *= 3
    given = np.ascontiguousarray(table.T if name == "yolov8" else table, np.float32)[None]
    candidates = DECODERS[name].decode([given], DecoderInput(224, 160, 0, 0.3))
    best = nms.suppress(candidates.boxes, candidates.scores, 0.5)

    decoded = (
        rubbish((1, cells, 4), np.float32),
        rubbish((1, cells), np.float32),
        rubbish((1, cells), np.int32),
    )
    kept = (
        rubbish((1, 200, 4), np.float32),
        rubbish((1, 200), np.float32),
        rubbish((1, 200), np.int32),
        rubbish((1,), np.int32),
    )
    between, out = Decoded(*map(address, decoded)), Kept(*map(address, kept))
    runner.run(
        launches.decode(
            name,
            address(given),
            1,
            cells,
            between,
            input_wh=(224, 160),
            classes=1 if name == "ltrb" else classes,
            only=-1 if name == "ltrb" else 0,
            least_score=0.3,
        )
    )
    runner.run(launches.suppress(between, 1, cells, 0.5, out))
    count = int(kept[3][0])
    assert count == len(best) > 5
    np.testing.assert_allclose(kept[0][0, :count], candidates.boxes[best], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(kept[1][0, :count], candidates.scores[best])


def test_a_kernel_that_cannot_be_built_is_one_sentence(tmp_path: Path) -> None:
    if compiler() is None:
        pytest.skip("no C++ compiler (g++) to build the kernels with")
    with pytest.raises(HostKernelsError, match=r"cannot build the kernels: .*error"):
        build(tmp_path, kernels="this is no kernel")
