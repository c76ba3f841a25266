"""The training loop of the detector: bf16 autocast on the CPU, EMA, one cosine; resumes after any stop."""

from __future__ import annotations

import copy
import math
import pickle
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from engines.distill import evaluate
from engines.distill.assign import pad
from engines.distill.config import DetectorRecipe, TrainingError
from engines.distill.hint import distribution_loss, plain_l2_loss
from engines.distill.journal import Journal
from engines.distill.losses import detector_loss, imitation_loss
from engines.distill.pool import STORE, Labels, read_index
from engines.distill.reload import freeze, net_from_onnx
from engines.distill.scenes import SceneBatches
from engines.distill.soft import Taught, TaughtBatches
from engines.models.detector import WIDTHS, PersonDetector

VALIDATION = {
    "street": ("street",),
    "coco": ("coco",),
    "clips": ("retail", "hall", "table"),
    "store": (STORE,),
}
T = TypeVar("T")
TEACHER = Path("det-yolox-nano/yolox_nano.onnx")
LOG_EVERY_STEPS = 20
FRESH_PROCESS = "spawn"
"""A forked worker would wait for ever on the threads of an OpenVINO that this process has used before."""

GRADIENT_LIMIT = 10.0


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    trained_s: float = 0.0
    best: float = 0.0


def learning_rate(recipe: DetectorRecipe, step: int, trained_s: float = 0.0) -> float:
    """Linear warm-up, then a cosine down to 2 % when the steps or the minutes end, whichever is nearer."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    share = max(share, trained_s / (recipe.minutes * 60))
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights decay; biases and normalisation do not."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Moves the averaged net a step towards the trained one."""
    for mine, theirs in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - decay)
        else:
            mine.copy_(theirs)


def unchanged(item: T) -> T:
    """Passes a batch through the loader as it is."""
    return item


