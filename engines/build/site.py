"""Where engines are built: the library, the device, the store; and what goes into a build there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engines import catalogue
from engines.backends import tensorrt
from engines.backends.tensorrt import TensorRt
from engines.build.key import Machine, Options
from engines.build.precision import conversion, eightbit
from engines.build.store import PlanStore
from engines.catalogue import KnownEngine
from engines.cuda.driver import GpuFacts, open_gpu
from engines.cuda.libraries import Library
from engines.errors import BuildError


@dataclass(frozen=True)
class BuildSite:
    """The machine engines are built on. `cuda` None: no GPU here, so nothing is verified."""

    library: TensorRt
    machine: Machine
    plans: PlanStore
    cuda: Library | None = None
    integrated: bool = False


@contextlib.contextmanager
def open_site(library: tensorrt.LibraryName = "auto", target_sm: int = 0) -> Iterator[BuildSite]:
    """This machine with its GPU, or, with `target_sm`, without one.

    Raises BackendError where TensorRT is missing, GpuError where the GPU is, StoreError for an unsafe store.
    """
    found = tensorrt.find(library)
    plans = PlanStore.open()
    if target_sm:
        yield BuildSite(found, Machine(flavour=found.name, tensorrt=found.version, sm=target_sm), plans)
        return
    gpu = open_gpu()
    try:
        facts: GpuFacts = gpu.facts
        yield BuildSite(found, tensorrt.here(found, facts), plans, gpu.library, facts.integrated)
    finally:
        gpu.close()


def source_of(engine: KnownEngine) -> Path:
    """The network all precisions are made of, checked. Raises EngineError."""
    wrong = catalogue.faults(engine)
    if wrong:
        raise BuildError(wrong[0])
    plain = [file for file in engine.entry.files if file.precision == "f32"]
    if not plain:
        raise BuildError(f"{engine.entry.name}: has no fp32 file, which engines are built from")
    path = engine.folder / plain[0].file
    return path


def is_typed(library: TensorRt, options: Options) -> bool:
    """Whether the network's own types count; on a DLA they cannot."""
    return library.typed and options.dla_core is None


def prepared(site: BuildSite, engine: KnownEngine, source: Path, options: Options) -> bytes:
    """The ONNX that TensorRT is given for one engine. Raises EngineError."""
    quantised = None
    if options.precision == "int8":
        quantised = eightbit.accepted(site.plans, engine, source, options.size_wh).onnx
    typed = is_typed(site.library, options)
    return conversion.prepared(source, options.size_wh, options.precision, typed=typed, quantised=quantised)
