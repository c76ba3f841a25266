"""A head: a network that says one thing of each person, from the crop of their box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engines.errors import WeightsError
from engines.inference.crops import CropNetwork, open_crops
from runtime.vision.heads.aggregation import Aggregation, Latest

Image = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]

OFF = "none"
"""The value of a head's configuration key that turns it off."""


class CropModel(Protocol):
    """What runs a head on the CPU."""

    @property
    def size(self) -> int:
        """Numbers a person."""

    def infer(self, image_bgr: Image, boxes: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """The head's outputs (n, size) for boxes (n, 4) left, top, right, bottom px of a BGR image.

        nan where a box shows nothing. Raises EngineError.
        """


@dataclass(frozen=True)
class Head:
    """What a module of `runtime.vision.heads` has as its `HEAD`, and `engines` of store.yaml a key for.

    The key has the head's name; its value is `none`, a network of the catalogue, an .onnx or .xml file, or
    one of `models`.
    """

    name: str
    task: str
    """Of the networks in the catalogue that it takes."""
    decode: Callable[[Rows], Rows]
    """From the network's answers (n, k) to outputs (n, m); a row of nan stays one."""
    aggregation: type[Aggregation] = Latest
    """What becomes of a track's outputs over time."""
    answers: int | None = None
    """How many numbers a crop the network must answer with; None: any."""
    for_tracker: bool = False
    """Runs on the detections and enters the tracker's association cost; others run on the tracks."""
    models: Mapping[str, Callable[[], CropModel]] = field(default_factory=dict)
    """Values of the key that stand for something else than a network."""


class NetworkModel:
    """A head's network on the CPU. Not for use by several threads at once."""

    def __init__(self, head: Head, network: CropNetwork) -> None:
        if head.answers is not None and network.answers != head.answers:
            raise WeightsError(
                f"{network.source.path}: a network for {head.name} answers with {head.answers} "
                f"{'number' if head.answers == 1 else 'numbers'} a crop, this one with {network.answers}"
            )
        self.network = network
        self._decode = head.decode
        self.size = head.decode(np.full((1, network.answers), np.nan, np.float32)).shape[1]

    def infer(self, image_bgr: Image, boxes: npt.ArrayLike) -> Rows:
        """As `CropModel.infer`."""
        return self._decode(self.network.rows(image_bgr, boxes))


@dataclass(frozen=True)
class OpenHead:
    """A head and what runs it on the CPU."""

    head: Head
    model: CropModel

    @property
    def network(self) -> CropNetwork | None:
        """Its network, if it is one."""
        return self.model.network if isinstance(self.model, NetworkModel) else None


def open_head(head: Head, named: str, *, backend: str, threads: int) -> OpenHead:
    """The head with the network that its key names. Raises EngineError."""
    if named in head.models:
        return OpenHead(head, head.models[named]())
    network = open_crops(named, head.task, backend=backend, threads=threads, streams=1)
    return OpenHead(head, NetworkModel(head, network))
