"""The vision process with a GPU's executor, over the fake libcuda: what became of it, as JSON.

python executor_on_gpu.py WEIGHTS double|stored|fail
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from pathlib import Path

from engines.cuda.crops import GpuCropNetwork
from engines.cuda.driver import Gpu, open_gpu
from engines.cuda.execution import Execution
from engines.cuda.inference import read_network
from engines.cuda.stored import crops_with, open_stored
from engines.cuda.stream_slot import SlotPlan
from engines.inference import crops
from engines.inference.detector import PersonDetector
from runtime.frames.ring.buffer import FrameHeader
from runtime.frames.ring.lending import FrameLender
from runtime.processes.vision import VisionProcess, VisionSpec
from runtime.vision.crop_inference import Heads
from runtime.vision.executors.executor import Executor
from runtime.vision.executors.gpu import GpuExecutor
from runtime.vision.executors.gpu_heads import choose_heads
from testing.gpu.tensorrt import FakeEngine
from tests.processes.test_vision_process import HEIGHT, WIDTH, FakeShop, until

log = logging.getLogger("runtime")
log.setLevel(logging.INFO)

SAID: list[str] = []
RUNS: list[FakeEngine] = []


class Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        SAID.append(record.getMessage())


def open_double(
    gpu: Gpu, detector: PersonDetector, size: tuple[int, int], looks: tuple[GpuCropNetwork, ...] = ()
) -> Execution:
    RUNS.append(FakeEngine(detector.source.path, size, (1, 2)))
    network = read_network(RUNS[-1], "double")
    return Execution(gpu, SlotPlan(network, detector.reading, (1, 2), looks))


def crops_double(looks: crops.CropNetwork) -> GpuCropNetwork:
    RUNS.append(FakeEngine(looks.source.path, looks.size_wh, (2, 8, 16)))
    return crops_with(looks, read_network(RUNS[-1], looks.source.path.stem))


class GpuShop(FakeShop):
    """A shop whose vision process uses the fake."""

    opened = staticmethod(open_double)

    def _run(self, control: socket.socket, spec: VisionSpec) -> None:
        try:
            VisionProcess(control, spec, self._choose).run()
            self.ended.append(0)
        except SystemExit as end:
            self.ended.append(end.code)

    def _choose(self, backend: str, detector: PersonDetector, heads: Heads) -> Executor:
        self.gpu = gpu = open_gpu()
        gpu.load(b"\x7fELF")
        return GpuExecutor(gpu, detector, self.opened, choose_heads(heads, crops_double))


def lend(shop: FakeShop, name: str, left: int, time_s: float) -> None:
    """As `show`, but nobody waits until the frame comes back."""
    lender = shop.cameras[name]

    def may_lend() -> bool:
        lender.take_back("vision")
        return lender.ledger.free > 1 and lender.ledger.may_lend_to("vision")

    until(may_lend)
    slot = lender.ledger.take()
    assert slot is not None
    shop.sequence += 1
    image = lender.ring.slot_view(slot, WIDTH, HEIGHT)
    image[...] = 0
    image[96:160, left : left + 64] = 255
    header = FrameHeader(shop.sequence, time_s, shop.now(), WIDTH, HEIGHT)
    lender.ring.stamp(slot, header)
    lender.lend(slot, header)


def has_all(lender: FrameLender) -> bool:
    """Whether the vision process has given every frame back."""
    lender.take_back("vision")
    return not lender.ledger.held_by("vision")


def fail(weights: Path) -> dict[str, object]:
    """The ring's memory is taken from the GPU while it is in use."""
    shop = GpuShop(weights, ("door",))
    shop.attach_camera("door")
    shop.show("door", 36, 100.0)
    for ring in shop.gpu._rings:
        shop.gpu.library.unregister(ring.address)
    lend(shop, "door", 36, 100.1)
    health = shop.health(lambda health: health.state == "engine failed")
    shop.thread.join(20.0)
    return {"detail": health.detail, "ended": shop.ended}


def main(weights: Path, engine: str) -> dict[str, object]:
    log.addHandler(Listener())
    if engine == "stored":
        GpuShop.opened = staticmethod(open_stored)  # type: ignore[assignment]
    shop = GpuShop(weights, ("door", "till"))
    shop.attach_camera("door")
    shop.attach_camera("till")
    for index in range(12):
        lend(shop, "door", 36 + 8 * index, 100 + index / 10)
        lend(shop, "till", 204 - 8 * index, 100 + index / 10)
    until(lambda: all(map(has_all, shop.cameras.values())))
    records = shop.records()
    lend(shop, "door", 140, 101.3)
    shop.cameras["door"].close()
    until(lambda: any(record.camera == "door" and record.ended for record in shop.records()))
    shop.attach_camera("door")
    shop.walk("door", 3, 110.0)
    shop.stop()
    lefts = {
        name: [record.persons[0].box[0] for record in records if record.camera == name and record.persons]
        for name in ("door", "till")
    }
    return {
        "said": SAID,
        "tracks": [
            len({person.track for record in records if record.camera == name for person in record.persons})
            for name in ("door", "till")
        ],
        "steps": [lefts["door"][-1] - lefts["door"][0], lefts["till"][-1] - lefts["till"][0]],
        "runs": sum(engine.runs for engine in RUNS),
        "faults": [fault for engine in RUNS for fault in engine.faults],
        "ended": shop.ended,
    }


if __name__ == "__main__":
    # pycuda wants all of libcuda; bound lazily, it does without what is never called.
    sys.setdlopenflags(os.RTLD_LAZY)
    weights = Path(sys.argv[1])
    print(json.dumps(fail(weights) if sys.argv[2] == "fail" else main(weights, sys.argv[2])))
