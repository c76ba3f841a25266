"""The recipe of a training run, read from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from engines.errors import TrainingError

HINTS = ("none", "plain_l2", "distribution")


@dataclass(frozen=True)
class DetectorRecipe:
    """Settings of `python -m engines.training detector`; sizes are (width, height) in pixels.

    bound_margin, bound_gain: see `detector.losses.detector_loss`. soft_gain: weight of YOLOX-nano's scores in
    every cell. hint, hint_gain: which of HINTS compares features, and its weight. hard_labels:
    every box is taken for certain. mix: shares of the pool's sources, kinds: of the kinds of scenes.
    width: which of `engines.models.detector.WIDTHS` is trained. imitate: a checkpoint of the full net, whose
    answer in every cell is followed as well, with `imitation_gain`.
    """

    data: Path
    run: Path
    seed: int = 20
    minutes: float = 60.0
    steps: int = 8000
    batch: int = 16
    threads: int = 2
    workers: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 300
    ema_decay: float = 0.998
    bound_margin: float = 0.05
    bound_gain: float = 1.0
    soft_gain: float = 0.0
    hint: str = "none"
    hint_gain: float = 1.0
    hard_labels: bool = False
    sizes: list[tuple[int, int]] = field(default_factory=lambda: [(416, 320)])
    validation_size: tuple[int, int] = (416, 320)
    checkpoint_every_steps: int = 300
    validate_every_steps: int = 600
    width: str = "full"
    start_from: Path | None = None
    imitate: Path | None = None
    imitation_gain: float = 1.0
    mix: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, float] = field(default_factory=dict)


def read_recipe(path: Path) -> DetectorRecipe:
    """Reads a recipe; relative paths in it count from the current folder.

    Raises TrainingError for an unreadable file or an unknown key.
    """
    try:
        given = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise TrainingError(f"{path}: cannot read this recipe: {error}") from error
    if not isinstance(given, dict):
        raise TrainingError(f"{path}: a recipe is a mapping of settings")
    known = {item.name for item in fields(DetectorRecipe)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise TrainingError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
    if missing := sorted({"data", "run"} - set(given)):
        raise TrainingError(f"{path}: the setting {missing[0]!r} is missing")
    values: dict[str, Any] = dict(given)
    for name in ("data", "run", "start_from", "imitate"):
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in ("sizes",):
        if name in values:
            values[name] = [(int(width), int(height)) for width, height in values[name]]
    if "validation_size" in values:
        width, height = values["validation_size"]
        values["validation_size"] = (int(width), int(height))
    recipe = DetectorRecipe(**values)
    if recipe.hint not in HINTS:
        raise TrainingError(f"{path}: hint {recipe.hint!r} is not one of {', '.join(HINTS)}")
    return recipe
