"""A fake TensorRT: its shape of engine and context, over onnxruntime on the CPU.

It is no inference back end. It lets `engines.cuda.execution` run where no GPU is, over the fake
libcuda: a context is told names, shapes and addresses, and what it is asked to run is queued on the stream
as a host function, which graphs capture as well. Like TensorRT it refuses, by answering False, a shape
outside its profile, a tensor without an address, memory that the GPU cannot reach, and a capture before the
first run at that shape.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FREE = -1
_HOST_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class TensorIOMode(Enum):
    """As in TensorRT."""

    NONE = 0
    INPUT = 1
    OUTPUT = 2


class DataType(Enum):
    """As in TensorRT; the fake knows these two."""

    FLOAT = 0
    HALF = 1


class FakeEngine:
    """An ONNX network of one input, fixed to a picture size, as a loaded TensorRT engine would be.

    One optimisation profile a bucket, each from the one before it on. `capturable` False: TensorRT has
    networks that refuse to be captured.
    """

    def __init__(
        self, onnx: Path, input_wh: tuple[int, int], buckets: Sequence[int], *, capturable: bool = True
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session: Any = onnxruntime.InferenceSession(
            str(onnx), options, providers=["CPUExecutionProvider"]
        )
        self.libcuda = ctypes.CDLL("libcuda.so.1")
        self.capturable = capturable
        self.faults: list[str] = []
        """What went wrong while it ran, as nobody can be told then."""
        self.runs = 0
        (given,) = self.session.get_inputs()
        self.input = str(given.name)
        width, height = input_wh
        trial = self.session.run(None, {self.input: np.zeros((1, 3, height, width), np.float32)})
        self.shapes = {self.input: (FREE, 3, height, width)}
        for port, found in zip(self.session.get_outputs(), trial, strict=True):
            self.shapes[str(port.name)] = (FREE, *found.shape[1:])
        lows = (1, *(bucket + 1 for bucket in buckets[:-1]))
        self.profiles = tuple(zip(lows, buckets, strict=True))

    @property
    def num_io_tensors(self) -> int:
        """As in TensorRT."""
        return len(self.shapes)

    @property
    def num_optimization_profiles(self) -> int:
        """As in TensorRT."""
        return len(self.profiles)

    def get_tensor_name(self, index: int) -> str:
        """As in TensorRT."""
        return list(self.shapes)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """As in TensorRT."""
        return TensorIOMode.INPUT if name == self.input else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        """As in TensorRT."""
        return DataType.FLOAT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """As in TensorRT."""
        return self.shapes[name]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        """As in TensorRT: smallest, best and largest shape."""
        low, high = self.profiles[profile]
        return [(batch, *self.shapes[name][1:]) for batch in (low, high, high)]

    def create_execution_context(self) -> FakeContext:
        """As in TensorRT."""
        return FakeContext(self)


class FakeContext:
    """As TensorRT's IExecutionContext."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._profile: int | None = None
        self._batch = 0
        self._addresses: dict[str, int] = {}
        self._warm: set[int] = set()
        self._jobs: dict[tuple[int, ...], Callable[[int], None]] = {}

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        """As in TensorRT."""
        if not 0 <= profile < len(self._engine.profiles):
            return False
        self._profile = profile
        return True

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        """As in TensorRT."""
        if name != self._engine.input or self._profile is None:
            return False
        low, high = self._engine.profiles[self._profile]
        if tuple(shape[1:]) != self._engine.shapes[name][1:] or not low <= shape[0] <= high:
            return False
        self._batch = shape[0]
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        """As in TensorRT."""
        if name not in self._engine.shapes:
            return False
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """As in TensorRT: with the batch that was set."""
        return (self._batch or FREE, *self._engine.shapes[name][1:])

    def execute_async_v3(self, stream: int) -> bool:
        """As in TensorRT: queues a run with the shapes and addresses of now."""
        engine, capturing = self._engine, ctypes.c_int()
        if not self._batch or set(self._addresses) != set(engine.shapes):
            return False
        if not all(self._is_reachable(name) for name in engine.shapes):
            return False
        engine.libcuda.cuStreamIsCapturing(ctypes.c_void_p(stream), ctypes.byref(capturing))
        if capturing.value and not (engine.capturable and self._batch in self._warm):
            return False
        self._warm.add(self._batch)
        fault = engine.libcuda.cuLaunchHostFunc(ctypes.c_void_p(stream), self._job(), None)
        return bool(fault == 0)

    def _is_reachable(self, name: str) -> bool:
        size = 4 * int(np.prod(self.get_tensor_shape(name)))
        reachable = self._engine.libcuda.stand_in_reachable
        return bool(reachable(ctypes.c_void_p(self._addresses[name]), ctypes.c_size_t(size)))

    def _job(self) -> Callable[[int], None]:
        """The host function for these addresses and this batch; kept, since a graph calls it again."""
        engine = self._engine
        places = tuple(self._addresses[name] for name in engine.shapes)
        key = (self._batch, *places)
        if key not in self._jobs:
            given, *outputs = (
                _floats(address, self.get_tensor_shape(name))
                for name, address in zip(engine.shapes, places, strict=True)
            )

            def run(_: int) -> None:
                try:
                    results = engine.session.run(None, {engine.input: given})
                    for output, result in zip(outputs, results, strict=True):
                        output[...] = result
                    engine.runs += 1
                except Exception as error:  # noqa: BLE001 - the driver that calls this can hear nothing
                    engine.faults.append(str(error))

            self._jobs[key] = _HOST_FUNCTION(run)
        return self._jobs[key]


def _floats(address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    count = int(np.prod(shape))
    memory = memoryview((ctypes.c_char * (4 * count)).from_address(address)).cast("B")
    return np.frombuffer(memory, np.float32).reshape(shape)
