"""The machine itself: Python, packages, CPU, accelerator, engines, disk, clock."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from runtime.doctor.findings import Check, Finding

OLDEST, NEWEST = (3, 10), (3, 13)
TEGRA_RELEASE = Path("/etc/nv_tegra_release")
GREATEST_CLOCK_ERROR_S = 1.0
LEAST_FREE_MEMORY_MIB = 500
MIB = 2**20


def checks(state_dir: Path, outbox_mib: int, detector: str, backend: str) -> list[Check]:
    """What every box needs, whatever its store."""
    return [
        Check("python", python_version),
        Check("packages", packages, "pip install --upgrade tagsight"),
        Check("processor", processor),
        Check("accelerator", accelerator),
        Check("engines", lambda: engine(detector, backend), "tagsight engines list shows what there is"),
        Check("gpu engines", lambda: gpu_engines(detector), "tagsight engines build --all"),
        Check("disk", lambda: disk(state_dir, outbox_mib), f"make {state_dir} and let this user write there"),
        Check("clock", clock),
        Check("demo broker", demo_broker),
    ]


def python_version() -> Finding:
    """A Python that tagsight is made for."""
    here = sys.version_info[:2]
    found = f"Python {platform.python_version()} on {platform.machine()}"
    if OLDEST <= here <= NEWEST:
        return Finding("ok", found)
    return Finding("missing", found, "install Python 3.10 to 3.13 and make the virtual environment with it")


def packages() -> Finding:
    """Every package that tagsight needs is there in a version that will do."""
    needed = [line for line in metadata.requires("tagsight") or [] if "extra ==" not in line]
    wrong = [fault for line in needed if (fault := _package_fault(line))]
    if wrong:
        return Finding("missing", "; ".join(wrong), "pip install --upgrade tagsight")
    return Finding("ok", f"all {len(needed)} that tagsight {metadata.version('tagsight')} needs")


def _package_fault(requirement: str) -> str:
    """What is wrong with a line such as `numpy>=1.26; platform_machine == "x86_64"`; empty if nothing."""
    wanted, _, marker = requirement.partition(";")
    if "platform_machine" in marker:
        for_x86 = "==" in marker
        if for_x86 != (platform.machine() == "x86_64"):
            return ""
    name = re.split(r"[\s<>=!~\[]", wanted.strip(), maxsplit=1)[0]
    least = re.search(r">=\s*([\d.]+)", wanted)
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if least is not None and _numbers(version) < _numbers(least.group(1)):
        return f"{name} {version} is older than {least.group(1)}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def processor() -> Finding:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB", _text(Path("/proc/meminfo")), re.M))
    if "MemTotal" not in memory or "MemAvailable" not in memory:
        return Finding("ok", f"{cores} cores, memory unknown")
    total_mib, free_mib = int(memory["MemTotal"]) // 1024, int(memory["MemAvailable"]) // 1024
    found = f"{cores} cores, {free_mib / 1024:.1f} of {total_mib / 1024:.1f} GiB of memory free"
    if free_mib < LEAST_FREE_MEMORY_MIB:
        return Finding("weak", found, "close other programs, or the daemon may be killed for memory")
    return Finding("ok", found)


def accelerator() -> Finding:
    """An NVIDIA GPU, on a card or on a Jetson; a store with few cameras does without."""
    tegra = _text(TEGRA_RELEASE).partition(",")[0].strip("# \n")
    names = _nvidia_smi()
    devices = _cuda_devices()
    if devices:
        known = tegra or names or "NVIDIA GPU"
        return Finding("ok", f"{known}: {devices} CUDA device{'s' if devices > 1 else ''}")
    if tegra or names:
        remedy = (
            "install the driver's CUDA library, and let this user open /dev/nvidia* (group video or render)"
        )
        return Finding("weak", f"{tegra or names} is there, but CUDA finds no device", remedy)
    return Finding("absent", "no NVIDIA GPU: persons are found on the CPU, which does for a few cameras")


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=8, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip().splitlines()[0] if answer.returncode == 0 and answer.stdout.strip() else ""


def _cuda_devices() -> int:
    """How many devices the CUDA driver finds; 0 without a driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def engine(detector: str, backend: str) -> Finding:
    """The configured detector is there, whole, and has a back end to run it. Raises EngineError."""
    from engines import backends, catalogue

    chosen = backends.choose(backend).name
    if Path(detector).suffix in (".onnx", ".xml"):
        if not Path(detector).is_file():
            return Finding("missing", f"{detector}: no such file", "give a name from tagsight engines list")
        return Finding("ok", f"{detector}, run by {chosen}")
    known = catalogue.find(detector)
    faults = catalogue.faults(known)
    if faults:
        return Finding("missing", "; ".join(faults), "install tagsight again, or add the engine again")
    return Finding("ok", f"{detector} is whole, run by {chosen}")


def gpu_engines(detector: str) -> Finding:
    """On a machine with a GPU, TensorRT and verified engines of the detector. Raises EngineError."""
    from engines.backends import tensorrt
    from engines.build import report

    if not _cuda_devices():
        here = f"; {report.library_line()} is here" if tensorrt.installed() else ""
        return Finding("absent", f"none are needed without a GPU{here}")
    states, not_run = report.states((detector,), run=True)
    if not_run:
        return Finding("weak", not_run, "install what is missing, or let the CPU find persons")
    wrong = [state.line() for state in states if state.fault or state.stale]
    if wrong:
        return Finding("missing", "; ".join(wrong), "tagsight engines build --all")
    used = [state.line() for state in states if state.in_use]
    if not used:
        return Finding(
            "weak", f"none for {detector}; {report.library_line()}", "tagsight engines build --all"
        )
    return Finding("ok", "; ".join(used))


def disk(state_dir: Path, outbox_mib: int) -> Finding:
    """Room for the outbox at its limit, in a folder this user may write to."""
    folder = state_dir
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    free_mib = shutil.disk_usage(folder).free // MIB
    found = f"{free_mib / 1024:.1f} GiB free at {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            "missing", f"{folder} cannot be written by this user", f"let this user write to {state_dir}"
        )
    if free_mib < outbox_mib:
        return Finding(
            "missing",
            f"{found}; the outbox may grow to {outbox_mib} MiB",
            "free some, or lower uplink.max_mb",
        )
    if free_mib < 2 * outbox_mib:
        return Finding(
            "weak", f"{found}; the outbox may grow to {outbox_mib} MiB", "free some before it fills"
        )
    return Finding("ok", found)


def clock() -> Finding:
    """The kernel's clock is kept right by something."""
    from runtime.kernel_clock import kernel_clock

    remedy = "install and start chrony or systemd-timesyncd: events carry this machine's time"
    state = kernel_clock()
    if state is None:
        return Finding("weak", "the kernel cannot be asked whether its clock is right", remedy)
    if not state.synchronised:
        return Finding("weak", "not synchronised with any time server", remedy)
    found = f"synchronised, estimated error {state.estimated_error_s * 1e3:.1f} ms"
    if state.greatest_error_s > GREATEST_CLOCK_ERROR_S:
        return Finding("weak", f"{found}, but not heard from the time server for long", remedy)
    return Finding("ok", found)


def demo_broker() -> Finding:
    """A Mosquitto program, which only `tagsight demo` and the tests need."""
    from broker.mosquitto import find_mosquitto
    from tagsight.errors import TagsightError

    try:
        return Finding("ok", f"{find_mosquitto()}")
    except TagsightError:
        return Finding(
            "absent", "no Mosquitto here; only tagsight demo needs one", "scripts/fetch-mosquitto gets it"
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
