"""Solves the last layer of the action net once its other layers are trained: regularised logistic regression.

Every training crop is seen as it is, mirrored and hard to see; handling and not handling weigh the same. The
strength of the regularisation is the one that ranks held-out crops best.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engines.models.action import ActionNet, described
from engines.training.crops.action_data import ActionSet
from engines.training.crops.action_train import AT_WORK, HARDSHIPS, INPUT_WH, average_precision
from engines.training.crops.augment import as_batch, augmented
from engines.training.crops.gather import inner

BATCH = 64
DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3)
ROUNDS = 60


def logistic(features: Tensor, labels: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Weights (m,) and bias of the logit of labels (n,) in 0..1 from features (n, m), L-BFGS."""
    weights = torch.zeros(features.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    positive = (labels >= AT_WORK).float()
    balance = positive / positive.sum().clamp_min(1) + (1 - positive) / (1 - positive).sum().clamp_min(1)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        losses = functional.binary_cross_entropy_with_logits(
            features @ weights + bias, labels, reduction="none"
        )
        total: Tensor = (losses * balance).sum() / 2 + decay * weights.square().sum()
        total.backward()
        return total

    optimiser.step(closure)
    return weights.detach(), bias.detach()


def fit_last_layer(net: ActionNet, examples: ActionSet, seed: int) -> NDArray[np.float32]:
    """Solves the judge of a trained net; gives the logits (n,) of the held-out crops."""
    net.eval()
    rng = np.random.default_rng(seed)
    trained = np.flatnonzero(~examples.held_out)
    plain = [inner(crop) for crop in examples.crops[trained]]
    hard = [
        augmented(examples.crops[row], plain[int(rng.integers(len(plain)))], rng, HARDSHIPS)
        for row in trained
    ]
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in hard]
    seen = features_of(net, plain + mirrored)
    labels = torch.from_numpy(np.tile(examples.handling[trained], 2)).clamp(0.03, 0.97)
    held_out = features_of(net, [inner(crop) for crop in examples.crops[examples.held_out]])
    truth = examples.handling[examples.held_out] >= AT_WORK
    mean, deviation = seen.mean(0), seen.std(0).clamp_min(1e-3)
    scaled, checked = (seen - mean) / deviation, (held_out - mean) / deviation
    best = (-1.0, torch.zeros(seen.shape[1]), torch.zeros(()))
    for decay in DECAYS:
        weights, bias = logistic(scaled, labels, decay)
        ranked = average_precision(np.asarray(checked @ weights + bias, np.float32), truth)
        print(f"last layer: decay {decay:g}, average precision {ranked:.3f} on held-out crops", flush=True)
        if ranked > best[0]:
            best = (ranked, weights, bias)
    _, weights, bias = best
    with torch.no_grad():
        net.judge.weight.copy_((weights / deviation)[None])
        net.judge.bias.copy_(bias - (weights / deviation) @ mean)
    return np.asarray(checked @ weights + bias, np.float32)


@torch.inference_mode()
def features_of(net: ActionNet, pictures: list[NDArray[np.uint8]]) -> Tensor:
    """What the judge reads of crops without margin, (n, m)."""
    found = []
    for first in range(0, len(pictures), BATCH):
        batch = torch.from_numpy(as_batch(pictures[first : first + BATCH], INPUT_WH))
        with torch.autocast("cpu", torch.bfloat16):
            found.append(described(net.features(batch.to(memory_format=torch.channels_last).float()).float()))
    return torch.cat(found).clone()
