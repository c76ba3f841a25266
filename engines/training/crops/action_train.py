"""Teaches the action net labels made by eye and the pose teacher's, with the joints as a second task."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engines.errors import TrainingError
from engines.models.action import CHANNELS, INPUT_HEIGHT, INPUT_WIDTH, MAP_WH, ActionNet
from engines.models.mobilenet import ConvHead
from engines.training.crops.action_data import ActionSet, labelled, labelled_by_eye
from engines.training.crops.action_pose import KEPT
from engines.training.crops.augment import Hardships, as_batch, augmented
from engines.training.crops.gather import inner
from engines.training.crops.recipe import ActionRecipe
from engines.training.loop import TrainingRun
from engines.training.reload import read_imagenet

FROZEN_BLOCKS = 7
INPUT_WH = (INPUT_WIDTH, INPUT_HEIGHT)
HARDSHIPS = Hardships(mirrored=0.0, shift=0.12, few_pixels=0.5, least_height_px=40, covered=0.15, tint=0.08)
MIRRORED_JOINTS = (1, 0, 3, 2, 5, 4, 7, 6)
JOINT_WEIGHT = 0.5
AT_WORK = 0.5
SURE = 0.3
"""The pose teacher is believed this near to 0 and 1; what lies between is left out."""


class ActionLearner(nn.Module):
    """The action net, with two heads that only training needs to shape its features: a judge and the joints.

    The net's own last layer is solved when training is over (`engines.training.crops.action_fit`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.student = ActionNet()
        self.wide = ConvHead(CHANNELS, 192)
        self.judge = nn.Linear(2 * 192, 1)
        self.narrow = ConvHead(CHANNELS, 16)
        self.joints = nn.Linear(16 * MAP_WH[0] * MAP_WH[1], 2 * len(KEPT))
        for block in self.student.trunk[:FROZEN_BLOCKS]:
            block.requires_grad_(False)

    def train(self, mode: bool = True) -> ActionLearner:
        super().train(mode)
        self.student.trunk[:FROZEN_BLOCKS].eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 1), and joints (N, 8, 2) as shares of the crop: x, y."""
        features = self.student.features(images)
        wide = self.wide(features)
        logits = self.judge(torch.cat((wide.mean((2, 3)), wide.amax((2, 3))), 1))
        joints = self.joints(self.narrow(features).flatten(1)).unflatten(1, (len(KEPT), 2))
        return logits, joints


class ActionLesson:
    """Batches in which half of the persons are labelled by eye, and half of them handle goods."""

    judged_by = "average_precision"

    def __init__(self, recipe: ActionRecipe, by_pose: ActionSet, by_eye: ActionSet) -> None:
        self._recipe, self._by_eye = recipe, by_eye
        self._groups = [
            (examples, np.flatnonzero(~examples.held_out & said))
            for examples in (by_pose, by_eye)
            for said in (examples.handling >= 1 - SURE, examples.handling <= SURE)
        ]
        if min(len(rows) for _, rows in self._groups) == 0:
            raise TrainingError(
                "both the pose teacher and the labels by eye must know handling and not handling"
            )

    def loss(self, learner: ActionLearner, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Handling as labelled, and where the joints are."""
        quarter = self._recipe.batch // len(self._groups)
        drawn = [(examples, rng.choice(rows, quarter)) for examples, rows in self._groups]
        images, joints = self._hard_views(drawn, rng)
        handling = np.concatenate([examples.handling[rows] for examples, rows in drawn])
        with torch.autocast("cpu", torch.bfloat16):
            logits, located = learner(torch.from_numpy(images).to(memory_format=torch.channels_last).float())
        target = torch.from_numpy(handling).clamp(0.03, 0.97)
        judged = functional.binary_cross_entropy_with_logits(logits.float()[:, 0], target)
        known = torch.from_numpy((joints[:, :, 2:] > 0.25).astype(np.float32))
        away = functional.smooth_l1_loss(
            located.float(), torch.from_numpy(joints[:, :, :2]), reduction="none", beta=0.1
        )
        placed = (away * known).sum() / known.sum().clamp_min(1) * 10
        parts = {"handling": float(judged.detach()), "joints": float(placed.detach())}
        return judged + JOINT_WEIGHT * placed, parts

    def validate(self, net: ActionLearner) -> Mapping[str, float]:
        """On the crops labelled by eye that are held out."""
        there = self._by_eye.held_out
        logits = logits_of(net, [inner(crop) for crop in self._by_eye.crops[there]])
        truth = self._by_eye.handling[there] >= AT_WORK
        _, recall = best_threshold(logits, truth, self._recipe.precision)
        return {"average_precision": average_precision(logits, truth), "recall_at_precision": recall}

    def _hard_views(
        self, drawn: list[tuple[ActionSet, NDArray[np.intp]]], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        crops = [np.asarray(examples.crops[row]) for examples, rows in drawn for row in rows]
        others = rng.integers(len(crops), size=len(crops))
        views = [
            augmented(crop, inner(crops[other]), rng, HARDSHIPS)
            for crop, other in zip(crops, others, strict=True)
        ]
        images = as_batch(views, INPUT_WH)
        joints = np.concatenate([examples.joints[rows] for examples, rows in drawn])
        mirrored = rng.random(len(crops)) < 0.5
        images[mirrored] = images[mirrored][:, :, :, ::-1]
        joints[mirrored] = joints[mirrored][:, MIRRORED_JOINTS]
        joints[mirrored, :, 0] = 1 - joints[mirrored, :, 0]
        return images, joints


def logits_of(net: nn.Module, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Logits (n,) of crops without margin."""
    found = []
    for first in range(0, len(pictures), 64):
        batch = torch.from_numpy(as_batch(pictures[first : first + 64], INPUT_WH)).float()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found.append(net(batch)[0].float()[:, 0])
    return np.asarray(torch.cat(found), np.float32)


def best_threshold(
    logits: NDArray[np.float32], truth: NDArray[np.bool_], precision: float
) -> tuple[float, float]:
    """The lowest logit from which on precision is kept (else that of the best precision); recall there."""
    order = np.argsort(-logits, kind="stable")
    hits = np.cumsum(truth[order])
    precisions = hits / np.arange(1, len(order) + 1)
    keeping = np.flatnonzero(precisions >= precision)
    last = int(keeping[-1]) if len(keeping) else int(precisions.argmax())
    following = logits[order[last + 1]] if last + 1 < len(order) else logits[order[last]] - 1
    return float((logits[order[last]] + following) / 2), float(hits[last] / max(1, truth.sum()))


def average_precision(logits: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Mean precision at every hit, best first."""
    ordered = truth[np.argsort(-logits, kind="stable")]
    precisions = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precisions[ordered].mean()) if ordered.any() else 0.0


def by_pose(recipe: ActionRecipe) -> ActionSet:
    """The recipe's crops with the pose teacher's labels."""
    return labelled(
        recipe.data,
        recipe.pool,
        recipe.run,
        recipe.pose_teacher,
        recipe.crops_a_source,
        recipe.seed,
        recipe.threads,
    )


def by_eye(recipe: ActionRecipe) -> ActionSet:
    """The recipe's crops labelled by eye."""
    return labelled_by_eye(recipe.data, recipe.eye_labels, recipe.run, recipe.pose_teacher, recipe.threads)


def action_training(recipe: ActionRecipe) -> TrainingRun[ActionLearner]:
    """Gathers and labels crops, and makes the run ready to go (on)."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    lesson = ActionLesson(recipe, by_pose(recipe), by_eye(recipe))
    learner = ActionLearner()
    if recipe.imagenet is not None:
        learner.student.start_from_imagenet(read_imagenet(recipe.imagenet))
    learner.to(memory_format=torch.channels_last)
    return TrainingRun(recipe, learner, lesson)
