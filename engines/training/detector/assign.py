"""Which cell answers for which person: task-aligned assignment (Feng et al., TOOD, 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.evaluation.pool import Labels
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


def inside(boxes: Tensor, there: Tensor, centres: Tensor) -> Tensor:
    """Which cells lie inside which boxes: (n, m, a) from boxes (n, m, 4), `there` (n, m), centres (a, 2)."""
    xs, ys = centres[:, 0], centres[:, 1]
    left, top, right, bottom = (boxes[..., side, None] for side in range(4))
    return (xs > left) & (xs < right) & (ys > top) & (ys < bottom) & there[..., None]


def iou_by_row(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (k, 4) row by row."""
    sides = torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])
    shared = sides.clamp(min=0).prod(-1)
    areas = (first[:, 2:] - first[:, :2]).prod(-1) + (second[:, 2:] - second[:, :2]).prod(-1)
    return shared / (areas - shared).clamp(min=1e-6)


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, centres: Tensor, labels: Padded) -> Assigned:
    """Every person gets the cells in its box that already see it best; a cell takes the closer person.

    scores (n, a) in 0..1, boxes (n, a, 4) as predicted, centres (a, 2). Works on the short list of (picture,
    person, cell) with the cell inside the person.
    """
    pictures, cells = scores.shape
    people = labels.boxes.shape[1]
    within = inside(labels.boxes, labels.there & (labels.trust > 0), centres)
    picture, person, cell = within.nonzero(as_tuple=True)
    iou = iou_by_row(labels.boxes[picture, person], boxes[picture, cell])
    fit = scores[picture, cell].pow(SCORE_POWER) * iou.pow(OVERLAP_POWER)

    dense = torch.zeros(pictures, people, cells)
    dense[picture, person, cell] = fit
    worst_taken = torch.topk(dense, min(CELLS_PER_PERSON, cells), dim=-1).values[..., -1]
    taken = (fit >= worst_taken[picture, person]) & (fit > 0)
    picture, person, cell, iou, fit = (column[taken] for column in (picture, person, cell, iou, fit))

    cell_row = picture * cells + cell
    closest = torch.zeros(pictures * cells).scatter_reduce(0, cell_row, iou, "amax")
    own = iou >= closest[cell_row]
    picture, person, cell_row, iou, fit = (column[own] for column in (picture, person, cell_row, iou, fit))

    person_row = picture * people + person
    peak_fit = torch.zeros(pictures * people).scatter_reduce(0, person_row, fit, "amax")[person_row]
    peak_iou = torch.zeros(pictures * people).scatter_reduce(0, person_row, iou, "amax")[person_row]
    trust = labels.trust[picture, person]
    target = torch.zeros(pictures * cells)
    target[cell_row] = fit / peak_fit.clamp(min=1e-9) * peak_iou * trust
    owner = torch.zeros(pictures * cells, dtype=torch.long)
    owner[cell_row] = person
    positive = torch.zeros(pictures * cells, dtype=torch.bool)
    positive[cell_row] = True
    target, owner, positive = (table.view(pictures, cells) for table in (target, owner, positive))
    looked_away = inside(labels.boxes, labels.there & (labels.trust == 0), centres).any(1)
    return Assigned(target, owner, positive, positive | ~looked_away)
