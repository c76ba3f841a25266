"""The kernels' source to machine code for one GPU, on the device itself and once only.

NVRTC (a library, no host compiler needed) or nvcc, whichever is here and knows the GPU. The result is a
cubin, not PTX: PTX of a newer toolkit does not load on an older driver. It is kept under a key of source,
options, target and compiler, and its own checksum is part of its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from engines.cuda.errors import CompileError
from engines.cuda.kernels.sources import source

TARGETS = (75, 80, 86, 87, 89, 90, 110, 120, 121)
"""Compute capabilities: Turing to Blackwell; 87 is Orin, 110 Thor."""

OPTIONS = ("--std=c++17", "--fmad=false", "--ptxas-options=-v")
"""No fused multiply-add: the GPU rounds as the host build does, and these kernels wait for memory anyway."""

COMPILE_LIMIT_S = 300.0
MAX_CACHED = 32

_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Compiled:
    """A cubin and what the compiler said."""

    cubin: bytes
    log: str


class Compiler(Protocol):
    """nvcc or NVRTC."""

    @property
    def name(self) -> str:
        """`nvcc 13.0`: goes into the cache's key."""

    @property
    def version(self) -> tuple[int, int]:
        """Of the toolkit."""

    @property
    def targets(self) -> tuple[int, ...]:
        """The compute capabilities it can compile for."""

    def compile(self, text: str, target: int) -> Compiled:
        """Raises CompileError with the compiler's first complaint."""


