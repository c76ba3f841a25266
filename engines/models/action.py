"""The action net: MobileNetV2's first blocks and one number a person, is this one handling goods.

Input `images` [N, 3, 128, 96] float32, BGR, 0..255: a person's box grown by `GROWN_WH` of its size on every
side, because a reaching arm leaves the box. Output `handling` [N, 1]: a logit, 0 at the decision threshold.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.models.mobilenet import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR, ConvHead, blocks
from engines.models.reid import load_blocks

INPUT_WIDTH, INPUT_HEIGHT = 96, 128
GROWN_WH = (0.3, 0.12)
BLOCKS = 14
JOINTS = 8
"""Shoulders, elbows, wrists, hips: what the pose teacher's view of the person is kept of."""


class ActionNet(nn.Module):
    """Person crops to the logit of handling goods, and, for training only, where the joints are."""

    def __init__(self, channels: int = 192) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*blocks()[:BLOCKS])
        self.wide = ConvHead(96, channels)
        self.judge = nn.Linear(2 * channels, 1)
        cells = (INPUT_WIDTH // 16) * (INPUT_HEIGHT // 16)
        self.narrow = ConvHead(96, 16)
        self.joints = nn.Linear(16 * cells, 2 * JOINTS)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_BGR).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_BGR).view(1, 3, 1, 1))

    def features(self, images: Tensor) -> Tensor:
        """The map (N, 96, 8, 6) that both heads read."""
        shared: Tensor = self.trunk((images - self.mean) / self.std)
        return shared

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 1)."""
        return self.judged(self.features(images))

    def judged(self, features: Tensor) -> Tensor:
        """Logits (N, 1) of a map."""
        wide = self.wide(features)
        logits: Tensor = self.judge(torch.cat((wide.mean((2, 3)), wide.amax((2, 3))), 1))
        return logits

    def located(self, features: Tensor) -> Tensor:
        """Joints (N, 8, 2): x and y as shares of the crop."""
        return self.joints(self.narrow(features).flatten(1)).unflatten(1, (JOINTS, 2))

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take MobileNetV2's weights; the first filters turn from RGB to BGR."""
        state = {**state, "features.0.0.weight": state["features.0.0.weight"].flip(1)}
        load_blocks(self.trunk, state, 0)

    def move_threshold(self, logit: float) -> None:
        """Make this logit the new zero."""
        with torch.no_grad():
            self.judge.bias -= logit
