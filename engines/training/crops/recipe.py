"""The recipes of the nets on person crops, read from YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from engines.errors import TrainingError

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]


class CropSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings common to all nets on crops; relative paths count from the current folder."""

    data: Path
    """The folder of pictures, clips and teachers."""
    run: Path
    """Where the run leaves checkpoint, log and curves."""
    seed: int = 20
    steps: Count = 1000
    minutes: Positive = 60.0
    batch: Count = 64
    threads: Count = 2
    learning_rate: Positive = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 50
    ema_decay: Annotated[float, Meta(ge=0, lt=1)] = 0.995
    crops_a_source: dict[str, int] = {}
    """At most so many crops of a source of the pool; sources not named here give all."""
    checkpoint_every_steps: Count = 50
    validate_every_steps: Count = 200


class CropRecipe(CropSchedule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings common to both nets that start from ImageNet."""

    pool: Path
    """The labelled pool (`python -m engines.training pool`)."""
    imagenet: Path | None = None
    """MobileNetV2 weights to start from (PyTorch state file); empty: from scratch."""


class ReidRecipe(CropRecipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `python -m engines.training reid`."""

    views_a_crop: Annotated[int, Meta(ge=2)] = 3
    """Views drawn of every crop, the crop as it is among them."""
    fitted_views: Count = 6000
    """How many views the last layer is solved on when the net is exported."""
    vector_weight: float = 1.0
    """Weight of the teachers' vectors beside the likeness of pairs."""


class TuneRecipe(CropSchedule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `python -m engines.training reid-tune`."""

    start: Path
    """The exported net to go on from; on real crops its likenesses are kept."""
    drawn: Path
    """Drawn people (`python -m engines.training.synthetic identities`)."""
    parts: Count
    """So many parts of the drawing are looked at, those held out among them."""
    persons_a_batch: Annotated[int, Meta(ge=2)] = 7
    crops_a_person: Annotated[int, Meta(ge=2)] = 4
    """So many drawn crops of each; `batch` less all of them are real."""
    views_a_crop: Annotated[int, Meta(ge=2)] = 3
    """Views drawn of every real crop, the crop as it is among them."""
    identity_weight: float = 1.0
    triplet_weight: float = 0.5
    relation_weight: float = 20.0
    vector_weight: float = 3.0
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Of the tuned weights in those exported; the rest is what it began with."""


class ActionRecipe(CropRecipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `python -m engines.training action`."""

    pose_teacher: Path
    """MoveNet, a .tflite file."""
    eye_labels: Path
    """Persons of `data` labelled by eye (`engines.evaluation.eye_labels`); a third of them is held out."""
    precision: Annotated[float, Meta(gt=0, lt=1)] = 0.8
    """What the decision threshold must keep while it raises recall."""


T = TypeVar("T", bound=CropSchedule)


def read_crop_recipe(path: Path, kind: type[T]) -> T:
    """Raises TrainingError for an unreadable file, an unknown key or a value that does not fit."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=kind, dec_hook=_path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot read this recipe: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise TrainingError(f"{path}: {error}") from error
    except msgspec.DecodeError as error:
        raise TrainingError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
