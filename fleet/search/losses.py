"""What training wants of a batch: pictures and queries that belong together close, all others further off."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SCALE = 16.0
FAR = -1e4


def margin_softmax(cosines: Tensor, belongs: Tensor, margin: float = 0.1) -> Tensor:
    """Additive-margin softmax (Wang et al. 2018) both ways over (queries, pictures), any number that belong.

    Each pair that belongs stands alone against all that do not: other pairs that belong are left out. With
    `margin` 0 it is the plain softmax.
    """
    raised = SCALE * (cosines - margin * belongs)
    strangers = raised.masked_fill(belongs, FAR)
    found = cosines.new_zeros(())
    for side in (1, 0):
        others = torch.logsumexp(strangers, side, keepdim=True)
        pairs = functional.softplus(others - raised)
        found = found + (pairs * belongs).sum() / belongs.sum().clamp(min=1)
    return found / 2


def multi_similarity(
    cosines: Tensor, belongs: Tensor, near: float = 2.0, far: float = 40.0, base: float = 0.5
) -> Tensor:
    """Multi-similarity loss (Wang et al. 2019) both ways, without its mining."""
    found = cosines.new_zeros(())
    for side in (1, 0):
        close = torch.logsumexp(_with_zero((-near * (cosines - base)).masked_fill(~belongs, FAR), side), side)
        apart = torch.logsumexp(_with_zero((far * (cosines - base)).masked_fill(belongs, FAR), side), side)
        found = found + (close / near + apart / far).mean()
    return found / 2


def _with_zero(values: Tensor, side: int) -> Tensor:
    return torch.cat([values, torch.zeros_like(values.narrow(side, 0, 1))], side)
