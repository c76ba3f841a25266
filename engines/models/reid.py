"""The re-identification net: a light multi-granularity net over MobileNetV2's first blocks.

Layout, as in the Multiple Granularity Network (Wang et al. 2018): a shared trunk up to stride 16, then three
branches with blocks of their own. One looks at the whole person, one at the upper and lower half, one at
thirds. Every part is pooled and described for itself, so that relations between parts count.

Input `images` [N, 3, 144, 64] float32, BGR, 0..255, a person's box stretched to that size. Output `embedding`
[N, 512] of length 1: the branches, each of length 1, weighted so that the cosine of two embeddings is half
the global one and a quarter of either local one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.models.mobilenet import ConvHead, blocks
from engines.models.pixels import IMAGENET_MEAN_BGR, IMAGENET_STD_BGR

INPUT_WIDTH, INPUT_HEIGHT = 64, 144
TRUNK_BLOCKS, BRANCH_BLOCKS = 11, 14
"""The trunk is blocks 0 to 10 (64 channels), each branch has its own 11 to 13 (96 channels); stride 16."""


@dataclass(frozen=True)
class Granularity:
    """A branch: into how many stripes it cuts the person, features of each, and its weight in the cosine."""

    stripes: int
    features: int
    weight: float


GRANULARITIES = (Granularity(1, 192, 0.5), Granularity(2, 64, 0.25), Granularity(3, 64, 0.25))
GLOBAL_FEATURES = GRANULARITIES[0].features
EMBEDDING = sum(each.stripes * each.features for each in GRANULARITIES)


class Branch(nn.Module):
    """Blocks of its own, then a description of each stripe from its mean and its largest responses."""

    def __init__(self, own: nn.Sequential, granularity: Granularity, channels: int = 256) -> None:
        super().__init__()
        self.own = own
        self.wide = ConvHead(96, channels)
        self.stripes = granularity.stripes
        self.describe = nn.ModuleList(
            nn.Linear(2 * channels, granularity.features) for _ in range(granularity.stripes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, stripes * features), of length 1."""
        parts = [describe(part) for describe, part in zip(self.describe, self.pooled(x), strict=True)]
        return functional.normalize(torch.cat(parts, 1), dim=1)

    def pooled(self, x: Tensor) -> list[Tensor]:
        """Mean and largest responses of every stripe, (N, 2 * channels) each."""
        rows = self.wide(self.own(x)).chunk(self.stripes, dim=2)
        return [torch.cat((part.mean((2, 3)), part.amax((2, 3))), 1) for part in rows]


class EmbedderNet(nn.Module):
    """Person crops to embeddings."""

    def __init__(self) -> None:
        super().__init__()
        made = blocks()
        self.trunk = nn.Sequential(*made[:TRUNK_BLOCKS])
        own = nn.Sequential(*made[TRUNK_BLOCKS:BRANCH_BLOCKS])
        self.branches = nn.ModuleList(Branch(copy.deepcopy(own), each) for each in GRANULARITIES)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_BGR).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_BGR).view(1, 3, 1, 1))

    def views(self, images: Tensor) -> list[Tensor]:
        """What each branch says (N, features), each of length 1."""
        shared = self.trunk((images - self.mean) / self.std)
        return [branch(shared) for branch in self.branches]

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings (N, 512)."""
        return fused(self.views(images))

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take MobileNetV2's weights for trunk and branches; the first filters turn from RGB to BGR."""
        state = {**state, "features.0.0.weight": state["features.0.0.weight"].flip(1)}
        load_blocks(self.trunk, state, 0)
        for branch in self.branches:
            load_blocks(branch.own, state, TRUNK_BLOCKS)


def load_blocks(target: nn.Sequential, state: dict[str, Tensor], first: int) -> None:
    """Fill a row of MobileNetV2 blocks that begins at block `first` of the whole net."""
    for index, block in enumerate(target):
        prefix = f"features.{first + index}."
        block.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})


def fused(views: list[Tensor]) -> Tensor:
    """One embedding from the branches' views; its length is 1 because the weights sum to 1."""
    weighted = [view * each.weight**0.5 for view, each in zip(views, GRANULARITIES, strict=True)]
    return torch.cat(weighted, 1)


def local(views: list[Tensor]) -> Tensor:
    """The part branches alone, as one embedding of length 1."""
    return functional.normalize(torch.cat(views[1:], 1), dim=1)
