"""The training loop of the nets on person crops: AdamW, one cosine, averaged weights, resumable.

Every step draws its own random numbers from (seed, step), so that a run that was stopped goes on as if it
had not been.
"""

from __future__ import annotations

import copy
import math
import pickle
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engines.distill.config import TrainingError
from engines.distill.crops.recipe import CropRecipe
from engines.distill.journal import Journal

LOG_EVERY_STEPS = 10
GRADIENT_LIMIT = 5.0


class Lesson(Protocol):
    """What a net is taught."""

    def loss(
        self, learner: nn.Module, rng: np.random.Generator, share: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch and its parts; `share` is how much of the run is over, 0..1."""

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """How good the averaged net is on what is held out."""


def learning_rate(recipe: CropRecipe, step: int) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def decaying(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """What is trained, in two groups: weights decay; biases and normalisation do not."""
    trained = [p for p in net.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Moves the averaged net a step towards the trained one."""
    for mine, theirs in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - decay)
        else:
            mine.copy_(theirs)


class CropTraining:
    """One run of a lesson: net, average, optimiser, and the folder where checkpoint, log and curves go."""

    def __init__(self, recipe: CropRecipe, net: nn.Module, lesson: Lesson) -> None:
        torch.set_num_threads(recipe.threads)
        self.recipe, self.net, self.lesson = recipe, net, lesson
        self.step, self.trained_s = 0, 0.0
        recipe.run.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(recipe.run)
        self.average = copy.deepcopy(net).eval()
        self.optimiser = torch.optim.AdamW(decaying(net, recipe.weight_decay), lr=recipe.learning_rate)
        self._stopped = False
        self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.recipe.run / "checkpoint.pt"

    def run(self) -> None:
        """Trains until steps or minutes are used up, or SIGINT or SIGTERM; then saves."""
        recipe = self.recipe
        self._listen_for_stop()
        parts: list[dict[str, float]] = []
        while not self._stopped and self.step < recipe.steps and self.trained_s < recipe.minutes * 60:
            start_s = time.monotonic()
            parts.append(self._step())
            self.trained_s += time.monotonic() - start_s
            if self.step % LOG_EVERY_STEPS == 0:
                means = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
                self._journal.note("loss", {**self._where(), **means})
                parts.clear()
            if self.step % recipe.checkpoint_every_steps == 0:
                self._save()
            if self.step % recipe.validate_every_steps == 0:
                self._validate()
        self._save()
        if not self._stopped and self.step % recipe.validate_every_steps:
            self._validate()

    def _where(self) -> dict[str, float]:
        return {"step": self.step, "minutes": self.trained_s / 60}

    def _step(self) -> dict[str, float]:
        recipe = self.recipe
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)
        rng = np.random.default_rng((recipe.seed, self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, self.step)
        self.net.train()
        loss, parts = self.lesson.loss(self.net, rng, self.step / recipe.steps)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is not finite at step {self.step}; lower learning_rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_LIMIT)
        self.optimiser.step()
        follow(self.average, self.net, min(recipe.ema_decay, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return {"loss": float(loss.detach()), **parts}

    def _validate(self) -> None:
        with torch.inference_mode():
            found = self.lesson.validate(self.average.eval())
        self._journal.note("validation", {**self._where(), **found})
        self._journal.draw()

    def _listen_for_stop(self) -> None:
        def note(number: int, _: object) -> None:
            print(f"{signal.Signals(number).name}: stopping after this step", flush=True)
            self._stopped = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)

    def _save(self) -> None:
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "trained_s": self.trained_s,
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = read_state(self.checkpoint)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.trained_s = state["step"], state["trained_s"]
        print(f"resumed at step {self.step}", flush=True)


def read_state(path: Path) -> dict[str, Any]:
    """A checkpoint of `CropTraining`, or ImageNet weights. Raises TrainingError for anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: not a PyTorch state file: {error}") from error
    keys = set(state) if isinstance(state, dict) else set()
    if not ({"average", "step", "trained_s"} <= keys or "features.0.0.weight" in keys):
        raise TrainingError(f"{path}: neither a checkpoint of this training nor MobileNetV2's weights")
    found: dict[str, Any] = state
    return found
