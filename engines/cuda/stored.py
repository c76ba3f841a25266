"""Engines from the store of verified plans, ready to run."""

from __future__ import annotations

from engines.backends import tensorrt
from engines.build.store import PlanStore
from engines.catalogue import EngineEntry
from engines.catalogue.source import NetworkSource
from engines.cuda.crops import GpuCropNetwork
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.execution import Execution, batch_sizes_of
from engines.cuda.framepath import rule_of
from engines.cuda.inference import TensorRtNetwork, read_network
from engines.cuda.kernels import launches
from engines.cuda.stream_slot import SlotPlan
from engines.inference import crops
from engines.inference.decoders.scene import PLAIN
from engines.inference.detector import PersonDetector

MAX_BATCH = 8
"""As runtime.vision.batching gathers them."""


def open_stored(
    gpu: Gpu, detector: PersonDetector, input_wh: tuple[int, int], looks: tuple[GpuCropNetwork, ...] = ()
) -> Execution:
    """The detector's plan for that input size, and behind it what looks at its persons.

    Raises EngineError where none is built and verified here.
    """
    reading = detector.reading
    why = launches.undecodable(reading.decoder, usual=reading.meaning == PLAIN)
    if why:
        raise GpuError(why)
    network = network_of(detector, input_wh)
    plan = SlotPlan(network, reading, batch_sizes_of(min(MAX_BATCH, network.largest_batch)), looks)
    return Execution(gpu, plan)


def crops_of(looks: crops.CropNetwork) -> GpuCropNetwork:
    """The plan of a network that the CPU runs on crops. Raises EngineError where there is none."""
    return crops_with(looks, _stored(looks.source, looks.size_wh))


def crops_with(looks: crops.CropNetwork, network: TensorRtNetwork) -> GpuCropNetwork:
    """That engine, fed as the CPU feeds the network. Raises GpuError where it is another network's."""
    if len(network.outputs) != 1 or network.outputs[0].shape[1:] != (looks.answers,):
        shapes = [list(output.shape) for output in network.outputs]
        raise GpuError(f"engine {network.name} answers with {shapes}, not [n, {looks.answers}]")
    pixels = looks.pixels
    rule = rule_of(pixels.mean, pixels.std, rgb=pixels.colour == "rgb")
    return GpuCropNetwork(network, rule, looks.task == "reid", grown=looks.grown)


def network_of(detector: PersonDetector, input_wh: tuple[int, int]) -> TensorRtNetwork:
    """The detector's plan for that input size, loaded. Raises EngineError."""
    return _stored(detector.source, input_wh)


def _stored(source: NetworkSource, input_wh: tuple[int, int]) -> TensorRtNetwork:
    engine = source.recipe
    if not isinstance(engine, EngineEntry):
        raise GpuError(f"{source.path} has no TensorRT engine: `tagsight engines add` gives it a name")
    return load_network(engine.name, input_wh)


def load_network(name: str, input_wh: tuple[int, int]) -> TensorRtNetwork:
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
