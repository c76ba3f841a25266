"""From frames in their rings to persons, around a network that somebody else runs on the GPU.

    path.prepare(frames, stream)          # letterbox into path.input
    ...                                   # the network reads path.input and writes path.predictions
    detections = path.finish(stream)      # decode, suppress; only the kept boxes come back

Every buffer is made once, for the largest batch. Never run on a GPU; on the stand-in for libcuda its persons
are those of the CPU path (`tagsight bench parity`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda import launches
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.launches import FRAME, MAX_KEPT, Decoded, Kept, PixelRule, Placed
from engines.detector import Detections
from engines.preprocess import PAD_VALUE, Fit, Placement, placement


@dataclass(frozen=True)
class PathPlan:
    """What the network wants and gives: [batch, 3, height, width] in, the decoder's table of `cells` out."""

    batch: int
    input_wh: tuple[int, int]
    decoder: str
    cells: int
    columns: int
    """Values a cell."""
    rule: PixelRule
    least_score: float
    overlap: float
    fit: Fit = "corner"
    half: bool = False
    """The input is float16."""
    classes: int = 1
    person_class: int = 0


@dataclass(frozen=True)
class FrameThere:
    """A frame where the GPU reads it (`SharedRing.fetch`)."""

    address: int
    bytes: int
    width: int
    height: int
    format: int = launches.BGR


class FramePath:
    """The buffers and launches of one network's path."""

    def __init__(self, gpu: Gpu, plan: PathPlan) -> None:
        self._gpu = gpu
        self._plan = plan
        self._placements: list[tuple[Placement, int, int]] = []
        self._buffers: list[int] = []
        self._pinned: list[int] = []
        width, height = plan.input_wh
        batch, cells = plan.batch, plan.batch * plan.cells
        self.input_bytes = batch * 3 * height * width * (2 if plan.half else 4)
        self.predictions_bytes = cells * plan.columns * 4
        self.input, self.predictions = self._room(self.input_bytes), self._room(self.predictions_bytes)
        self._decoded = Decoded(self._room(cells * 16), self._room(cells * 4), self._room(cells * 4))
        kept = batch * MAX_KEPT
        self._kept = Kept(
            self._room(kept * 16), self._room(kept * 4), self._room(kept * 4), self._room(batch * 4)
        )
        self._table = self._room(batch * FRAME.itemsize)
        self._table_here = self._pinned_array((batch,), FRAME)
        self._boxes_here = self._pinned_array((batch, MAX_KEPT, 4), np.dtype(np.float32))
        self._scores_here = self._pinned_array((batch, MAX_KEPT), np.dtype(np.float32))
        self._counts_here = self._pinned_array((batch,), np.dtype(np.int32))

    def _room(self, size: int) -> int:
        self._buffers.append(self._gpu.library.allocate(size))
        return self._buffers[-1]

    def _pinned_array(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        size = int(np.prod(shape)) * kind.itemsize
        address, _ = self._gpu.library.allocate_pinned(size)
        self._pinned.append(address)
        memory = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        return np.frombuffer(memory, kind).reshape(shape)

    def prepare(self, frames: Sequence[FrameThere], stream: int) -> None:
        """Queue the letterboxing of up to `batch` frames into `input`. Raises GpuError for more of them.

        The stream must be idle or done with the previous batch: `finish` waits for it.
        """
        plan = self._plan
        if len(frames) > plan.batch:
            raise GpuError(f"{len(frames)} frames are more than a batch of {plan.batch}")
        self._placements = [
            (placement((frame.width, frame.height), plan.input_wh, plan.fit), frame.width, frame.height)
            for frame in frames
        ]
        placed = [
            Placed(
                frame.address,
                frame.bytes,
                frame.width,
                frame.height,
                lies.offset_xy,
                lies.size_wh,
                frame.format,
            )
            for frame, (lies, _, _) in zip(frames, self._placements, strict=True)
        ]
        self._table_here[: len(frames)] = launches.descriptors(placed)
        table_bytes = self._table_here.nbytes
        self._gpu.library.copy_to_device(self._table, self._table_here.ctypes.data, table_bytes, stream)
        width, height = plan.input_wh
        shape = (plan.batch, height, width)
        launch = launches.letterbox(self._table, len(frames), self.input, shape, plan.rule, half=plan.half)
        self._gpu.run(launch, stream)

    def finish(self, stream: int) -> list[Detections]:
        """Decode `predictions`, suppress, wait, and give each frame's persons in its own pixels."""
        plan = self._plan
        decode = launches.decode(
            plan.decoder,
            self.predictions,
            plan.batch,
            plan.cells,
            self._decoded,
            input_wh=plan.input_wh,
            classes=plan.classes,
            only=-1 if plan.decoder == "ltrb" else plan.person_class,
            least_score=plan.least_score,
        )
        self._gpu.run(decode, stream)
        self._gpu.run(
            launches.suppress(self._decoded, plan.batch, plan.cells, plan.overlap, self._kept), stream
        )
        for here, there in (
            (self._boxes_here, self._kept.boxes),
            (self._scores_here, self._kept.scores),
            (self._counts_here, self._kept.counts),
        ):
            self._gpu.library.copy_to_host(here.ctypes.data, there, here.nbytes, stream)
        self._gpu.library.wait(stream)
        return [self._persons(number) for number in range(len(self._placements))]

    def _persons(self, number: int) -> Detections:
        lies, width, height = self._placements[number]
        count = int(self._counts_here[number])
        boxes = lies.to_picture(self._boxes_here[number, :count], width, height)
        in_sight = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return Detections(boxes[in_sight], self._scores_here[number, :count][in_sight].copy())

    def close(self) -> None:
        """Give the buffers back."""
        del self._table_here, self._boxes_here, self._scores_here, self._counts_here
        for address in self._buffers:
            self._gpu.library.free(address)
        for address in self._pinned:
            self._gpu.library.free_pinned(address)
        self._buffers.clear()
        self._pinned.clear()


def rule_of(mean: launches.Triple, std: launches.Triple, *, rgb: bool) -> PixelRule:
    """The pixel rule with the grey that our networks are trained to see beside the picture."""
    return launches.pixel_rule(mean, std, rgb=rgb, pad=float(PAD_VALUE))