class Nvcc:
    """The toolkit's compiler driver, as a subprocess."""

    def __init__(self, path: str) -> None:
        self._path = path
        said = self._run(["--version"])
        found = re.search(r"release (\d+)\.(\d+)", said)
        if found is None:
            raise CompileError(f"{path} --version does not say which release it is")
        self.version = (int(found[1]), int(found[2]))
        self.name = f"nvcc {found[1]}.{found[2]}"
        self.targets = tuple(
            sorted(int(code) for code in re.findall(r"sm_(\d+)", self._run(["--list-gpu-code"])))
        )

    def compile(self, text: str, target: int) -> Compiled:
        """As the protocol says."""
        with tempfile.TemporaryDirectory() as folder:
            file, cubin = Path(folder) / "kernels.cu", Path(folder) / "kernels.cubin"
            file.write_text(text)
            said = self._run(["-cubin", f"-arch=sm_{target}", *OPTIONS, "-o", str(cubin), str(file)])
            return Compiled(cubin.read_bytes(), said)

    def _run(self, arguments: list[str]) -> str:
        try:
            ended = subprocess.run(  # noqa: S603
                [self._path, *arguments], capture_output=True, text=True, timeout=COMPILE_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CompileError(f"{self._path}: {error}") from error
        said = ended.stdout + ended.stderr
        if ended.returncode:
            raise CompileError(f"{self._path}: {_first_complaint(said)}")
        return said


class Nvrtc:
    """The run-time compiler, a shared library."""

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise CompileError(f"{path}: {error}") from error
        major, minor, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        known = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", known)
        self.version = (major.value, minor.value)
        self.name = f"NVRTC {major.value}.{minor.value}"
        self.targets = tuple(sorted(known))

    def compile(self, text: str, target: int) -> Compiled:
        """As the protocol says."""
        program = ctypes.c_void_p()
        self._call("nvrtcCreateProgram", ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
        try:
            options = [f"--gpu-architecture=sm_{target}".encode(), *(option.encode() for option in OPTIONS)]
            array = (ctypes.c_char_p * len(options))(*options)
            failed = self._library.nvrtcCompileProgram(program, len(options), array)
            log = self._bytes(program, "nvrtcGetProgramLog").rstrip(b"\0").decode(errors="replace")
            if failed:
                raise CompileError(f"{self.name}: {_first_complaint(log)}")
            return Compiled(self._bytes(program, "nvrtcGetCUBIN"), log)
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _bytes(self, program: ctypes.c_void_p, getter: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"{getter}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(max(1, size.value))
        self._call(getter, program, buffer)
        return buffer.raw[: size.value]

    def _call(self, function: str, *arguments: object) -> None:
        fault = getattr(self._library, function)(*arguments)
        if fault:
            raise CompileError(f"NVRTC: {function} failed with {fault}")


def _first_complaint(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next(
        (line for line in lines if "error" in line.lower()), lines[-1] if lines else "no reason given"
    )


def _nvrtc_files() -> Iterator[Path]:
    """NVRTC libraries here: folders in $TAGSIGHT_NVRTC, then Python's packages, then the toolkit."""
    folders = [Path(folder) for folder in os.environ.get("TAGSIGHT_NVRTC", "").split(os.pathsep) if folder]
    folders += [
        Path(entry) / "nvidia" / part / "lib" for entry in sys.path for part in ("cuda_nvrtc", "cu13")
    ]
    folders += [Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "lib64"]
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(folder.glob("libnvrtc.so.*[0-9]")):
            real = path.resolve()
            if real not in seen:
                seen.add(real)
                yield real


@lru_cache(maxsize=1)
def compilers() -> tuple[Compiler, ...]:
    """All that are here and work: NVRTC libraries first, then nvcc; the same release once each."""
    found: dict[str, Compiler] = {}
    for path in _nvrtc_files():
        with contextlib.suppress(CompileError):
            library = Nvrtc(path)
            found.setdefault(library.name, library)
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is not None:
        with contextlib.suppress(CompileError):
            driver = Nvcc(nvcc)
            found.setdefault(driver.name, driver)
    return tuple(found.values())


def choose_compiler(target: int, driver_version: tuple[int, int]) -> Compiler:
    """The newest compiler that knows the target and is not too new for the driver. Raises CompileError."""
    able = [one for one in compilers() if target in one.targets and one.version[0] <= driver_version[0]]
    if not able:
        here = ", ".join(one.name for one in compilers()) or "none is here"
        raise CompileError(
            f"no compiler for sm_{target} and CUDA {driver_version[0]}.{driver_version[1]} ({here}): "
            f"install the CUDA toolkit or nvidia-cuda-nvrtc of release {driver_version[0]}"
        )
    return max(able, key=lambda one: one.version)


def default_cache() -> Path:
    """Where compiled kernels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagsight" / "kernels"


def cubin_for(target: int, driver_version: tuple[int, int], cache: Path | None = None) -> bytes:
    """The kernels for that GPU, from the cache or compiled now. Raises CompileError."""
    compiler, text = choose_compiler(target, driver_version), source()
    folder = cache or default_cache()
    key = cache_key(text, target, compiler.name)
    for path in folder.glob(f"{key}-*.cubin"):
        kept = path.read_bytes()
        if path.stem == f"{key}-{_digest(kept)}":
            return kept
        path.unlink(missing_ok=True)
    cubin = compiler.compile(text, target).cubin
    if not cubin.startswith(_ELF):
        raise CompileError(f"{compiler.name} gave no cubin for sm_{target}")
    _keep(folder, f"{key}-{_digest(cubin)}.cubin", cubin)
    return cubin


def cache_key(text: str, target: int, compiler: str) -> str:
    """Says all that the machine code depends on."""
    return hashlib.sha256("\0".join((compiler, f"sm_{target}", *OPTIONS, text)).encode()).hexdigest()[:32]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _keep(folder: Path, name: str, content: bytes) -> None:
    """Written whole or not at all; the oldest go when there are more than MAX_CACHED."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            file.write(content)
        Path(file.name).rename(folder / name)
        kept = sorted(folder.glob("*.cubin"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MAX_CACHED]:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CompileError(f"{folder}: compiled kernels cannot be kept there ({error.strerror})") from error


@dataclass(frozen=True)
class Usage:
    """What one kernel takes of a GPU, as ptxas reports it."""

    compiler: str
    target: int
    kernel: str
    registers: int
    spilled_bytes: int
    """Stores and loads together."""
    shared_bytes: int


_ENTRY = re.compile(
    r"Compiling entry function '(\w+)' for 'sm_\d+\w?'(.*?)(?=Compiling entry function|\Z)", re.DOTALL
)


def usage(compiler: Compiler, target: int) -> list[Usage]:
    """Registers, spills and shared memory of every kernel. Raises CompileError."""
    rows = []
    for name, report in _ENTRY.findall(compiler.compile(source(), target).log):
        registers, shared = re.search(r"Used (\d+) registers", report), re.search(r"(\d+) bytes smem", report)
        spills = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report)
        if registers is None or spills is None:
            raise CompileError(f"{compiler.name}: no registers and spills reported for {name}")
        spilled = int(spills[1]) + int(spills[2])
        rows.append(
            Usage(compiler.name, target, name, int(registers[1]), spilled, int(shared[1]) if shared else 0)
        )
    return sorted(rows, key=lambda row: row.kernel)
