"""Which heads run on the GPU, behind the detector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.cuda import crops as on_gpu
from engines.cuda.crops import Found
from engines.cuda.stored import crops_of
from engines.errors import EngineError
from engines.inference.crops import CropNetwork, shown
from engines.inference.detector import Detections
from runtime.vision.crop_inference import Heads
from runtime.vision.heads.head import Head, Rows

FindCrops = Callable[[CropNetwork], on_gpu.GpuCropNetwork]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuHeads:
    """The heads that have a network there; the CPU runs the others."""

    pairs: tuple[tuple[Head, on_gpu.GpuCropNetwork], ...] = ()

    @property
    def networks(self) -> tuple[on_gpu.GpuCropNetwork, ...]:
        """Theirs, in the same order."""
        return tuple(network for _, network in self.pairs)

    def outputs(
        self, answers: Mapping[str, Found], found: Detections, image_wh: tuple[int, int]
    ) -> dict[str, Rows]:
        """Each head's outputs for the detections of an image of that size, as the CPU would put them.

        nan for a box that shows nothing. A head is left out where the answers are another execution's, which
        has no crop networks.
        """
        hidden = np.ones(len(found), bool)
        hidden[shown(np.asarray(found.boxes, np.float64), *image_wh)] = False
        outputs: dict[str, Rows] = {}
        for head, network in self.pairs:
            rows = answers.get(network.network.name)
            if rows is not None:
                outputs[head.name] = head.decode(rows)
                outputs[head.name][hidden] = np.nan
        return outputs


NO_GPU_HEADS = GpuHeads()


def choose_heads(heads: Heads, find: FindCrops = crops_of) -> GpuHeads:
    """The heads whose network has a verified engine here; why the others have none is said once."""
    pairs = []
    for opened in heads.all:
        network = opened.network
        if network is None:
            continue
        try:
            found = find(network)
        except EngineError as error:
            log.warning("%s: %s on the CPU (%s)", opened.head.name, network.backend_name, error)
            continue
        log.info("%s: %s on the GPU", opened.head.name, found.network.name)
        pairs.append((opened.head, found))
    return GpuHeads(tuple(pairs))
