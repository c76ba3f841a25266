"""The action net: MobileNetV2's first blocks and one number a person, is this one handling goods.

Input `images` [N, 3, 128, 96] float32, BGR, 0..255: a person's box grown on every side (as much as
`engines.training.crops.action_pose.GROWN_WH` says), because a reaching arm leaves the box. Output `handling`
[N, 1]: a logit, 0 at the decision threshold.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.models.mobilenet import blocks
from engines.models.pixels import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR
from engines.models.reid import load_blocks

INPUT_WIDTH, INPUT_HEIGHT = 96, 128
BLOCKS = 14
CHANNELS = 96
MAP_WH = (INPUT_WIDTH // 16, INPUT_HEIGHT // 16)
GRID = 2
"""Cells of the map that are averaged along each side: where a hand is matters, to a quarter of the height."""

DESCRIBED = CHANNELS * (MAP_WH[0] // GRID) * (MAP_WH[1] // GRID) + CHANNELS


class ActionNet(nn.Module):
    """Person crops to the logit of handling goods."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*blocks()[:BLOCKS])
        self.judge = nn.Linear(DESCRIBED, 1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_BGR).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_BGR).view(1, 3, 1, 1))

    def features(self, images: Tensor) -> Tensor:
        """The map (N, 96, 8, 6)."""
        shared: Tensor = self.trunk((images - self.mean) / self.std)
        return shared

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 1)."""
        logits: Tensor = self.judge(described(self.features(images)))
        return logits

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take MobileNetV2's weights; the first filters turn from RGB to BGR."""
        state = {**state, "features.0.0.weight": state["features.0.0.weight"].flip(1)}
        load_blocks(self.trunk, state, 0)

    def move_threshold(self, logit: float) -> None:
        """Make this logit the new zero."""
        with torch.no_grad():
            self.judge.bias -= logit


def described(features: Tensor) -> Tensor:
    """What the judge reads of a map: the mean of every 2 x 2 cells, and each channel's largest response."""
    cells = functional.avg_pool2d(features, GRID).flatten(1)
    return torch.cat((cells, features.amax((2, 3))), 1)
