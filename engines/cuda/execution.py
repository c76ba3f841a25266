"""Batches through the GPU, overlapped: while one is worked on there, another's results are used here.

    execution = Execution(gpu, SlotPlan(network, reading, buckets=(1, 2, 4, 8)))
    batch = execution.start(frames)       # returns at once; Busy where both stream slots are in use
    detections = execution.persons(batch) # waits
    answers = execution.finish(batch)     # waits for the crop networks; frames and slot are free again

Never run on a GPU. Over a fake libcuda and a fake TensorRT it gives the CPU path's tracks
(`tagsight bench parity --stand-in`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from engines.cuda.crops import Found
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.stream_slot import RingFrame, SlotPlan, StreamSlot
from engines.inference.detector import Detections

STREAM_SLOTS = 2
"""Double buffering: one batch on the GPU, one whose results are used or whose frames are being gathered."""


class Busy(GpuError):
    """All stream slots are in use: finish a batch first."""


@dataclass(frozen=True)
class Batch:
    """A batch under way."""

    slot: StreamSlot
    frames: int


class Execution:
    """Stream slots that take turns. Used by one thread."""

    def __init__(self, gpu: Gpu, plan: SlotPlan, slots: int = STREAM_SLOTS) -> None:
        """Make the slots; compiles nothing. Raises GpuError."""
        self.plan = plan
        self._slots: list[StreamSlot] = []
        try:
            for number in range(slots):
                self._slots.append(StreamSlot(gpu, plan, number, slots))
        except GpuError:
            self.close()
            raise
        self._idle = deque(self._slots)

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
        return list(dict.fromkeys(self._slots[0].remarks))

    def describe(self) -> str:
        """One line for the log."""
        slot = self._slots[0]
        how = "a CUDA graph each" if slot.uses_graphs else "no CUDA graphs"
        sizes = ", ".join(map(str, self.plan.buckets))
        looks = "".join(f", then {crops.network.name}" for crops in self.plan.crops)
        said = "".join(f"; {remark}" for remark in self.remarks)
        what = f"{self.plan.detector.name}{looks} in batches of {sizes}"
        return f"{what}, {how}, {len(self._slots)} in flight{said}"

    def start(self, frames: Sequence[RingFrame]) -> Batch:
        """Queue a batch. Raises Busy, and GpuError for more frames than the largest batch."""
        if not self._idle:
            raise Busy(f"all {len(self._slots)} stream slots are in use; finish a batch first")
        slot = self._idle[0]
        slot.start(frames)
        self._idle.popleft()
        return Batch(slot, len(frames))

    def persons(self, batch: Batch) -> list[Detections]:
        """Each frame's persons, in the frames' order. Raises GpuError."""
        return batch.slot.persons()

    def finish(self, batch: Batch) -> list[dict[str, Found]]:
        """What the crop networks say of them; the slot is free. Raises GpuError."""
        answers = batch.slot.answers()
        self._idle.append(batch.slot)
        return answers

    def measure(self, frames: Sequence[RingFrame]) -> dict[str, float]:
        """Milliseconds of each stage for such a batch, without graphs. Raises Busy and GpuError."""
        if not self._idle:
            raise Busy("a stream slot is needed to measure; finish a batch first")
        return self._idle[0].measure(frames)

    def close(self) -> None:
        """Wait for what is under way and give everything back."""
        for slot in self._slots:
            slot.close()
        self._slots.clear()


def batch_sizes_of(largest: int) -> tuple[int, ...]:
    """Batch sizes 1, 2, 4, … up to the largest, which is one of them."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return (*sizes, largest) if largest > 1 else (1,)
