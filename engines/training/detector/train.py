"""What the detector is taught, in bf16 autocast on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from engines.errors import TrainingError
from engines.evaluation import accuracy as evaluate
from engines.evaluation.pool import STORE, read_index
from engines.models.detector import WIDTHS, DetectorNet
from engines.training.config import DetectorRecipe
from engines.training.detector.assign import pad
from engines.training.detector.hint import distribution_loss, plain_l2_loss
from engines.training.detector.losses import detector_loss, imitation_loss
from engines.training.detector.scenes import SceneBatches
from engines.training.detector.soft import Batch, Taught, TaughtBatches
from engines.training.loop import TrainingRun, read_checkpoint
from engines.training.reload import freeze, net_from_onnx

VALIDATION = {
    "street": ("street",),
    "coco": ("coco",),
    "clips": ("retail", "hall", "table"),
    "store": (STORE,),
}
T = TypeVar("T")
TEACHER = Path("det-yolox-nano/yolox_nano.onnx")
FRESH_PROCESS = "spawn"
"""A forked worker would wait for ever on the threads of an OpenVINO that this process has used before."""

GRADIENT_LIMIT = 10.0


def unchanged(item: T) -> T:
    """Passes a batch through the loader as it is."""
    return item


class DetectorLesson:
    """Scenes from the pool, each with what the labels and, where the recipe says so, the teachers say."""

    judged_by = "mean"

    def __init__(self, recipe: DetectorRecipe, pool: Path) -> None:
        self._recipe, self._pool = recipe, pool
        self._model = model_to_imitate(recipe.imitate) if recipe.imitate is not None else None
        self._batches: Iterator[Batch] | None = None

    def loss(self, net: DetectorNet, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Labels, soft scores, features and imitation, each with its gain."""
        if self._batches is None:
            self._batches = self._loaded(int(rng.integers(2**31)))
        images, labels, taught = next(self._batches)
        recipe = self._recipe
        batch = torch.from_numpy(np.asarray(images)).to(memory_format=torch.channels_last).float()
        with torch.autocast("cpu", torch.bfloat16):
            raw, features = net.raw_and_features(batch)
        wanted = pad(labels)
        if recipe.hard_labels:
            wanted = replace(wanted, trust=(wanted.trust > 0).float())
        scores = torch.from_numpy(taught.scores) if taught is not None and recipe.soft_gain else None
        height, width = batch.shape[2:]
        parts = detector_loss(
            raw.float(),
            height,
            width,
            wanted,
            recipe.bound_margin,
            recipe.bound_gain,
            scores,
            recipe.soft_gain,
        )
        hint = self._hint(features, taught)
        total = parts.total + recipe.hint_gain * hint
        if self._model is not None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                followed = self._model.raw(batch).float()
            total = total + recipe.imitation_gain * imitation_loss(raw.float(), followed, height, width)
        amounts = {"score": parts.score, "box": parts.box, "behind_teacher": parts.behind_teacher}
        return total, {**amounts, "soft": parts.soft, "hint": float(hint.detach())}

    def validate(self, net: DetectorNet) -> Mapping[str, float]:
        """Average precision at IoU 0.5 on the held-out part of the pool, and the mean of all sources."""

        def predict(batch: np.ndarray) -> np.ndarray:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                rows = net(torch.from_numpy(batch).to(memory_format=torch.channels_last))
                return np.asarray(rows.float())

        there = {entry.source for entry in read_index(self._pool) if entry.held_out}
        size = self._recipe.validation_size
        found = {
            name: evaluate.measure(predict, evaluate.held_out(self._pool, sources), size).ap50
            for name, sources in VALIDATION.items()
            if there.intersection(sources)
        }
        return {**found, "mean": float(np.mean(list(found.values())))}

    def _loaded(self, seed: int) -> Iterator[Batch]:
        recipe = self._recipe
        scenes = SceneBatches(self._pool, seed, recipe.batch, recipe.sizes, recipe.mix, recipe.kinds)
        hinted = recipe.hint != "none"
        teacher = recipe.data / TEACHER if recipe.soft_gain or hinted else None
        return iter(
            DataLoader(
                TaughtBatches(scenes, teacher, features=hinted),
                batch_size=None,
                num_workers=recipe.workers,
                collate_fn=unchanged,
                multiprocessing_context=FRESH_PROCESS if recipe.workers else None,
            )
        )

    def _hint(self, features: tuple[Tensor, ...], taught: Taught | None) -> Tensor:
        if self._recipe.hint == "none" or taught is None or taught.features is None:
            return torch.zeros(())
        student = torch.cat([level.flatten(2).transpose(1, 2) for level in features], 1).float()
        teacher = torch.from_numpy(taught.features).float()
        compare = distribution_loss if self._recipe.hint == "distribution" else plain_l2_loss
        return compare(student, teacher)


def detector_training(recipe: DetectorRecipe, pool: Path) -> TrainingRun[DetectorNet]:
    """A run ready to go (on). Raises TrainingError."""
    torch.manual_seed(recipe.seed)
    if recipe.width not in WIDTHS:
        raise TrainingError(f"width {recipe.width!r} is not one of {', '.join(WIDTHS)}")
    net = DetectorNet(WIDTHS[recipe.width])
    net.to(memory_format=torch.channels_last)
    if recipe.start_from is not None:
        _start(net, recipe.start_from)
    lesson = DetectorLesson(recipe, pool)
    return TrainingRun(recipe, net, lesson, gradient_limit=GRADIENT_LIMIT, facts={"width": recipe.width})


def _start(net: DetectorNet, path: Path) -> None:
    if path.suffix == ".onnx":
        net.load_state_dict(net_from_onnx(path).state_dict())
        freeze(net)
    else:
        net.load_state_dict(without_deeper_blocks(read_checkpoint(path)["average"], net, path))


def without_deeper_blocks(state: dict[str, Tensor], net: DetectorNet, path: Path) -> dict[str, Tensor]:
    """Weights of a net that has more blocks, for one that goes without: each only adds to what it is given.

    Raises TrainingError where more than that differs.
    """
    wanted = net.state_dict()
    kept = {name: value for name, value in state.items() if name in wanted}
    spare = [name for name in state if name not in wanted and not name.startswith("backbone.stages.")]
    fits = all(name in kept and kept[name].shape == value.shape for name, value in wanted.items())
    if spare or not fits:
        raise TrainingError(f"{path}: holds a net of another width; start from one of the same width")
    return kept


def model_to_imitate(checkpoint: Path) -> DetectorNet:
    """The averaged net of a checkpoint, ready to be asked. Raises TrainingError."""
    state = read_checkpoint(checkpoint)
    net = DetectorNet(WIDTHS[state.get("width", "full")])
    net.load_state_dict(state["average"])
    net.eval()
    net.to(memory_format=torch.channels_last)
    return net
