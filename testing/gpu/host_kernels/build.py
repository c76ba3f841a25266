"""Compiles the host build and calls it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engines.cuda.kernels.launches import SIGNATURES, Launch
from engines.cuda.kernels.sources import source
from tagsight.errors import TagsightError

SHIM = Path(__file__).with_name("shim.hpp")
STAND_IN = Path(__file__).with_name("libcuda.hpp")
BUILD_LIMIT_S = 120.0

WITH_BARRIERS = ("suppress", "l2_normalise")
"""Kernels whose threads wait for each other: run as fibres, which costs a hundred times more.
A barrier in any other ends the program."""

SANITIZERS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fsanitize-sections=block_shared",
)


class HostKernelsError(TagsightError):
    """The host build cannot be built, or a kernel broke the rules of CUDA in it."""


def compiler() -> str | None:
    """The C++ compiler here: $CXX, g++ or c++; None where there is none."""
    for name in (os.environ.get("CXX"), "g++", "c++"):
        if name and shutil.which(name):
            return name
    return None


def unit(kernels: str) -> str:
    """The kernels' text between the shim and a table of entries, as one C++ unit."""
    entries = "\n".join(f"KERNEL({name}, {str(name in WITH_BARRIERS).lower()})," for name in SIGNATURES)
    return f"""#include "{SHIM}"
{kernels}
#line 1 "entries"
static const host::Entry entries[] = {{
{entries}
}};
extern "C" int launch(const char* name, const unsigned* grid, const unsigned* block, void** arguments,
                      unsigned order) {{
    const Index3 blocks{{grid[0], grid[1], grid[2]}}, threads{{block[0], block[1], block[2]}};
    for (const host::Entry& entry : entries)
        if (!std::strcmp(entry.name, name))
            return host::launch(entry, blocks, threads, arguments, order);
    return 1;
}}
"""


def build(folder: Path, *, kernels: str | None = None, sanitize: bool = False) -> Path:
    """A shared library of the kernels for this CPU, in `folder`. Raises HostKernelsError."""
    text = unit(source() if kernels is None else kernels)
    return _compiled(text, folder / "double.so", SANITIZERS if sanitize else ())


def build_stand_in(folder: Path) -> Path:
    """A libcuda.so.1 in `folder` that runs the kernels on this CPU. Raises HostKernelsError."""
    text = f'{unit(source())}#include "{STAND_IN}"\n'
    return _compiled(text, folder / "libcuda.so.1", ("-Wl,-soname,libcuda.so.1", "-ldl"))


def _compiled(text: str, library: Path, more: tuple[str, ...]) -> Path:
    command = compiler()
    if command is None:
        raise HostKernelsError("no C++ compiler is here (g++): the kernels cannot be built for the CPU")
    path = library.with_suffix(".cpp")
    path.write_text(text)
    flags = ("-std=c++17", "-O1", "-g", "-fPIC", "-shared", "-w", "-ffp-contract=off")
    made = subprocess.run(
        [command, *flags, str(path), "-o", str(library), *more],
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT_S,
        check=False,
    )
    if made.returncode:
        first = next((line for line in made.stderr.splitlines() if "error" in line), made.stderr[:200])
        raise HostKernelsError(f"{command} cannot build the kernels: {first}")
    return library


class HostKernels:
    """The kernels on the CPU: runs a Launch whose pointers are addresses in this process."""

    def __init__(self, library: Path) -> None:
        self._launch = ctypes.CDLL(str(library)).launch

    def address(self, array: NDArray[Any]) -> int:
        """Where the array lies."""
        return int(array.ctypes.data)

    def forget(self) -> None:
        """Nothing is kept."""

    def run(self, launch: Launch, order: int = 0) -> None:
        """To the end, from the last thread with `order` 1. Raises HostKernelsError for a broken barrier."""
        packed = launch.packed()
        addresses = (ctypes.c_void_p * len(packed))(*(ctypes.addressof(value) for value in packed))
        grid, block = (ctypes.c_uint * 3)(*launch.grid), (ctypes.c_uint * 3)(*launch.block)
        fault = self._launch(launch.kernel.encode(), grid, block, addresses, order)
        if fault:
            reason = {1: "is not in the host build", 2: "ends some threads while others wait at a barrier"}
            raise HostKernelsError(f"{launch.kernel} {reason.get(fault, fault)}")
