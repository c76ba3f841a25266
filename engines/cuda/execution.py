"""Batches through the GPU, overlapped: while one is worked on there, another's results are used here.

    execution = Execution(gpu, LanePlan(network, reading, buckets=(1, 2, 4, 8)))
    batch = execution.start(frames)       # returns at once; Busy where both lanes are in use
    detections = execution.persons(batch) # waits
    answers = execution.finish(batch)     # waits for the crop networks; frames and lane are free again

Never run on a GPU. Over a stand-in for libcuda and a double of TensorRT it gives the CPU path's tracks
(`tagsight bench parity --stand-in`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from engines.cuda.crops import Found
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.lane import Lane, LanePlan, RingFrame
from engines.inference.detector import Detections

LANES = 2
"""Double buffering: one batch on the GPU, one whose results are used or whose frames are being gathered."""


class Busy(GpuError):
    """All lanes are in use: finish a batch first."""


@dataclass(frozen=True)
class Batch:
    """A batch under way."""

    lane: Lane
    frames: int


class Execution:
    """Lanes that take turns. Used by one thread."""

    def __init__(self, gpu: Gpu, plan: LanePlan, lanes: int = LANES) -> None:
        """Make the lanes; compiles nothing. Raises GpuError."""
        self.plan = plan
        self._lanes: list[Lane] = []
        try:
            for number in range(lanes):
                self._lanes.append(Lane(gpu, plan, number, lanes))
        except GpuError:
            self.close()
            raise
        self._idle = deque(self._lanes)

    @property
    def largest_batch(self) -> int:
        """The most frames that go together."""
        return self.plan.buckets[-1]

    @property
    def has_room(self) -> bool:
        """Whether a batch can be started now."""
        return bool(self._idle)

    @property
    def remarks(self) -> list[str]:
        """Why some batch sizes have no graph, if they have none."""
        return list(dict.fromkeys(self._lanes[0].remarks))

    def describe(self) -> str:
        """One line for the log."""
        lane = self._lanes[0]
        how = "a CUDA graph each" if lane.uses_graphs else "no CUDA graphs"
        sizes = ", ".join(map(str, self.plan.buckets))
        looks = "".join(f", then {crops.network.name}" for crops in self.plan.crops)
        said = "".join(f"; {remark}" for remark in self.remarks)
        what = f"{self.plan.detector.name}{looks} in batches of {sizes}"
        return f"{what}, {how}, {len(self._lanes)} in flight{said}"

    def start(self, frames: Sequence[RingFrame]) -> Batch:
        """Queue a batch. Raises Busy, and GpuError for more frames than the largest batch."""
        if not self._idle:
            raise Busy(f"all {len(self._lanes)} lanes are in use; finish a batch first")
        lane = self._idle[0]
        lane.start(frames)
        self._idle.popleft()
        return Batch(lane, len(frames))

    def persons(self, batch: Batch) -> list[Detections]:
        """Each frame's persons, in the frames' order. Raises GpuError."""
        return batch.lane.persons()

    def finish(self, batch: Batch) -> list[dict[str, Found]]:
        """What the crop networks say of them; the lane is free. Raises GpuError."""
        answers = batch.lane.answers()
        self._idle.append(batch.lane)
        return answers

    def measure(self, frames: Sequence[RingFrame]) -> dict[str, float]:
        """Milliseconds of each stage for such a batch, without graphs. Raises Busy and GpuError."""
        if not self._idle:
            raise Busy("a lane is needed to measure; finish a batch first")
        return self._idle[0].measure(frames)

    def close(self) -> None:
        """Wait for what is under way and give everything back."""
        for lane in self._lanes:
            lane.close()
        self._lanes.clear()


def buckets_of(largest: int) -> tuple[int, ...]:
    """Batch sizes 1, 2, 4, … up to the largest, which is one of them."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return (*sizes, largest) if largest > 1 else (1,)
