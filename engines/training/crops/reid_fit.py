"""Solves the last layer of the re-identification net exactly, once its other layers are trained.

Every stripe's linear layer is fitted (ridge regression) to the directions in which the teachers' joint
vectors vary most, so that its cosines become the teachers' as nearly as the features allow. Gradient steps
need long for what this does in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from engines.evaluation.reid_teachers import Embeddings
from engines.models.reid import EmbedderNet
from engines.training.crops.views import ViewSet

BATCH = 64
CHECKED_SHARE = 0.1
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Tried strengths, relative to the features' variance."""


def principal(teachers: list[Embeddings]) -> Tensor:
    """The teachers' vectors (n, k) as one: centred, of equal say, turned so that columns vary ever less."""
    centred = [vectors - vectors.mean(0) for vectors in teachers]
    joined = np.concatenate([rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in centred], 1)
    joined = torch.from_numpy(joined - joined.mean(0))
    _, directions = torch.linalg.eigh(joined.T @ joined)
    return joined @ directions.flip(1)


def ridge(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, float]:
    """Weights (k, m) and bias (k,) that predict targets (n, k) from features (n, m), and how well.

    The strength is the one whose predictions of the last tenth of the rows have the cosines of all pairs most
    like those of the targets; that correlation is the third thing returned.
    """
    fitted = len(features) - max(2, int(CHECKED_SHARE * len(features)))
    best: tuple[float, float] = (-2.0, RIDGES[0])
    for strength in RIDGES:
        weights, bias = _solved(features[:fitted], targets[:fitted], strength)
        guess = features[fitted:] @ weights.T + bias
        best = max(best, (_alike(guess, targets[fitted:]), strength))
    weights, bias = _solved(features, targets, best[1])
    return weights, bias, best[0]


def _solved(features: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    mean, deviation = features.mean(0), features.std(0).clamp_min(1e-4)
    centre = targets.mean(0)
    scaled = ((features - mean) / deviation).double()
    gram = scaled.T @ scaled + strength * len(scaled) * torch.eye(scaled.shape[1], dtype=torch.float64)
    solution = torch.linalg.solve(gram, scaled.T @ (targets - centre).double()).float()
    weights = (solution / deviation[:, None]).T
    return weights, centre - weights @ mean


def _alike(guess: Tensor, targets: Tensor) -> float:
    pairs = torch.triu_indices(len(guess), len(guess), 1)
    cosines = [
        (unit @ unit.T)[pairs[0], pairs[1]]
        for unit in (nn.functional.normalize(rows, dim=1) for rows in (guess, targets))
    ]
    return float(torch.corrcoef(torch.stack(cosines))[0, 1])


@torch.inference_mode()
def fit_last_layer(net: EmbedderNet, views: ViewSet, count: int, seed: int) -> Mapping[str, float]:
    """Fits all stripes on `count` views of training crops; says how well each branch does.

    Views of a crop stay together, so that those a strength is chosen by are of crops it was not fitted on.
    """
    rng = np.random.default_rng(seed)
    crops = rng.permutation(np.flatnonzero(~views.held_out))[: -(-count // views.each)]
    rows = np.concatenate([views.rows(crops[[place]], np.arange(views.each)) for place in range(len(crops))])
    targets = principal([vectors[rows] for vectors in views.teachers])
    pooled: list[list[list[Tensor]]] = [[] for _ in net.branches]
    net.eval()
    for first in range(0, len(rows), BATCH):
        images = torch.from_numpy(views.pictures[rows[first : first + BATCH]])
        images = images.to(memory_format=torch.channels_last).float()
        with torch.autocast("cpu", torch.bfloat16):
            shared = net.trunk((images - net.mean) / net.std)
            for branch, kept in zip(net.branches, pooled, strict=True):
                kept.append([part.float() for part in branch.pooled(shared)])
    found: dict[str, float] = {}
    for branch, kept in zip(net.branches, pooled, strict=True):
        scores = []
        for stripe, describe in enumerate(branch.describe):
            features = torch.cat([parts[stripe] for parts in kept])
            weights, bias, score = ridge(features, targets[:, : describe.out_features])
            describe.weight.copy_(weights)
            describe.bias.copy_(bias)
            scores.append(score)
        found[f"stripes_{branch.stripes}"] = float(np.mean(scores))
    return found