class DetectorTraining:
    """One run: net, average, optimiser, data, and the folder where it leaves checkpoints, log and curves."""

    def __init__(self, recipe: DetectorRecipe, pool: Path) -> None:
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.recipe, self.pool = recipe, pool
        self.folder = recipe.run
        self.folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(self.folder)
        if recipe.width not in WIDTHS:
            raise TrainingError(f"width {recipe.width!r} is not one of {', '.join(WIDTHS)}")
        self.net = PersonDetector(WIDTHS[recipe.width]).to(memory_format=torch.channels_last)
        self.model = model_to_imitate(recipe.imitate) if recipe.imitate is not None else None
        self.progress = Progress()
        self._stopped = False
        if recipe.start_from is not None:
            self._start_from(recipe.start_from)
        self.average = copy.deepcopy(self.net).eval()
        groups = parameter_groups(self.net, recipe.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def stopped(self) -> bool:
        """Whether a signal has asked the run to end before its time."""
        return self._stopped

    def run(self, *, validate_at_end: bool = True) -> None:
        """Trains until the recipe's steps or minutes are used up, or until SIGINT or SIGTERM.

        However it ends, the checkpoint is of the last step.
        """
        recipe = self.recipe
        seed = recipe.seed + 1000 * self.progress.step
        scenes = SceneBatches(self.pool, seed, recipe.batch, recipe.sizes, recipe.mix, recipe.kinds)
        hinted = recipe.hint != "none"
        teacher = recipe.data / TEACHER if recipe.soft_gain or hinted else None
        taught = TaughtBatches(scenes, teacher, features=hinted)
        batches = iter(
            DataLoader(
                taught,
                batch_size=None,
                num_workers=recipe.workers,
                collate_fn=unchanged,
                multiprocessing_context=FRESH_PROCESS if recipe.workers else None,
            )
        )
        self._listen_for_stop()
        parts: list[np.ndarray] = []
        since = time.monotonic()
        while not self._finished():
            self._set_learning_rate(learning_rate(recipe, self.progress.step, self.progress.trained_s))
            images, labels, said = next(batches)
            parts.append(self._step(np.asarray(images), labels, said))
            self.progress.step += 1
            now = time.monotonic()
            self.progress.trained_s += now - since
            since = now
            if self.progress.step % LOG_EVERY_STEPS == 0:
                self._log(np.mean(parts, 0))
                parts.clear()
            if self.progress.step % recipe.checkpoint_every_steps == 0:
                self._save(self.checkpoint)
            if self.progress.step % recipe.validate_every_steps == 0:
                self._validate()
                since = time.monotonic()
        self._save(self.checkpoint)
        unseen = self.progress.step % recipe.validate_every_steps != 0
        if validate_at_end and unseen and not self._stopped:
            self._validate()

    def _start_from(self, path: Path) -> None:
        if path.suffix == ".onnx":
            self.net.load_state_dict(net_from_onnx(path).state_dict())
            freeze(self.net)
        else:
            self.net.load_state_dict(read_checkpoint(path)["average"])

    def _finished(self) -> bool:
        progress, recipe = self.progress, self.recipe
        return self._stopped or progress.step >= recipe.steps or progress.trained_s >= recipe.minutes * 60

    def _listen_for_stop(self) -> None:
        def note(number: int, _: object) -> None:
            print(f"{signal.Signals(number).name}: stopping after this step", flush=True)
            self._stopped = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)

    def _step(self, images: np.ndarray, labels: list[Labels], taught: Taught | None) -> np.ndarray:
        batch = torch.from_numpy(images).to(memory_format=torch.channels_last).float()
        with torch.autocast("cpu", torch.bfloat16):
            raw, features = self.net.raw_and_features(batch)
        recipe = self.recipe
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
        if self.model is not None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                followed = self.model.raw(batch).float()
            total = total + recipe.imitation_gain * imitation_loss(raw.float(), followed, height, width)
        if not torch.isfinite(total):
            raise TrainingError(f"the loss is not finite at step {self.progress.step}; lower learning_rate")
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_LIMIT)
        self.optimiser.step()
        step = self.progress.step
        follow(self.average, self.net, min(self.recipe.ema_decay, (1 + step) / (20 + step)))
        amounts = float(total.detach()), parts.score, parts.box, parts.behind_teacher, parts.soft
        return np.array([*amounts, float(hint.detach())])

    def _hint(self, features: tuple[Tensor, ...], taught: Taught | None) -> Tensor:
        if self.recipe.hint == "none" or taught is None or taught.features is None:
            return torch.zeros(())
        student = torch.cat([level.flatten(2).transpose(1, 2) for level in features], 1).float()
        teacher = torch.from_numpy(taught.features).float()
        return (distribution_loss if self.recipe.hint == "distribution" else plain_l2_loss)(student, teacher)

    def _set_learning_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _log(self, mean: np.ndarray) -> None:
        progress = self.progress
        names = ("loss", "score", "box", "behind_teacher", "soft", "hint")
        speed = progress.step * self.recipe.batch / max(progress.trained_s, 1e-6)
        where = {"step": progress.step, "minutes": progress.trained_s / 60, "images_per_s": speed}
        self._journal.note("loss", {**where, **dict(zip(names, mean.tolist(), strict=True))})

    def _validate(self) -> None:
        net = self.average
        net.eval()

        def predict(batch: np.ndarray) -> np.ndarray:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                rows = net(torch.from_numpy(batch).to(memory_format=torch.channels_last))
                return np.asarray(rows.float())

        size = self.recipe.validation_size
        there = {entry.source for entry in read_index(self.pool) if entry.held_out}
        found = {
            name: evaluate.measure(predict, evaluate.held_out(self.pool, sources), size).ap50
            for name, sources in VALIDATION.items()
            if there.intersection(sources)
        }
        mean = float(np.mean(list(found.values())))
        where = {"step": self.progress.step, "minutes": self.progress.trained_s / 60}
        self._journal.note("validation", {**where, **found, "mean": mean})
        self._journal.draw()
        if mean > self.progress.best:
            self.progress.best = mean
            self._save(self.folder / "best.pt")

    def _save(self, path: Path) -> None:
        partial = path.with_suffix(".part")
        torch.save(
            {
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.progress.step,
                "trained_s": self.progress.trained_s,
                "best": self.progress.best,
                "width": self.recipe.width,
            },
            partial,
        )
        partial.replace(path)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = read_checkpoint(self.checkpoint)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(state["step"], state["trained_s"], state["best"])
        print(f"resumed at step {self.progress.step}", flush=True)


def model_to_imitate(checkpoint: Path) -> PersonDetector:
    """The averaged net of a checkpoint, ready to be asked. Raises TrainingError."""
    state = read_checkpoint(checkpoint)
    net = PersonDetector(WIDTHS[state.get("width", "full")])
    net.load_state_dict(state["average"])
    net.eval()
    net.to(memory_format=torch.channels_last)
    return net


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `DetectorTraining` has saved. Raises TrainingError if the file is not one of ours."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if missing := {"average", "step", "trained_s", "best"} - set(state):
            raise KeyError(*sorted(missing))
    except (OSError, KeyError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: not a checkpoint of this training: {error}") from error
    return state
