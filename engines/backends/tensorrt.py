"""TensorRT, whichever is here: the library, its version, and plans of our own store.

    library = find()                         # tensorrt before tensorrt_rtx
    loaded = load(library, plans, published)
    context = loaded.engine.create_execution_context()

Releases 8.6 to 11 differ in what they offer, so a part is used where it exists. Plans are built by
`engines.build` and run by `engines.cuda`; nothing else is ever loaded.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engines.build.key import Machine
from engines.build.manifest import PlanManifest, Published
from engines.build.store import PlanStore
from engines.cuda.driver import GpuFacts
from engines.errors import BackendError

LibraryName = Literal["auto", "tensorrt", "tensorrt_rtx"]
FLAVOURS = ("tensorrt", "tensorrt_rtx")
OLDEST = {"tensorrt": (8, 6), "tensorrt_rtx": (1, 0)}
TEGRA_RELEASE = Path("/etc/nv_tegra_release")
KERNEL_DRIVER = Path("/proc/driver/nvidia/version")

NEEDED = {
    "Builder": (
        "build_serialized_network",
        "create_builder_config",
        "create_network",
        "create_optimization_profile",
    ),
    "IBuilderConfig": ("add_optimization_profile", "set_flag", "set_memory_pool_limit"),
    "ICudaEngine": (
        "create_execution_context",
        "get_tensor_dtype",
        "get_tensor_mode",
        "get_tensor_name",
        "get_tensor_profile_shape",
        "get_tensor_shape",
        "num_io_tensors",
        "num_optimization_profiles",
    ),
    "IExecutionContext": (
        "execute_async_v3",
        "set_input_shape",
        "set_optimization_profile_async",
        "set_tensor_address",
    ),
    "IOptimizationProfile": ("set_shape",),
    "OnnxParser": ("get_error", "num_errors", "parse"),
    "Runtime": ("deserialize_cuda_engine",),
}
"""What every release that is used must offer, by class."""


@dataclass(frozen=True)
class TensorRt:
    """The library that was found."""

    name: str
    version: str
    module: Any
    logger: Any

    @property
    def typed(self) -> bool:
        """Networks are strongly typed: their precision is in the ONNX, and no builder flag changes it."""
        return hasattr(self.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")


@dataclass(frozen=True)
class LoadedEngine:
    """An engine on the device. `runtime` must live as long as `engine`."""

    engine: Any
    runtime: Any
    manifest: PlanManifest

    def profile_for(self, batch: int) -> int:
        """Index of the profile that takes that many images. Raises BackendError for too many."""
        for place, largest in enumerate(self.manifest.buckets):
            if 0 < batch <= largest:
                return place
        raise BackendError(
            f"{self.manifest.name}: built for batches of 1 to {self.manifest.buckets[-1]}, not {batch}"
        )


def installed() -> tuple[str, ...]:
    """Which of the two are here."""
    return tuple(name for name in FLAVOURS if importlib.util.find_spec(name) is not None)


def find(name: LibraryName = "auto") -> TensorRt:
    """The library of that name, or the first that is here. Raises BackendError with the reason."""
    here = installed()
    if name != "auto" and name not in here:
        raise BackendError(f"{name} is not installed for this Python")
    if not here:
        raise BackendError(
            "TensorRT is not installed for this Python: it comes with JetPack (use its system packages), or "
            "pip install 'tagsight[gpu]'"
        )
    chosen = here[0] if name == "auto" else name
    try:
        module = importlib.import_module(chosen)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise BackendError(f"{chosen} is installed but does not load ({_short(error)})") from error
    return described(chosen, module)


def described(name: str, module: Any) -> TensorRt:
    """What a module of TensorRT is. Raises BackendError for a release that lacks what is needed."""
    version = str(getattr(module, "__version__", ""))
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    oldest = OLDEST[name]
    if not release or release < oldest:
        least = ".".join(map(str, oldest))
        raise BackendError(f"{name} {version or 'without a version'} is too old: {least} or newer is needed")
    missing = lacking(module)
    if missing:
        raise BackendError(
            f"{name} {version} lacks {', '.join(missing)}; releases 8.6 to 11 are known to work"
        )
    return TensorRt(name, version, module, module.Logger(module.Logger.WARNING))


def lacking(module: Any) -> list[str]:
    """What a release does not offer of what is needed, as Class.attribute."""
    return [
        f"{owner}.{attribute}"
        for owner, attributes in NEEDED.items()
        for attribute in attributes
        if not hasattr(getattr(module, owner, None), attribute)
    ]


def here(library: TensorRt, facts: GpuFacts) -> Machine:
    """What a plan is tied to on this machine."""
    return Machine(
        flavour=library.name,
        tensorrt=library.version,
        cuda=".".join(map(str, facts.driver_version)),
        driver=_kernel_driver(),
        l4t=_first_line(TEGRA_RELEASE).partition(", GCID")[0].strip("# "),
        device=facts.name,
        sm=facts.target,
        multiprocessors=facts.multiprocessors,
    )


def load(library: TensorRt, plans: PlanStore, published: Published) -> LoadedEngine:
    """Bring an engine of our own store onto the device.

    Raises StoreError for one that could have been changed, BackendError for one that is not for this device.
    The caller has a CUDA context: without one, some runtimes crash.
    """
    made_for = published.manifest.parts.machine
    if (made_for.flavour, made_for.tensorrt) != (library.name, library.version):
        raise BackendError(
            f"{published.folder}: built by {made_for.flavour} {made_for.tensorrt}, this is {library.name} "
            f"{library.version}; tagsight engines build {published.manifest.name}"
        )
    check_cuda()
    content = plans.read_plan(published)
    runtime = library.module.Runtime(library.logger)
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise BackendError(
            f"{published.folder}: {library.name} {library.version} does not take it on this device; "
            f"tagsight engines build {published.manifest.name} --force"
        )
    return LoadedEngine(engine, runtime, published.manifest)


def check_cuda() -> None:
    """Raises BackendError where the driver finds no device."""
    if device_count() == 0:
        raise BackendError("no CUDA device is here, and an engine cannot be loaded without one")


def check_builder() -> None:
    """Raises BackendError where the packages that engines are built and verified with are missing."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendError(f"building engines needs {' and '.join(missing)}: pip install 'tagsight[gpu]'")


def device_count() -> int:
    """How many devices the CUDA driver finds; 0 without a driver."""
    try:
        libcuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if libcuda.cuInit(0) or libcuda.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def tensor_names(engine: Any) -> list[str]:
    """All inputs and outputs of an engine."""
    return [engine.get_tensor_name(place) for place in range(engine.num_io_tensors)]


def _kernel_driver() -> str:
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", _first_line(KERNEL_DRIVER))
    return found.group(0) if found else ""


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return ""


def _short(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 160 else words[:159] + "…"
