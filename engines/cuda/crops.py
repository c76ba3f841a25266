"""What a network says of the persons a detector has just found: their crops never leave the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.cuda.buffers import Buffers
from engines.cuda.driver import Gpu
from engines.cuda.errors import GpuError
from engines.cuda.framepath import FramePath
from engines.cuda.inference import Inference, TensorRtNetwork
from engines.cuda.kernels import launches
from engines.cuda.kernels.launches import MAX_KEPT, PixelRule

Found = NDArray[np.float32]


@dataclass(frozen=True)
class GpuCropNetwork:
    """A network that looks at persons: re-identification, or what their hands do.

    How many persons there are is known only on the GPU, so it always looks at the same number of places:
    `persons_a_frame` for each frame of the batch, in order of frame and score. Those without a person are
    grey; persons beyond the last place are not looked at, and their answer is NaN.
    """

    network: TensorRtNetwork
    rule: PixelRule
    unit_length: bool = False
    """Its answer is an embedding, to be brought to length 1."""
    persons_a_frame: int = 8
    grown: tuple[float, float] = (0.0, 0.0)
    """How much of a box's width and height it sees beyond each side."""


class CropPath:
    """The buffers and launches of one such network, for one batch in flight."""

    def __init__(self, gpu: Gpu, crops: GpuCropNetwork, most: int, answer_columns: int) -> None:
        """`most`: places of the largest batch."""
        self._gpu = gpu
        self._crops = crops
        self._columns = answer_columns
        self._buffers = buffers = Buffers(gpu.library)
        width, height = crops.network.input_wh
        self.input = buffers.there(most * 3 * height * width * (2 if crops.network.input.half else 4))
        self._owners = buffers.there(most * 4)
        self.answers = buffers.there(most * answer_columns * 4)
        self._unit = buffers.there(most * answer_columns * 4) if crops.unit_length else self.answers
        self._owners_here = buffers.here((most,), np.dtype(np.int32))
        self._answers_here = buffers.here((most, answer_columns), np.dtype(np.float32))

    def queue(self, path: FramePath, frames: int, inference: Inference, stream: int) -> None:
        """Queue crops of what `path` kept in `frames` frames, the network, and the copy of its answers."""
        crops, places = self._crops, inference.batch
        width, height = crops.network.input_wh
        launch = launches.crop_boxes(
            path.table,
            path.kept.boxes,
            path.kept.counts,
            frames,
            self.input,
            self._owners,
            (places, height, width),
            crops.rule,
            half=crops.network.input.half,
            grown=crops.grown,
        )
        self._gpu.run(launch, stream)
        inference.queue(stream)
        if crops.unit_length:
            self._gpu.run(launches.l2_normalise(self.answers, self._unit, places, self._columns), stream)
        library = self._gpu.library
        library.copy_to_host(self._owners_here.ctypes.data, self._owners, places * 4, stream)
        size = places * self._columns * 4
        library.copy_to_host(self._answers_here.ctypes.data, self._unit, size, stream)

    def answers_for(self, places: int, ranks: Sequence[NDArray[np.intp]]) -> list[Found]:
        """For each frame float32 [persons, columns], persons as `FramePath.persons` gave them."""
        place_of = {int(owner): place for place, owner in enumerate(self._owners_here[:places]) if owner >= 0}
        answers = []
        for number, kept in enumerate(ranks):
            found = np.full((len(kept), self._columns), np.nan, np.float32)
            for person, rank in enumerate(kept):
                place = place_of.get(number * MAX_KEPT + int(rank))
                if place is not None:
                    found[person] = self._answers_here[place]
            answers.append(found)
        return answers

    def close(self) -> None:
        """Give the buffers back."""
        del self._owners_here, self._answers_here
        self._buffers.close()


def places_for(crops: GpuCropNetwork, frames: int) -> int:
    """How many places its batch has for so many frames. Raises GpuError where its engine takes none."""
    places = min(frames * crops.persons_a_frame, crops.network.largest_batch)
    if places < 1:
        raise GpuError(f"engine {crops.network.name} takes no batch")
    return places
