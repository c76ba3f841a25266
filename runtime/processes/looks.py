"""Which of the networks that look at persons one by one run on the GPU, behind the detector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.cuda import crops as on_gpu
from engines.cuda.crops import Found
from engines.cuda.stored import crops_of
from engines.errors import EngineError
from engines.inference.action import probabilities
from engines.inference.crops import CropNetwork, shown
from engines.inference.detector import Detections
from runtime.vision.glance import Told
from runtime.vision.onlooker import Onlooker

FindCrops = Callable[[CropNetwork], on_gpu.CropNetwork]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuLooks:
    """What looks at the crops there; None: the processor does."""

    embedder: on_gpu.CropNetwork | None = None
    judge: on_gpu.CropNetwork | None = None

    @property
    def networks(self) -> tuple[on_gpu.CropNetwork, ...]:
        """Those that there are."""
        return tuple(network for network in (self.embedder, self.judge) if network is not None)

    def told(self, answers: Mapping[str, Found], found: Detections, picture_wh: tuple[int, int]) -> Told:
        """What they said of the detections of a picture of that size, as the processor would put it.

        Of a box that shows nothing they have nothing to say, nor where the answers are another execution's
        that has no crop networks.
        """
        hidden = np.ones(len(found), bool)
        hidden[shown(np.asarray(found.boxes, np.float64), *picture_wh)] = False
        embeddings, logits = (
            None if network is None or network.network.name not in answers else answers[network.network.name]
            for network in (self.embedder, self.judge)
        )
        suspicions = None if logits is None else probabilities(logits[:, 0])
        for rows in (embeddings, suspicions):
            if rows is not None:
                rows[hidden] = np.nan
        return Told(embeddings, suspicions)


NO_LOOKS = GpuLooks()


def choose_looks(onlooker: Onlooker, find: FindCrops = crops_of) -> GpuLooks:
    """The onlooker's networks that have a verified engine here; why the others have none is said once."""
    embedder = None if onlooker.embedder is None else onlooker.embedder.network
    judge = None if onlooker.judge is None else onlooker.judge.network
    return GpuLooks(
        None if embedder is None else _found("appearance", embedder, find),
        None if judge is None else _found("action", judge, find),
    )


def _found(what: str, network: CropNetwork, find: FindCrops) -> on_gpu.CropNetwork | None:
    try:
        found = find(network)
    except EngineError as error:
        log.warning("%s: %s on the processor (%s)", what, network.backend_name, error)
        return None
    log.info("%s: %s on the GPU", what, found.network.name)
    return found
