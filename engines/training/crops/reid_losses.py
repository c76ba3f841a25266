"""What the student of re-identification has to match: the likeness of persons first, then the vectors.

A teacher's vectors live in a space of its own; what carries over is who looks like whom (relational knowledge
distillation: Park et al. 2019; as distributions over the others in the batch: Passalis and Tefas 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SHARPNESS = 8.0
"""Inverse temperature of the distribution over the others in a batch."""
APART = 1e4


def likeness(vectors: Tensor) -> Tensor:
    """Cosines of all pairs, (n, n), of unit vectors (n, k)."""
    return vectors @ vectors.T


def consensus(teachers: list[Tensor]) -> Tensor:
    """The teachers' common opinion (n, n) of who looks like whom.

    Each teacher's cosines are brought to mean 0 and deviation 1 over pairs of different crops, then averaged:
    their own scales differ.
    """
    different = _different(len(teachers[0]))
    total = torch.zeros(different.shape)
    for vectors in teachers:
        cosines = likeness(vectors)
        mean, deviation = cosines[different].mean(), cosines[different].std()
        total += (cosines - mean) / deviation.clamp_min(1e-6)
    return total / len(teachers)


def relation_loss(student: Tensor, target: Tensor) -> Tensor:
    """How far the student's likenesses are from the teachers' (`consensus`): order and amount.

    The order: cross entropy between the distributions over the others in the batch. The amount: squared
    difference of likenesses brought to mean 0 and deviation 1.
    """
    cosines = likeness(student)
    different = _different(len(student))
    values = cosines[different]
    scaled = (cosines - values.mean()) / values.std().clamp_min(1e-3)
    amount = functional.smooth_l1_loss(scaled[different], target[different])
    aim = functional.softmax((target * 1.5).masked_fill(~different, -APART), 1)
    guess = functional.log_softmax((cosines * SHARPNESS).masked_fill(~different, -APART), 1)
    order = -(aim * guess.clamp_min(-50)).sum(1).mean()
    return order + amount


def _different(count: int) -> Tensor:
    return ~torch.eye(count, dtype=torch.bool)


def vector_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine between the student's vectors, mapped into a teacher's space, and its."""
    return 1 - functional.cosine_similarity(projected, teacher, dim=1).mean()
