"""The person detector: Tiny-DarkNet, pyramid pooling, a fusion path with deconvolutions, an anchor-free head.

Layout (channels of the default width, stride in brackets)::

    stem 16 [2] - 32 [4] - 96 [8] - 192 [16] - 320 [32] - SPP joined with its input
                             |         |                   |
                             +--<------+--<---deconv---<---+      top down
                             +-->------+-->---stride 2-->--+      bottom up
                           head      head                head

Every block is Tiny-DarkNet's pair of a 1 x 1 squeeze and a 3 x 3 expansion; activations are ReLU, so that the
net survives 8-bit quantisation and runs fast on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
PIXEL_SCALE = 1.0 / 255.0


@dataclass(frozen=True)
class DetectorWidth:
    """Channel counts of the net; `backbone` lists strides 2, 4, 8, 16, 32 and stays within 512."""

    backbone: tuple[int, int, int, int, int] = (16, 32, 96, 192, 320)
    squeeze: tuple[int, int, int, int] = (16, 32, 48, 64)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    neck: int = 64
    head: int = 64


WIDTHS = {
    "full": DetectorWidth(),
    "lite-deep": DetectorWidth((16, 32, 64, 128, 256), (16, 32, 32, 64), (0, 1, 3, 2), neck=32, head=32),
    "lite": DetectorWidth((16, 32, 64, 128, 256), (16, 32, 32, 64), (0, 1, 1, 1), neck=32, head=32),
}
"""The nets that are trained. `lite` begins as `lite-deep` without the blocks that add least."""


class ConvUnit(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class DeconvUnit(nn.Sequential):
    """Doubles the resolution with a learned 2 x 2 transposed convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class SqueezeExpand(nn.Module):
    """Tiny-DarkNet's squeeze and expansion, added to what came in."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.squeeze = ConvUnit(channels, squeeze, 1)
        self.expand = ConvUnit(squeeze, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.expand(self.squeeze(x))


class TinyDarkNet(nn.Module):
    """The backbone; gives the features at strides 8, 16 and 32."""

    def __init__(self, width: DetectorWidth) -> None:
        super().__init__()
        channels = width.backbone
        self.stem = ConvUnit(3, channels[0], 3, 2)
        self.stages = nn.ModuleList()
        for level in range(4):
            blocks = [
                SqueezeExpand(channels[level + 1], width.squeeze[level]) for _ in range(width.blocks[level])
            ]
            self.stages.append(nn.Sequential(ConvUnit(channels[level], channels[level + 1], 3, 2), *blocks))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stages[0](self.stem(x))
        stride_8 = self.stages[1](x)
        stride_16 = self.stages[2](stride_8)
        return stride_8, stride_16, self.stages[3](stride_16)


class PyramidPooling(nn.Module):
    """Spatial pyramid pooling (windows 5, 9, 13 as a chain of 5s), joined with what the backbone gave."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ConvUnit(inputs, outputs, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.merge = ConvUnit(inputs + 3 * outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = self.pool(self.reduce(x))
        middle = self.pool(near)
        return self.merge(torch.cat((x, near, middle, self.pool(middle)), 1))


class Fusion(nn.Module):
    """Merges the levels: deconvolutions on the way down to stride 8, strided convolutions on the way back."""

    def __init__(self, width: DetectorWidth) -> None:
        super().__init__()
        _, _, stride_8, stride_16, stride_32 = width.backbone
        neck = width.neck
        self.pooling = PyramidPooling(stride_32, neck * 2)
        self.lateral_16 = ConvUnit(stride_16, neck, 1)
        self.lateral_8 = ConvUnit(stride_8, neck, 1)
        self.up_16 = DeconvUnit(neck * 2, neck)
        self.merge_16 = ConvUnit(neck, neck, 3)
        self.up_8 = DeconvUnit(neck, neck)
        self.merge_8 = ConvUnit(neck, neck, 3)
        self.down_16 = ConvUnit(neck, neck, 3, 2)
        self.join_16 = ConvUnit(neck * 2, neck, 3)
        self.down_32 = ConvUnit(neck, neck, 3, 2)
        self.join_32 = ConvUnit(neck * 3, neck, 3)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        stride_8, stride_16, stride_32 = features
        top = self.pooling(stride_32)
        middle = self.merge_16(self.lateral_16(stride_16) + self.up_16(top))
        fine = self.merge_8(self.lateral_8(stride_8) + self.up_8(middle))
        middle = self.join_16(torch.cat((middle, self.down_16(fine)), 1))
        coarse = self.join_32(torch.cat((top, self.down_32(middle)), 1))
        return fine, middle, coarse


class DetectionHead(nn.Module):
    """Distances to the four sides (log of strides) and one score logit for each cell of a level."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.trunk = ConvUnit(inputs, channels, 3)
        self.predict = nn.Conv2d(channels, 5, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        assert self.predict.bias is not None
        with torch.no_grad():
            self.predict.bias.copy_(torch.tensor([1.0, 1.5, 1.0, 1.5, -4.6]))

    def forward(self, x: Tensor) -> Tensor:
        return self.predict(self.trunk(x))


class DetectorNet(nn.Module):
    """Images [N, 3, H, W] (BGR, 0..255; H and W multiples of 32) to predictions [N, A, 5].

    A runs over strides 8, 16, 32, row-major. Columns: distances in pixels from the cell's centre to the
    left, top, right and bottom side, then the score: a logit from `raw`, a probability from `forward`.
    """

    def __init__(self, width: DetectorWidth | None = None) -> None:
        super().__init__()
        self.width = width or DetectorWidth()
        self.pixel_scale = PIXEL_SCALE
        self.backbone = TinyDarkNet(self.width)
        self.fusion = Fusion(self.width)
        self.heads = nn.ModuleList([DetectionHead(self.width.neck, self.width.head) for _ in STRIDES])

    def raw(self, images: Tensor) -> Tensor:
        """Distances in pixels and score logits: [N, A, 5]."""
        return self.raw_and_features(images)[0]

    def raw_and_features(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """What `raw` gives, and the merged features at strides 8, 16, 32 that the heads stand on."""
        levels = self.fusion(self.backbone(images if self.pixel_scale == 1.0 else images * self.pixel_scale))
        return torch.cat(self._columns(levels), 1).transpose(1, 2), levels

    def forward(self, images: Tensor) -> Tensor:
        levels = self.fusion(self.backbone(images if self.pixel_scale == 1.0 else images * self.pixel_scale))
        distances, logits = self._columns(levels)
        return torch.cat((distances, logits.sigmoid()), 1).transpose(1, 2)

    def _columns(self, levels: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Distances [N, 4, A] and score logits [N, 1, A]: planes are cheaper to join than rows of five."""
        distances, logits = [], []
        for head, level, stride in zip(self.heads, levels, STRIDES, strict=True):
            cells = head(level).flatten(2).float()
            distances.append(torch.exp(cells[:, :4].clamp(max=6.0)) * stride)
            logits.append(cells[:, 4:])
        return torch.cat(distances, 2), torch.cat(logits, 2)
