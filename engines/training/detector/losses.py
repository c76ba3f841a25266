"""What the student is told: scores that follow the overlap, boxes bound by the teacher's error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engines.training.detector.assign import Assigned, Padded, assign, boxes_from, cell_centres

SCORE_GAIN = 1.0
BOX_GAIN = 5.0
FOCUS = 1.5
BACKGROUND_SHARE = 0.75
MIN_IMITATED_SCORE = 0.2


@dataclass(frozen=True)
class LossParts:
    """The loss to step on, its parts, and the share of persons where the student is behind the teacher."""

    total: Tensor
    score: float
    box: float
    behind_teacher: float
    soft: float = 0.0


def generalised_iou(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al., 2019) of boxes [..., 4] row by row."""
    sides = (
        torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    ).clamp(min=0)
    shared = sides.prod(-1)
    union = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(-1) - shared
    iou = shared / union.clamp(min=1e-6)
    hull = torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    area = hull.prod(-1).clamp(min=1e-6)
    return iou, iou - (area - union) / area


def detector_loss(
    raw: Tensor,
    height: int,
    width: int,
    labels: Padded,
    margin: float,
    bound_gain: float,
    teacher: Tensor | None = None,
    soft_gain: float = 0.0,
) -> LossParts:
    """Loss of the net's raw rows [n, a, 5] (distances in pixels, score logit).

    Scores: cross entropy towards the assigned overlap, background focused (Zhang et al., VarifocalNet, 2021).
    Boxes: 1 - GIoU towards the labels, weighted by the target. Where the student's overlap is below the
    teacher's less `margin`, a box counts `1 + bound_gain` times (Chen et al., 2017: the teacher only bounds).
    `teacher` (n, a): a teacher's score for every cell, see `soft_score_loss`.
    """
    centres, _ = cell_centres(height, width)
    boxes = boxes_from(raw[..., :4], centres)
    logits = raw[..., 4]
    assigned = assign(logits.detach().sigmoid(), boxes.detach(), centres, labels)
    target = assigned.target
    probability = logits.detach().sigmoid()
    weight = torch.where(assigned.positive, target, BACKGROUND_SHARE * probability.pow(FOCUS))
    weight = torch.where(assigned.positive, weight.clamp(min=0.1), weight) * assigned.counted
    amount = target.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    score = (entropy * weight).sum() / amount

    image, cell = assigned.positive.nonzero(as_tuple=True)
    person = assigned.person[image, cell]
    iou, giou = generalised_iou(boxes[image, cell], labels.boxes[image, person])
    behind = iou.detach() < labels.teacher_iou[image, person] - margin
    box_weight = target[image, cell] * (1 + bound_gain * behind)
    box = ((1 - giou) * box_weight).sum() / amount
    share = float(behind.float().mean()) if len(behind) else 0.0
    total = SCORE_GAIN * score + BOX_GAIN * box
    soft = 0.0
    if teacher is not None:
        imitation = soft_score_loss(logits, teacher, assigned)
        total = total + soft_gain * imitation
        soft = float(imitation.detach())
    return LossParts(total, float(score.detach()), float(box.detach()), share, soft)


def soft_score_loss(logits: Tensor, teacher: Tensor, assigned: Assigned) -> Tensor:
    """Cross entropy towards the teacher's scores (n, a), weighted by how far the student is off (Li et al.,
    quality focal loss, 2020); the entropy of the teacher's own doubt is taken off.

    Where the labels ask for more than the teacher sees, they are right: such a cell does not count.
    """
    distance = (teacher - logits.detach().sigmoid()).abs().pow(FOCUS)
    known_better = assigned.positive & (assigned.target >= teacher)
    doubt = functional.binary_cross_entropy(teacher, teacher, reduction="none")
    entropy = functional.binary_cross_entropy_with_logits(logits, teacher, reduction="none") - doubt
    return (entropy * distance * ~known_better).sum() / teacher.sum().clamp(min=1.0)


def imitation_loss(raw: Tensor, model: Tensor, height: int, width: int) -> Tensor:
    """How far the raw rows [n, a, 5] are from another net's on the same pictures, cell by cell.

    Scores: cross entropy towards the model's probability, weighted by the larger of the two (both near
    nothing teaches nothing). Boxes: 1 - GIoU towards the model's, where it scores above MIN_IMITATED_SCORE,
    weighted by that score.
    """
    centres, _ = cell_centres(height, width)
    target, probability = model[..., 4].sigmoid(), raw[..., 4].detach().sigmoid()
    weight = torch.maximum(target, BACKGROUND_SHARE * probability.pow(FOCUS))
    entropy = functional.binary_cross_entropy_with_logits(raw[..., 4], target, reduction="none")
    seen = target > MIN_IMITATED_SCORE
    amount = target[seen].sum().clamp(min=1.0)
    _, giou = generalised_iou(
        boxes_from(raw[..., :4], centres)[seen], boxes_from(model[..., :4], centres)[seen]
    )
    return (
        SCORE_GAIN * (entropy * weight).sum() / amount + BOX_GAIN * ((1 - giou) * target[seen]).sum() / amount
    )
