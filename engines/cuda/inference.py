"""A TensorRT engine run on a stream: named tensors at fixed addresses, for one batch size.

What is used of TensorRT is what 8.6 to 11 and TensorRT-RTX have in common (`ENGINE_CALLS`, `CONTEXT_CALLS`; a
test holds them against the bindings that are here). The engine comes loaded (`engines.backends.tensorrt`);
this module imports no TensorRT. Of networks it takes those with one input and float32 outputs, as ours are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.cuda.errors import GpuError

ENGINE_CALLS = (
    "num_io_tensors",
    "num_optimization_profiles",
    "get_tensor_name",
    "get_tensor_mode",
    "get_tensor_dtype",
    "get_tensor_shape",
    "get_tensor_profile_shape",
    "create_execution_context",
)
CONTEXT_CALLS = (
    "set_optimization_profile_async",
    "set_input_shape",
    "set_tensor_address",
    "get_tensor_shape",
    "execute_async_v3",
)

FREE = -1
"""A dimension that is settled when the engine runs: the batch."""


@dataclass(frozen=True)
class Tensor:
    """An input or output; the batch is the first dimension, FREE where the engine takes several."""

    name: str
    shape: tuple[int, ...]
    half: bool


@dataclass(frozen=True)
class TensorRtNetwork:
    """A loaded engine as the execution sees it."""

    name: str
    engine: Any
    input: Tensor
    outputs: tuple[Tensor, ...]
    batches: tuple[tuple[int, int], ...]
    """Smallest and largest batch of each optimisation profile."""
    owner: Any = None
    """What has to live as long as the engine."""

    @property
    def input_wh(self) -> tuple[int, int]:
        """Of its images."""
        return self.input.shape[3], self.input.shape[2]

    @property
    def largest_batch(self) -> int:
        """The most images it takes at once."""
        return max(most for _, most in self.batches)

    def profile_for(self, batch: int) -> int:
        """The optimisation profile of the smallest range that holds the batch. Raises GpuError for none."""
        able = [(most, number) for number, (least, most) in enumerate(self.batches) if least <= batch <= most]
        if not able:
            raise GpuError(f"engine {self.name} takes {self._ranges()} pictures at once, not {batch}")
        return min(able)[1]

    def _ranges(self) -> str:
        return ", ".join(f"{least} to {most}" for least, most in self.batches)


def read_network(engine: Any, name: str, owner: Any = None) -> TensorRtNetwork:
    """Look at a loaded engine; `owner` has to live as long as it.

    Raises GpuError for one that this path cannot run, with what it found.
    """
    tensors = {"INPUT": list[Tensor](), "OUTPUT": list[Tensor]()}
    for number in range(engine.num_io_tensors):
        tensor = str(engine.get_tensor_name(number))
        kind = engine.get_tensor_dtype(tensor).name
        mode = engine.get_tensor_mode(tensor).name
        if kind not in ("FLOAT", "HALF") or (mode == "OUTPUT" and kind != "FLOAT"):
            raise GpuError(f"engine {name}: {mode.lower()} {tensor} is {kind}; build it with float32 outputs")
        shape = tuple(int(side) for side in engine.get_tensor_shape(tensor))
        tensors[mode].append(Tensor(tensor, shape, kind == "HALF"))
    inputs, outputs = tensors["INPUT"], tensors["OUTPUT"]
    if len(inputs) != 1 or not outputs:
        raise GpuError(
            f"engine {name} has {len(inputs)} inputs and {len(outputs)} outputs; one input is wanted"
        )
    (images,) = inputs
    if len(images.shape) != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 1:
        raise GpuError(f"engine {name} takes {list(images.shape)}, not pictures [batch, 3, height, width]")
    return TensorRtNetwork(name, engine, images, tuple(outputs), _batches(engine, images), owner)


def _batches(engine: Any, images: Tensor) -> tuple[tuple[int, int], ...]:
    if images.shape[0] != FREE:
        return ((images.shape[0],) * 2,)
    shapes = [
        engine.get_tensor_profile_shape(images.name, number)
        for number in range(engine.num_optimization_profiles)
    ]
    return tuple((int(least[0]), int(most[0])) for least, _, most in shapes)


class Inference:
    """One execution context, with its profile, batch and addresses set once."""

    def __init__(self, network: TensorRtNetwork, batch: int, stream: int) -> None:
        """The profile is chosen on `stream`, which the caller waits for. Raises GpuError."""
        self.network = network
        self.batch = batch
        context = network.engine.create_execution_context()
        if context is None:
            raise GpuError(f"engine {network.name}: no execution context; is the GPU's memory full?")
        self._context: Any = context
        profile = network.profile_for(batch)
        shape = (batch, *network.input.shape[1:])
        chosen = context.set_optimization_profile_async(profile, stream)
        if not chosen or not context.set_input_shape(network.input.name, shape):
            raise GpuError(f"engine {network.name}: profile {profile} does not take {list(shape)}")

    def shape(self, output: str) -> tuple[int, ...]:
        """Of an output at this batch."""
        return tuple(int(side) for side in self._context.get_tensor_shape(output))

    def bind(self, addresses: Mapping[str, int]) -> None:
        """Where each tensor lies from now on. Raises GpuError for one without an address."""
        for tensor in (self.network.input, *self.network.outputs):
            address = addresses.get(tensor.name, 0)
            if not address or not self._context.set_tensor_address(tensor.name, address):
                raise GpuError(
                    f"engine {self.network.name}: {tensor.name} cannot lie at address {address:#x}"
                )

    def queue(self, stream: int) -> None:
        """Queue one run. Raises GpuError where TensorRT refuses; it says why in its own log."""
        if not self._context.execute_async_v3(stream):
            raise GpuError(f"engine {self.network.name}: TensorRT refused to run a batch of {self.batch}")
