"""The mean of two checkpoints of one net's training: what an early and a late state have in common.

A net and what it became by going on from there lie in one valley; between them a net often sees more kinds of
pictures well than at either end (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""

from __future__ import annotations

from pathlib import Path

import torch

from engines.errors import TrainingError
from engines.training.loop import read_checkpoint


def average(first: Path, second: Path, share: float, target: Path) -> None:
    """Writes a checkpoint to start from, `share` of the second and the rest of the first.

    Raises TrainingError where they hold nets of different shapes, or the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise TrainingError(f"--share {share}: a share of the second checkpoint lies between 0 and 1")
    one, other = read_checkpoint(first), read_checkpoint(second)
    before, after = one["average"], other["average"]
    if {name: value.shape for name, value in before.items()} != {n: v.shape for n, v in after.items()}:
        raise TrainingError(f"{second}: holds a net of another shape than {first}")
    mean = {
        name: torch.lerp(before[name], value, share) if value.dtype.is_floating_point else value
        for name, value in after.items()
    }
    torch.save(
        {**{key: other[key] for key in other if key not in ("net", "optimiser")}, "average": mean}, target
    )
