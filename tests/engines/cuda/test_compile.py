"""The kernels compile for the GPUs we aim at, and what was compiled is kept and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.cuda.errors import CompileError
from engines.cuda.kernels import compile as kernels
from engines.cuda.kernels.compile import Compiled, Compiler
from engines.cuda.kernels.launches import SIGNATURES


class Counting:
    """A compiler that only counts; the cache is what is tried."""

    name = "counting 12.6"
    version = (12, 6)
    targets = (86, 87)

    def __init__(self) -> None:
        self.compiled = 0

    def compile(self, text: str, target: int) -> Compiled:
        self.compiled += 1
        return Compiled(b"\x7fELF" + str(target).encode(), "")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    one = Counting()
    monkeypatch.setattr(kernels, "compilers", lambda: (one,))
    return one


@pytest.fixture(scope="module")
def any_compiler() -> Compiler:
    here = kernels.compilers()
    if not here:
        pytest.skip("no CUDA compiler here: nvcc, or pip install nvidia-cuda-nvrtc-cu12")
    return here[0]


@pytest.mark.parametrize("target", [75, 87])
def test_every_kernel_compiles_without_spilling_registers(any_compiler: Compiler, target: int) -> None:
    rows = kernels.usage(any_compiler, target)
    assert {row.kernel for row in rows} == set(SIGNATURES)
    assert all(row.spilled_bytes == 0 and 0 < row.registers <= 64 for row in rows), rows


def test_a_fault_in_a_kernel_is_one_sentence_with_its_line(any_compiler: Compiler) -> None:
    with pytest.raises(CompileError, match=r"broken\.cu.*3.*error"):
        any_compiler.compile('#line 1 "broken.cu"\n\n\nnonsense;\n', any_compiler.targets[-1])


def test_kernels_are_compiled_once(counting: Counting, tmp_path: Path) -> None:
    first = kernels.cubin_for(86, (12, 6), tmp_path)
    assert kernels.cubin_for(86, (12, 6), tmp_path) == first
    assert counting.compiled == 1
    assert kernels.cubin_for(87, (12, 6), tmp_path) != first
    assert counting.compiled == 2


def test_another_source_or_compiler_is_another_key() -> None:
    keys = {
        kernels.cache_key(text, target, name)
        for text in ("a", "b")
        for target in (86, 87)
        for name in ("NVRTC 12.6", "nvcc 12.6")
    }
    assert len(keys) == 8


def test_a_damaged_cubin_is_compiled_again(counting: Counting, tmp_path: Path) -> None:
    right = kernels.cubin_for(86, (12, 6), tmp_path)
    (kept,) = tmp_path.glob("*.cubin")
    kept.write_bytes(right[:-1])
    assert kernels.cubin_for(86, (12, 6), tmp_path) == right
    assert counting.compiled == 2


def test_the_cache_keeps_a_bounded_number(counting: Counting, tmp_path: Path) -> None:
    for number in range(kernels.MAX_CACHED + 5):
        (tmp_path / f"{number}-old.cubin").write_bytes(b"old")
    kernels.cubin_for(86, (12, 6), tmp_path)
    assert len(list(tmp_path.iterdir())) == kernels.MAX_CACHED


def test_a_compiler_too_new_for_the_driver_is_not_taken(counting: Counting) -> None:
    with pytest.raises(CompileError, match=r"sm_86 and CUDA 11\.4 \(counting 12\.6\)"):
        kernels.choose_compiler(86, (11, 4))


def test_a_cache_that_cannot_be_written_is_one_sentence(counting: Counting, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CompileError, match="cannot be kept there"):
        kernels.cubin_for(86, (12, 6), tmp_path / "file" / "below")
