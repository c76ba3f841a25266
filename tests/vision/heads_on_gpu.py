"""What networks on crops say by the GPU's executor and by the CPU, over the fake libcuda, as JSON.

python heads_on_gpu.py DETECTOR APPEARANCE ACTION
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from engines.cuda.driver import open_gpu
from engines.inference.detector import PersonDetector
from runtime.frames.ring.buffer import FrameHeader, FrameRing, PixelFormat
from runtime.messages import PersonsSeen
from runtime.vision.crop_inference import CropInference, FrameDetections, Heads
from runtime.vision.executors.gpu import GpuExecutor
from runtime.vision.executors.gpu_heads import choose_heads
from runtime.vision.frame import LeasedFrame
from runtime.vision.heads import open_heads
from tests.processes.test_vision_process import HEIGHT, WIDTH, FakeShop
from tests.vision.executor_on_gpu import RUNS, SAID, GpuShop, Listener, crops_double, log, open_double

COLOURS = [(255, 210, 200), (200, 255, 220), (210, 200, 255), (255, 255, 200), (230, 230, 230)]


def crowd() -> np.ndarray:
    """Ten persons of five colours, two more than a frame has places."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number in range(10):
        left, top = 12 + 80 * (number % 5), 36 + 144 * (number // 5)
        picture[top : top + 64, left : left + 64] = COLOURS[number % 5]
    return picture


def two_formats() -> FrameRing:
    """The crowd in slot 0; in slot 1, as NV12, a person within and one at the corner, found several times."""
    ring = FrameRing.create(2, WIDTH, HEIGHT)
    ring.write(0, crowd(), FrameHeader(1, 1.0, 0.0, WIDTH, HEIGHT))
    planes = ring.slot_view(1, WIDTH, HEIGHT, PixelFormat.NV12)
    planes[:HEIGHT], planes[HEIGHT:] = 16, 120
    for left, top in ((116, 100), (WIDTH - 60, HEIGHT - 60)):
        planes[top : top + 64, left : left + 64][: HEIGHT - top] = 235
    ring.stamp(1, FrameHeader(2, 1.0, 0.0, WIDTH, HEIGHT, PixelFormat.NV12))
    return ring


def by_both(detector: str, appearance: str, action: str) -> dict[str, object]:
    """The same frames' persons by the GPU's networks and by the CPU's."""
    heads = Heads(open_heads({"appearance": appearance, "action": action}, backend="auto", threads=1))
    (judge,) = heads.on_tracks
    gpu, ring = open_gpu(), two_formats()
    gpu.load(b"\x7fELF")
    on_gpu = choose_heads(heads, crops_double)
    executor = GpuExecutor(gpu, PersonDetector.open(detector, threads=1), open_double, on_gpu)
    executor.add_camera("door", ring)
    told: dict[str, list[object]] = {"persons": [], "looked_at": [], "looks_off": [], "handling_off": []}
    told["completed"] = []
    for slot in range(2):
        frame = LeasedFrame("door", ring, slot)
        (seen,) = executor.finish(executor.start([frame]))
        embeddings, handling = seen.outputs["appearance"], seen.outputs["action"]
        wanted = CropInference(heads, FrameDetections(seen.found), frame.image).appearances()
        assert wanted is not None
        judged = judge.model.infer(frame.image(), seen.found.boxes)
        told["persons"].append(len(seen.found))
        told["looked_at"].append(int(np.isfinite(embeddings).all(1).sum()))
        told["looks_off"].append(float(np.nanmax(np.abs(embeddings - wanted))))
        told["handling_off"].append(float(np.nanmax(np.abs(handling - judged))))
        whole = CropInference(heads, seen, frame.image).appearances()
        told["completed"].append(float(np.abs(np.asarray(whole) - wanted).max()))
    executor.close()
    return dict(told)


def walked(shop: FakeShop) -> list[PersonsSeen]:
    """What the store hears of a walker."""
    shop.attach_camera("door")
    shop.walk("door", 20, 100.0)
    shop.stop()
    return shop.records()


def records_by_both(detector: str, appearance: str, action: str) -> dict[str, object]:
    """The same walk through the vision process with the GPU's executor and with the CPU's."""
    heads = {"appearance": appearance, "action": action}
    by_gpu = walked(GpuShop(Path(detector), ("door",), **heads))
    runs = [engine.runs for engine in RUNS]
    by_processor = walked(FakeShop(Path(detector), ("door",), **heads))
    pairs = [
        (one.persons[0].handling, other.persons[0].handling)
        for one, other in zip(by_gpu, by_processor, strict=True)
        if one.persons and other.persons
    ]
    judged = [(one, other) for one, other in pairs if one is not None and other is not None]
    return {
        "records": [len(by_gpu), len(by_processor)],
        "unjudged": sum((one is None) != (other is None) for one, other in pairs),
        "judged": len(judged),
        "records_off": max(abs(one - other) for one, other in judged),
        "least": min(one for one, _ in judged),
        "said": SAID,
        "runs": runs,
        "faults": [fault for engine in RUNS for fault in engine.faults],
    }


if __name__ == "__main__":
    # pycuda wants all of libcuda; bound lazily, it does without what is never called.
    sys.setdlopenflags(os.RTLD_LAZY)
    log.addHandler(Listener())
    found = by_both(*sys.argv[1:])
    RUNS.clear()
    print(json.dumps({**found, **records_by_both(*sys.argv[1:])}))
