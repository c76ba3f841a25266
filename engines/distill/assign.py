"""Which cell answers for which person: task-aligned assignment (Feng et al., TOOD, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.distill.pool import Labels
from engines.models.detector import STRIDES

CELLS_PER_PERSON = 10
SCORE_POWER = 0.5
OVERLAP_POWER = 6.0


@dataclass(frozen=True)
class Padded:
    """Labels of a batch, padded: `boxes` (n, m, 4), `trust` (n, m), `teacher_iou` (n, m), `there` (n, m)."""

    boxes: Tensor
    trust: Tensor
    teacher_iou: Tensor
    there: Tensor


@dataclass(frozen=True)
class Assigned:
    """Per cell (n, a): target score, the person's row, if it answers for one, if it counts at all."""

    target: Tensor
    person: Tensor
    positive: Tensor
    counted: Tensor


def pad(labels: list[Labels]) -> Padded:
    most = max([1, *(len(item.boxes) for item in labels)])
    boxes = np.zeros((len(labels), most, 4), np.float32)
    trust, teacher = np.zeros((len(labels), most), np.float32), np.zeros((len(labels), most), np.float32)
    there = np.zeros((len(labels), most), bool)
    for row, item in enumerate(labels):
        count = len(item.boxes)
        boxes[row, :count], trust[row, :count], teacher[row, :count] = (
            item.boxes,
            item.trust,
            item.teacher_iou,
        )
        there[row, :count] = True
    return Padded(*(torch.from_numpy(array) for array in (boxes, trust, teacher, there)))


def cell_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres (a, 2) in pixels and strides (a,) in the order of the net's rows."""
    centres, strides = [], []
    for stride in STRIDES:
        ys = (torch.arange(height // stride) + 0.5) * stride
        xs = (torch.arange(width // stride) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1).reshape(-1, 2)
        centres.append(grid)
        strides.append(torch.full((len(grid),), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def boxes_from(distances: Tensor, centres: Tensor) -> Tensor:
    """Left, top, right, bottom in pixels from distances [..., a, 4] and centres [a, 2]."""
    return torch.cat((centres - distances[..., :2], centres + distances[..., 2:]), -1)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of boxes [n, m, 4] with [n, a, 4]: [n, m, a]."""
    a, b = first[:, :, None], second[:, None]
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides.prod(-1)
    area_a, area_b = (a[..., 2:] - a[..., :2]).prod(-1), (b[..., 2:] - b[..., :2]).prod(-1)
    return shared / (area_a + area_b - shared).clamp(min=1e-6)


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, centres: Tensor, labels: Padded) -> Assigned:
    """Every person gets the cells inside its box that already see it best; a cell takes the closer person.

    scores (n, a) in 0..1, boxes (n, a, 4) as predicted, centres (a, 2).
    """
    inside = (
        torch.cat((centres - labels.boxes[:, :, None, :2], labels.boxes[:, :, None, 2:] - centres), -1).amin(
            -1
        )
        > 0
    )
    inside &= labels.there[..., None]
    wanted = inside & (labels.trust > 0)[..., None]
    iou = pairwise_iou(labels.boxes, boxes) * wanted
    fit = scores[:, None].pow(SCORE_POWER) * iou.pow(OVERLAP_POWER) * wanted
    best = torch.topk(fit, min(CELLS_PER_PERSON, fit.shape[-1]), dim=-1)
    chosen = torch.zeros_like(fit, dtype=torch.bool).scatter_(-1, best.indices, best.values > 0)
    person = (iou * chosen).argmax(1)
    positive = chosen.any(1)
    own = torch.nn.functional.one_hot(person, fit.shape[1]).transpose(1, 2).bool() & chosen
    fit = fit * own
    peak_fit = fit.amax(-1, keepdim=True).clamp(min=1e-9)
    peak_iou = (iou * own).amax(-1, keepdim=True)
    target = (fit / peak_fit * peak_iou * labels.trust[..., None]).amax(1)
    looked_away = (inside & (labels.trust == 0)[..., None]).any(1)
    return Assigned(target, person, positive, positive | ~looked_away)
