"""The training loop of all our nets: AdamW, one cosine, averaged weights, resumable.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from engines.errors import TrainingError
from engines.training.journal import TrainingLog

LOG_EVERY_STEPS = 20
MIN_RATE = 0.02
"""Share of the learning rate that is left at the end of the cosine."""

Net = TypeVar("Net", bound=nn.Module)
Net_contra = TypeVar("Net_contra", bound=nn.Module, contravariant=True)


class LearningRateSchedule(Protocol):
    """What the loop reads of a recipe; `run` is the folder for checkpoint, log and curves."""

    @property
    def run(self) -> Path: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def minutes(self) -> float: ...
    @property
    def threads(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def warmup_steps(self) -> int: ...
    @property
    def ema_decay(self) -> float: ...
    @property
    def checkpoint_every_steps(self) -> int: ...
    @property
    def validate_every_steps(self) -> int: ...


class Lesson(Protocol[Net_contra]):
    """What a net is taught. `judged_by` names the figure of `validate` that says which weights are best."""

    @property
    def judged_by(self) -> str: ...

    def loss(self, net: Net_contra, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and its parts for the log."""

    def validate(self, net: Net_contra) -> Mapping[str, float]:
        """How good the averaged net is on what is held out."""


@dataclass
class TrainingProgress:
    """Where a run stands."""

    step: int = 0
    trained_s: float = 0.0
    best: float = -math.inf


def learning_rate(schedule: LearningRateSchedule, step: int, trained_s: float = 0.0) -> float:
    """Linear warm-up, then a cosine down to 2 % when the steps or the minutes end, whichever is nearer."""
    if step < schedule.warmup_steps:
        return schedule.learning_rate * (step + 1) / schedule.warmup_steps
    share = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    share = min(1.0, max(share, trained_s / (schedule.minutes * 60)))
    return schedule.learning_rate * (MIN_RATE + (1 - MIN_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
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


class TrainingRun(Generic[Net]):
    """One run of a lesson: net, average, optimiser, and the folder where checkpoint, log and curves go.

    Beside `checkpoint.pt`, of the last step, `best.pt` is kept. `facts` are written into both.
    """

    def __init__(
        self,
        schedule: LearningRateSchedule,
        net: Net,
        lesson: Lesson[Net],
        *,
        gradient_limit: float = 5.0,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        torch.set_num_threads(schedule.threads)
        self.schedule, self.net, self.lesson = schedule, net, lesson
        self.progress = TrainingProgress()
        schedule.run.mkdir(parents=True, exist_ok=True)
        self._gradient_limit, self._facts = gradient_limit, dict(facts or {})
        self._journal = TrainingLog(schedule.run)
        self.average = copy.deepcopy(net).eval()
        groups = parameter_groups(net, schedule.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate)
        self._stopped = False
        self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.schedule.run / "checkpoint.pt"

    @property
    def stopped(self) -> bool:
        """Whether a signal has asked the run to end before its time."""
        return self._stopped

    def run(self, *, validate_at_end: bool = True) -> None:
        """Trains until the recipe's steps or minutes are used up, or until SIGINT or SIGTERM.

        However it ends, the checkpoint is of the last step.
        """
        schedule, progress = self.schedule, self.progress
        self._listen_for_stop()
        parts: list[dict[str, float]] = []
        while not self._finished():
            start_s = time.monotonic()
            parts.append(self.train_step())
            progress.trained_s += time.monotonic() - start_s
            if progress.step % LOG_EVERY_STEPS == 0:
                means = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
                self._journal.note("loss", {**self._where(), **means})
                parts.clear()
            if progress.step % schedule.checkpoint_every_steps == 0:
                self.save(self.checkpoint)
            if progress.step % schedule.validate_every_steps == 0:
                self._validate()
        self.save(self.checkpoint)
        unseen = progress.step % schedule.validate_every_steps != 0
        if validate_at_end and unseen and not self._stopped:
            self._validate()

    def train_step(self) -> dict[str, float]:
        """One step on one batch; gives the loss and its parts. Raises TrainingError if it is not finite."""
        schedule, step = self.schedule, self.progress.step
        torch.manual_seed(schedule.seed * 1_000_003 + step)
        rng = np.random.default_rng((schedule.seed, step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(schedule, step, self.progress.trained_s)
        self.net.train()
        loss, parts = self.lesson.loss(self.net, rng)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is not finite at step {step}; lower learning_rate")
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), self._gradient_limit)
        self.optimiser.step()
        follow(self.average, self.net, min(schedule.ema_decay, (1 + step) / (20 + step)))
        self.progress.step += 1
        return {"loss": float(loss.detach()), **parts}

    def save(self, path: Path) -> None:
        """Writes a checkpoint that the same recipe goes on from."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.progress.step,
            "trained_s": self.progress.trained_s,
            "best": self.progress.best,
            **self._facts,
        }
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(path)

    def _where(self) -> dict[str, float]:
        return {"step": self.progress.step, "minutes": self.progress.trained_s / 60}

    def _finished(self) -> bool:
        progress, schedule = self.progress, self.schedule
        used_up = progress.step >= schedule.steps or progress.trained_s >= schedule.minutes * 60
        return self._stopped or used_up

    def _validate(self) -> None:
        with torch.inference_mode():
            found = self.lesson.validate(self.average.eval())
        self._journal.note("validation", {**self._where(), **found})
        self._journal.draw()
        if found[self.lesson.judged_by] > self.progress.best:
            self.progress.best = found[self.lesson.judged_by]
            self.save(self.schedule.run / "best.pt")

    def _listen_for_stop(self) -> None:
        def note(number: int, _: object) -> None:
            print(f"{signal.Signals(number).name}: stopping after this step", flush=True)
            self._stopped = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = read_checkpoint(self.checkpoint)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = TrainingProgress(state["step"], state["trained_s"], state.get("best", -math.inf))
        print(f"resumed at step {self.progress.step}", flush=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a `TrainingRun` has saved. Raises TrainingError if the file is not one of ours."""
    state = read_state(path)
    if missing := sorted({"average", "step", "trained_s"} - set(state)):
        raise TrainingError(f"{path}: not a checkpoint of this training: without {missing[0]!r}")
    return state


def read_state(path: Path) -> dict[str, Any]:
    """A PyTorch file of named values. Raises TrainingError for anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: not a PyTorch state file: {error}") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{path}: not a PyTorch state file: it holds a {type(state).__name__}")
    return state
