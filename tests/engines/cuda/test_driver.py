"""The driver module over real pycuda and real cuda-bindings, with a fake libcuda below them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engines.cuda import libraries
from engines.cuda.driver import FrameTransfer, GpuFacts, choose_transfer, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.libraries import libcuda as libcuda_calls

Run = Callable[..., dict[str, object]]


@pytest.mark.parametrize(
    ("abilities", "way", "read_only_way"),
    [
        ("integrated,register,read_only", "IN_PLACE", "IN_PLACE"),
        ("integrated,register", "IN_PLACE", "STAGED_IN_PLACE"),
        ("integrated", "STAGED_IN_PLACE", "STAGED_IN_PLACE"),
        ("register,read_only", "DMA", "DMA"),
        ("", "STAGED_DMA", "STAGED_DMA"),
    ],
)
def test_a_frame_reaches_the_kernels_the_way_the_gpu_allows(
    over_stand_in: Run, library: str, abilities: str, way: str, read_only_way: str
) -> None:
    result = over_stand_in("gpu_path.py", abilities, library)
    assert result["exact"], "the kernel read another picture"
    assert result["again"] == way
    assert result["read_only"] == read_only_way
    assert result["in_place"] == (way == "IN_PLACE")
    assert result["says"] == f"stand-in, sm_87, CUDA 13.0 by {library}; frames: {FrameTransfer[way].value}"


def test_what_would_go_wrong_on_the_gpu_is_refused_in_words(over_stand_in: Run, library: str) -> None:
    result = over_stand_in("gpu_path.py", "register,integrated", library)
    assert "registered already" in str(result["twice"])
    assert "are not in a ring of" in str(result["beyond"])
    assert "are no frame of this ring" in str(result["too_long"])
    assert result["wrong_cubin"] != "not refused"
    assert result["foreign"] != "not refused"
    assert result["ordinary_memory"] != "not refused"
    assert result["closed_ring"] != "not refused"


def test_a_discrete_gpu_never_reads_the_ring_in_place() -> None:
    facts = GpuFacts("any", 89, (12, 6), 10, 1 << 30, False, True, True)
    assert choose_transfer(facts, writable=True) is FrameTransfer.DMA


def test_without_a_cuda_library_the_reason_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "installed", lambda: ())
    with pytest.raises(GpuError, match="pip install pycuda, or cuda-bindings"):
        open_gpu()


def test_a_library_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "installed", lambda: ("cuda-bindings",))
    with pytest.raises(GpuError, match="pycuda is not here"):
        libraries.open_library("pycuda")


def test_without_a_driver_the_reason_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(libcuda_calls.ctypes, "CDLL", no_library)
    with pytest.raises(GpuError, match=r"no NVIDIA driver is here \(libcuda\.so\.1"):
        libcuda_calls.LibCuda(0)


def test_a_library_that_cannot_be_loaded_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError("undefined symbol: cuSomething")

    monkeypatch.setattr(libcuda_calls.ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr(libraries, "installed", lambda: ("pycuda", "cuda-bindings"))
    monkeypatch.setattr("importlib.import_module", broken)
    for name in ("pycuda", "cuda-bindings"):
        with pytest.raises(GpuError, match=f"{name} cannot be loaded: undefined symbol"):
            libraries.open_library(name)  # type: ignore[arg-type]
