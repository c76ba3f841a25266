"""Losses between the student's and the teacher's features at the same cell.

`distribution_loss` is the published system's hint (Alibaba's search division, 2018): what is matched is the
*distribution* of the responses over the channels, so the student's channels need not stand in the teacher's
order. `plain_l2_loss` is what it replaces, channel i to channel i (after Romero et al., FitNets, 2015).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shares(features: Tensor) -> Tensor:
    """Each channel's share of all positive responses at a cell: [..., c], not negative, sums to 1.

    A cell without any response has no distribution; its shares are all alike.
    """
    positive = features.clamp(min=0)
    total = positive.sum(-1, keepdim=True)
    channels = features.shape[-1]
    return torch.where(
        total > 1e-6, positive / total.clamp(min=1e-6), torch.full_like(positive, 1 / channels)
    )


def response_curve(features: Tensor, points: int) -> Tensor:
    """The shares sorted from the strongest down, [..., points]: the same for every order of the channels.

    Another number of channels than `points` is resampled along the curve and made to sum to 1 again.
    """
    curve = shares(features).sort(dim=-1, descending=True).values
    if curve.shape[-1] == points:
        return curve
    flat = curve.reshape(-1, 1, curve.shape[-1])
    resampled = functional.interpolate(flat, points, mode="linear", align_corners=True)
    resampled = resampled / resampled.sum(-1, keepdim=True)
    return resampled.reshape(*curve.shape[:-1], points)


def distribution_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Wasserstein-1 distance (0..2) between the shares of features [n, a, c] and [n, a, d], mean of cells."""
    points = student.shape[-1]
    distance = (response_curve(student, points) - response_curve(teacher, points)).abs().sum(-1)
    return distance.mean()


def plain_l2_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of features [n, a, c], channel by channel as they stand.

    Raises ValueError where the two have different numbers of channels.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"plain L2 needs equal shapes, not {tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    return functional.mse_loss(student, teacher)
