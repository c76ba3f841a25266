"""From frames in their rings to persons, around a network on the GPU.

    path.describe(frames)                 # here: where the frames lie and where they go in the input
    path.queue_input(batch, stream)       # letterbox into path.input
    ...                                   # the network reads path.input and writes path.predictions
    path.queue_output(batch, stream)      # decode, suppress; only the kept boxes come back
    detections = path.persons()           # when the stream is through

Every buffer is made once, for the largest batch, and stays where it is, so what is queued can be captured in
a graph. Never run on a GPU; on the fake libcuda its persons are those of the CPU path
(`tagsight bench parity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.cuda.buffers import Buffers
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.frames import BGR, FRAME, Placed, descriptors
from engines.cuda.kernels import launches
from engines.cuda.kernels.launches import MAX_KEPT, Decoded, Kept, PixelRule
from engines.inference.detector import Detections
from engines.inference.preprocess import PAD_VALUE, Fit, Placement, placement


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
    levels: int = 3


@dataclass(frozen=True)
class FrameThere:
    """A frame where the GPU reads it (`SharedRing.fetch`)."""

    address: int
    bytes: int
    width: int
    height: int
    format: int = BGR


class FramePath:
    """The buffers and launches of one network's path, for one batch in flight."""

    def __init__(self, gpu: Gpu, plan: PathPlan) -> None:
        self._gpu = gpu
        self._plan = plan
        self._placements: list[tuple[Placement, int, int]] = []
        self._in_sight: list[NDArray[np.intp]] = []
        self._buffers = buffers = Buffers(gpu.library)
        width, height = plan.input_wh
        batch, cells = plan.batch, plan.batch * plan.cells
        self.input_bytes = batch * 3 * height * width * (2 if plan.half else 4)
        self.predictions_bytes = cells * plan.columns * 4
        self.input, self.predictions = buffers.there(self.input_bytes), buffers.there(self.predictions_bytes)
        self._decoded = Decoded(buffers.there(cells * 16), buffers.there(cells * 4), buffers.there(cells * 4))
        kept = batch * MAX_KEPT
        self.kept = Kept(
            buffers.there(kept * 16),
            buffers.there(kept * 4),
            buffers.there(kept * 4),
            buffers.there(batch * 4),
        )
        self.table = buffers.there(batch * FRAME.itemsize)
        self._table_here = buffers.here((batch,), FRAME)
        self._boxes_here = buffers.here((batch, MAX_KEPT, 4), np.dtype(np.float32))
        self._scores_here = buffers.here((batch, MAX_KEPT), np.dtype(np.float32))
        self._counts_here = buffers.here((batch,), np.dtype(np.int32))

    def describe(self, frames: Sequence[FrameThere]) -> None:
        """Say where up to `batch` frames lie; places without one become grey. Raises GpuError.

        Not while the batch before is still on its way.
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
        self._table_here[...] = np.zeros((), FRAME)
        self._table_here[: len(frames)] = descriptors(placed)

    def queue_input(self, batch: int, stream: int) -> None:
        """Queue the letterboxing of what was described into the first `batch` places of `input`."""
        plan = self._plan
        size = batch * FRAME.itemsize
        self._gpu.library.copy_to_device(self.table, self._table_here.ctypes.data, size, stream)
        width, height = plan.input_wh
        shape = (batch, height, width)
        self._gpu.run(
            launches.letterbox(self.table, batch, self.input, shape, plan.rule, half=plan.half), stream
        )

    def queue_output(self, batch: int, stream: int) -> None:
        """Queue decoding, suppression and the copy of what was kept to this side."""
        self.queue_decoding(batch, stream)
        self.queue_results(batch, stream)

    def queue_decoding(self, batch: int, stream: int) -> None:
        """Queue decoding and suppression of the first `batch` places of `predictions`."""
        plan = self._plan
        decode = launches.decode(
            plan.decoder,
            self.predictions,
            batch,
            plan.cells,
            self._decoded,
            input_wh=plan.input_wh,
            levels=plan.levels,
            classes=plan.classes,
            only=-1 if plan.decoder == "ltrb" else plan.person_class,
            least_score=plan.least_score,
        )
        self._gpu.run(decode, stream)
        self._gpu.run(launches.suppress(self._decoded, batch, plan.cells, plan.overlap, self.kept), stream)

    def queue_results(self, batch: int, stream: int) -> None:
        """Queue the copy of what was kept to this side."""
        for here, there in (
            (self._boxes_here, self.kept.boxes),
            (self._scores_here, self.kept.scores),
            (self._counts_here, self.kept.counts),
        ):
            size = batch * here.strides[0]
            self._gpu.library.copy_to_host(here.ctypes.data, there, size, stream)

    def persons(self) -> list[Detections]:
        """Each described frame's persons in its own pixels. Everything queued must be through."""
        found = [self._persons(number) for number in range(len(self._placements))]
        self._in_sight = [ranks for _, ranks in found]
        return [detections for detections, _ in found]

    def ranks(self) -> list[NDArray[np.intp]]:
        """For each frame the rank among the kept boxes of every person that `persons` gave."""
        return self._in_sight

    def _persons(self, number: int) -> tuple[Detections, NDArray[np.intp]]:
        lies, width, height = self._placements[number]
        count = int(self._counts_here[number])
        boxes = lies.to_image(self._boxes_here[number, :count], width, height)
        ranks = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        return Detections(boxes[ranks], self._scores_here[number, ranks].copy()), ranks

    def close(self) -> None:
        """Give the buffers back."""
        del self._table_here, self._boxes_here, self._scores_here, self._counts_here
        self._buffers.close()


def rule_of(mean: launches.Triple, std: launches.Triple, *, rgb: bool) -> PixelRule:
    """The pixel rule with the grey that our networks are trained to see beside the image."""
    return launches.pixel_rule(mean, std, rgb=rgb, pad=float(PAD_VALUE))
