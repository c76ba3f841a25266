"""Batches through contexts, graphs and streams: over the fake libcuda and the fake TensorRT."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import numpy as np
import pytest

from engines import backends
from engines.cuda import inference
from engines.cuda.execution import batch_sizes_of

Run = Callable[..., dict[str, object]]

WAYS = [
    # abilities; whether graphs are captured. `late`: the fake does everything as late as it may;
    # `unfair`: only what goes first
    ("integrated,register,graphs,late", True),
    ("register,graphs,late", True),
    ("integrated,register,graphs,unfair", True),
    ("graphs,late", True),
    ("integrated,register,late", False),
    ("", False),
]


IN_PLACE = WAYS[0][0]


@pytest.fixture
def run(
    over_stand_in: Run, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], dict[str, object]]:
    """What `execution_path.py` prints; the same question is asked once only."""

    def ask(abilities: str, library: str) -> dict[str, object]:
        if (abilities, library) not in _ANSWERS:
            folder = tmp_path_factory.mktemp("networks")
            _ANSWERS[abilities, library] = over_stand_in("execution_path.py", abilities, library, str(folder))
        return _ANSWERS[abilities, library]

    return ask


_ANSWERS: dict[tuple[str, str], dict[str, object]] = {}


@pytest.fixture(scope="module", params=WAYS, ids=[way or "nothing" for way, _ in WAYS])
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    if "onnxruntime" not in backends.installed():
        pytest.skip("onnxruntime, which the fake TensorRT runs on, is not installed")
    return request.param  # type: ignore[no-any-return]


def test_overlapped_batches_give_each_frame_its_own_persons(
    run: Run, library: str, way: tuple[str, bool]
) -> None:
    if library == "cuda-bindings" and way not in WAYS[:3]:
        pytest.skip("pycuda goes all ways; cuda-bindings differs from it only in launches and memory")
    abilities, graphs = way
    result = run(abilities, library)
    how = "a CUDA graph each" if graphs else "no CUDA graphs"
    assert str(result["says"]).startswith(f"spots, then colour in batches of 1, 2, 4, {how}, 2 in flight")
    assert result["first"] == [[[36, 28]], [[68, 36]], []]
    assert result["second"] == [[[116, 44]]]
    assert sorted(result["third"][0]) == [[12, 28], [116, 36]]  # type: ignore[index]
    assert result["faults"] == []
    assert result["left_bytes"] == 0, "memory of the GPU was not given back"
    assert result["runs_to_make_ready"] == 6, (
        "each of three batch sizes runs once on each of two stream slots"
    )


@pytest.mark.parametrize("abilities", [WAYS[0][0], WAYS[2][0]])
def test_crops_are_looked_at_where_they_are_and_answers_find_their_person(
    run: Run, library: str, abilities: str
) -> None:
    result = run(abilities, library)
    white, warm, nobody = result["answers"]  # type: ignore[misc]
    assert np.allclose(white, [[3**-0.5] * 3], atol=1e-3)
    colour = np.array([230.0, 245.0, 255.0])
    assert np.allclose(warm, [colour / np.linalg.norm(colour)], atol=1e-3)
    assert nobody == []
    assert result["third_looked_at"] == [[True, False]], "one place for two persons: the second is unknown"
    assert result["stages"] == [
        "colour",
        "decode and suppress",
        "fetch",
        "letterbox",
        "network",
        "results",
    ]


def test_what_cannot_be_run_is_refused_in_words(run: Run, library: str) -> None:
    result = run(IN_PLACE, library)
    assert result["busy"] == "Busy: all 2 stream slots are in use; finish a batch first"
    assert result["too_many"] == "GpuError: 5 frames are more than the largest batch, 4"
    assert result["no_profile"] == "GpuError: engine pairs takes 1 to 2 pictures at once, not 3"
    kernels = "kernels do ltrb, yolox, yolov8; the CPU looks instead"
    assert result["no_decoder"] == f"GpuError: engine pairs: no kernel decodes nanodet outputs, {kernels}"
    other = "yolov8 with boxes or scores of another kind"
    assert result["no_meaning"] == f"GpuError: engine pairs: no kernel decodes {other} outputs, {kernels}"


def test_a_network_that_cannot_be_captured_runs_without_a_graph(run: Run, library: str) -> None:
    result = run(IN_PLACE, library)
    assert "no CUDA graphs" in str(result["uncaptured_says"])
    assert "no graph for a batch of 1: engine stubborn" in str(result["uncaptured_says"])
    assert result["uncaptured"] == [[[68, 36]]]
    assert result["uncaptured_answers"] == [{}]


@pytest.mark.parametrize(("largest", "sizes"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))])
def test_batch_sizes_double_up_to_the_largest(largest: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes_of(largest) == sizes


def test_the_bindings_that_are_here_have_all_that_is_called() -> None:
    """Also with releases 8.6 to 11 side by side, in `tests/engines` of the builder."""
    here = [name for name in ("tensorrt", "tensorrt_rtx") if importlib.util.find_spec(name)]
    if not here:
        pytest.skip("no TensorRT bindings are installed")
    for name in here:
        module = importlib.import_module(name)
        for owner, calls in (
            (module.ICudaEngine, inference.ENGINE_CALLS),
            (module.IExecutionContext, inference.CONTEXT_CALLS),
        ):
            assert [call for call in calls if not hasattr(owner, call)] == []
