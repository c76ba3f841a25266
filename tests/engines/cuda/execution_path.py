"""Drives `engines.cuda.execution` over the fake libcuda and the fake TensorRT, as JSON.

python execution_path.py LIBRARY FOLDER     the abilities are in $TAGSIGHT_STAND_IN
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.backends.protocol import InputFormat
from engines.cuda.crops import GpuCropNetwork
from engines.cuda.driver import Gpu, SharedRing, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.execution import Execution
from engines.cuda.framepath import rule_of
from engines.cuda.inference import read_network
from engines.cuda.stream_slot import RingFrame, SlotPlan
from engines.inference.decoders import Meaning
from engines.inference.detector import Detections
from engines.inference.reading import NetworkIO
from runtime.frames.ring.buffer import FrameHeader, FrameRing
from testing.gpu.tensorrt import FakeEngine
from tests.engines.networks import bright_spot_detector, save

SIZE = (192, 128)
CROP_WH = (8, 16)
READING = NetworkIO("ltrb", InputFormat(), "corner", 0, 0.9, 0.5)
WHITE = (255, 255, 255)
WARM = (230, 245, 255)


def mean_colour(path: Path) -> Path:
    """A crop network that answers with the mean of each channel."""
    width, height = CROP_WH
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["means"]),
        helper.make_node("Flatten", ["means"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean colour",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", 3])],
    )
    assert isinstance(graph, onnx.GraphProto)
    return save(graph, path)


def spotted(*spots: tuple[int, int], colour: tuple[int, int, int] = WHITE) -> np.ndarray:
    """A dark picture with bright squares, which the network takes for persons; corners at 4 + 8 n."""
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for left, top in spots:
        picture[top : top + 64, left : left + 64] = colour
    return picture


class Ring:
    """A ring that is open to the GPU."""

    def __init__(self, gpu: Gpu, pictures: list[np.ndarray]) -> None:
        self.ring = FrameRing.create(len(pictures), *SIZE)
        for slot, picture in enumerate(pictures):
            self.ring.write(slot, picture, FrameHeader(slot + 1, 0.0, 0.0, *SIZE))
        self.shared: SharedRing = gpu.share(*self.ring.extent, self.ring.frame_bytes, writable=True)

    def frame(self, slot: int) -> RingFrame:
        return RingFrame(self.shared, self.ring.offset_of(slot), SIZE[0] * SIZE[1] * 3, *SIZE, 0)


def refused(call: object, *arguments: object) -> str:
    try:
        call(*arguments)  # type: ignore[operator]
    except GpuError as error:
        return f"{type(error).__name__}: {error}"
    return "not refused"


def corners(found: list[Detections]) -> list[list[list[int]]]:
    return [np.rint(one.boxes[:, :2]).astype(int).tolist() for one in found]


def main(library: str, folder: Path) -> dict[str, object]:
    gpu = open_gpu(library)  # type: ignore[arg-type]
    gpu.load(b"\x7fELF")
    spots = bright_spot_detector(folder / "spots.onnx")
    crops_file = mean_colour(folder / "crops.onnx")
    one = Ring(gpu, [spotted((36, 28)), spotted((68, 36), colour=WARM), spotted((116, 44))])
    other = Ring(gpu, [spotted((12, 28), (116, 36)), spotted()])

    engine = FakeEngine(spots, SIZE, (1, 2, 4))
    crop_engine = FakeEngine(crops_file, CROP_WH, (2, 8))
    crops = GpuCropNetwork(
        read_network(crop_engine, "colour"), rule_of((0.0,) * 3, (1.0,) * 3, rgb=False), True, 1
    )
    plan = SlotPlan(read_network(engine, "spots"), READING, (1, 2, 4), (crops,))
    execution = Execution(gpu, plan)
    told: dict[str, object] = {"says": execution.describe(), "runs_to_make_ready": engine.runs}

    first = execution.start([one.frame(0), one.frame(1), other.frame(1)])
    second = execution.start([one.frame(2)])
    told["busy"] = refused(execution.start, [one.frame(0)])
    told["first"] = corners(execution.persons(first))
    told["answers"] = [np.round(each["colour"], 3).tolist() for each in execution.finish(first)]
    third = execution.start([other.frame(0)])
    told["second"] = corners(execution.persons(second))
    execution.finish(second)
    told["third"] = corners(execution.persons(third))
    told["third_looked_at"] = [np.isfinite(each["colour"][:, 0]).tolist() for each in execution.finish(third)]
    told["too_many"] = refused(execution.start, [one.frame(0)] * 5)
    told["stages"] = sorted(execution.measure([one.frame(0)]))
    told["faults"] = engine.faults + crop_engine.faults
    execution.close()

    stubborn = read_network(FakeEngine(spots, SIZE, (1,), capturable=False), "stubborn")
    uncaptured = Execution(gpu, SlotPlan(stubborn, READING, (1,)))
    told["uncaptured_says"] = uncaptured.describe()
    batch = uncaptured.start([one.frame(1)])
    told["uncaptured"] = corners(uncaptured.persons(batch))
    told["uncaptured_answers"] = uncaptured.finish(batch)
    uncaptured.close()

    fixed = read_network(FakeEngine(spots, SIZE, (2,)), "pairs")
    told["no_profile"] = refused(Execution, gpu, SlotPlan(fixed, READING, (1, 2, 3)))
    told["no_decoder"] = refused(
        Execution, gpu, SlotPlan(fixed, NetworkIO("nanodet", InputFormat(), "corner", 0, 0.9, 0.5), (1,))
    )
    shares = NetworkIO("yolov8", InputFormat(), "corner", 0, 0.9, 0.5, Meaning(units="shares"))
    told["no_meaning"] = refused(Execution, gpu, SlotPlan(fixed, shares, (1,)))
    one.shared.close()
    other.shared.close()
    told["left_bytes"] = gpu.facts.memory_bytes - gpu.library.free_memory_bytes()
    gpu.close()
    return told


if __name__ == "__main__":
    # pycuda wants all of libcuda; bound lazily, it does without what is never called.
    sys.setdlopenflags(os.RTLD_LAZY)
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
