"""Engines from the store of verified plans, ready to run."""

from __future__ import annotations

from engines.backends import tensorrt
from engines.catalogue import EngineEntry
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.execution import Execution, buckets_of
from engines.cuda.inference import Network, read_network
from engines.cuda.lane import LanePlan
from engines.detector import PersonDetector
from engines.store import PlanStore

LARGEST_BATCH = 8
"""As runtime.vision.batching gathers them."""


def open_stored(gpu: Gpu, detector: PersonDetector, input_wh: tuple[int, int]) -> Execution:
    """The detector's plan for that input size. Raises EngineError where none is built and verified here."""
    network = network_of(detector, input_wh)
    plan = LanePlan(network, detector.reading, buckets_of(min(LARGEST_BATCH, network.largest_batch)))
    return Execution(gpu, plan)


def network_of(detector: PersonDetector, input_wh: tuple[int, int]) -> Network:
    """The detector's plan for that input size, loaded. Raises EngineError."""
    engine = detector.source.recipe
    if not isinstance(engine, EngineEntry):
        raise GpuError(
            f"{detector.source.path} has no TensorRT engine: `tagsight engines add` gives it a name"
        )
    return load_network(engine.name, input_wh)


def load_network(name: str, input_wh: tuple[int, int]) -> Network:
    """A verified plan of the store, loaded. Raises EngineError."""
    library, plans = tensorrt.find("auto"), PlanStore.open()
    ready = plans.current(name, input_wh)
    if ready is None:
        width, height = input_wh
        raise GpuError(
            f"no verified TensorRT engine {name} for {width} x {height}: run `tagsight engines build {name}`"
        )
    loaded = tensorrt.load(library, plans, ready)
    return read_network(loaded.engine, name, owner=loaded)
