"""Faults of engines that a person can mend."""

from __future__ import annotations

from tagsight.errors import TagsightError


class EngineError(TagsightError):
    """One sentence that names the file, key or value at fault and what would be right."""


class WeightsError(EngineError):
    """A weights file cannot be read, is not a detector, or needs what the back end lacks."""


class DecoderError(EngineError):
    """The meaning of a network's outputs is unknown or could be more than one thing."""


class BackendError(EngineError):
    """The wanted back end is not on this machine."""


class CatalogueError(EngineError):
    """An engine's name is unknown or taken, or its manifest or checksum is wrong."""


class StoreError(EngineError):
    """A file or folder of our own is missing, changed, or could have been written by somebody else."""


class BuildError(EngineError):
    """A network cannot be made into an engine here, or the engine does not do what the network does."""


class TrainingError(EngineError):
    """A recipe, picture, label or checkpoint that training or measuring cannot use."""
