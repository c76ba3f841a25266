"""An engine run once for each sample on the device, to see whether it says what the network says."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from engines.backends.tensorrt import LoadedEngine
from engines.build.precision.parity import Answers
from engines.build.precision.samples import Feed
from engines.cuda.inference import Inference, TensorRtNetwork, read_network
from engines.cuda.libraries import Library
from engines.errors import BuildError

WARM_UP = 3
TIMED = 21


def answers(cuda: Library, loaded: LoadedEngine, samples: Sequence[Feed]) -> tuple[list[Answers], float]:
    """The engine's outputs for each sample, and its median latency for one image in ms, copies left out.

    Raises GpuError where the device refuses, BuildError for an engine that takes what the network does not.
    """
    network = read_network(loaded.engine, loaded.manifest.name)
    batch = network.batches[0][0]
    if network.input.half:
        raise BuildError(f"engine {network.name} takes fp16 pictures; ours are built for fp32")
    bench = _Bench(cuda, network, batch)
    try:
        given = [bench.run(np.repeat(sample, batch, axis=0)) for sample in samples]
        return given, bench.latency_ms()
    finally:
        bench.close()


class _Bench:
    """An execution context and memory for one batch."""

    def __init__(self, cuda: Library, network: TensorRtNetwork, batch: int) -> None:
        self._cuda = cuda
        self._network = network
        self._stream = cuda.stream()
        self._inference = Inference(network, batch, self._stream)
        self._cuda.wait(self._stream)
        names = [tensor.name for tensor in network.outputs]
        shapes = {name: self._inference.shape(name) for name in names}
        if any(side < 0 for shape in shapes.values() for side in shape):
            raise BuildError(f"engine {network.name}: the size of its answers depends on the picture")
        self._answers = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        shape = (batch, *network.input.shape[1:])
        self._addresses: dict[str, int] = {}
        try:
            self._addresses[network.input.name] = cuda.allocate(4 * int(np.prod(shape)))
            for name, array in self._answers.items():
                self._addresses[name] = cuda.allocate(max(1, array.nbytes))
            self._inference.bind(self._addresses)
        except BaseException:
            self.close()
            raise

    def run(self, feed: Feed) -> Answers:
        """One batch; the answers of its first image."""
        feed = np.ascontiguousarray(feed)
        place = self._addresses[self._network.input.name]
        self._cuda.copy_to_device(place, feed.ctypes.data, feed.nbytes, self._stream)
        self._inference.queue(self._stream)
        for name, array in self._answers.items():
            self._cuda.copy_to_host(array.ctypes.data, self._addresses[name], array.nbytes, self._stream)
        self._cuda.wait(self._stream)
        return tuple(array[:1].copy() for array in self._answers.values())

    def latency_ms(self) -> float:
        """Median of one run, from queueing it to its end."""
        took_ms = []
        for _ in range(WARM_UP + TIMED):
            start_s = time.perf_counter()
            self._inference.queue(self._stream)
            self._cuda.wait(self._stream)
            took_ms.append((time.perf_counter() - start_s) * 1e3)
        return statistics.median(took_ms[WARM_UP:])

    def close(self) -> None:
        """Give the memory back."""
        for address in self._addresses.values():
            self._cuda.free(address)
        self._addresses.clear()
