"""The course network as torch trains it, its loss, and the running average of its weights."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rfid_reader.flips.course import COLUMNS, WINDOW_BINS, CourseNetwork

BIN, COURSE, SHARE, RACK = 24, 64, 16, 32
DROPOUT = 0.08
ALPHA, FLIP_WEIGHT, LEAST_TICKS = 0.5, 6.0, 3
AVERAGED = 0.998


class CourseModel(nn.Module):  # type: ignore[misc, unused-ignore]
    """The CourseNetwork as torch trains it: the window as a convolution."""

    def __init__(self, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> None:
        super().__init__()
        self.mean, self.scale = torch.from_numpy(mean), torch.from_numpy(scale)
        self.bin = nn.Conv1d(COLUMNS, BIN, 1)
        self.window = nn.Conv1d(BIN, COURSE, WINDOW_BINS)
        self.share = nn.Linear(COURSE, SHARE)
        self.rack = nn.Linear(COURSE + 2 * SHARE, RACK)
        self.last = nn.Linear(RACK, 1)
        nn.init.constant_(self.last.bias, -3.0)

    def forward(self, columns: Tensor, group: Tensor, judged: Tensor) -> Tensor:
        """Logits of the judged (tags, ticks) in rising order, of columns (tags, WINDOW_BINS - 1 + ticks,
        COLUMNS)."""
        value = ((columns - self.mean) / self.scale).clamp(-8, 8)
        if self.training:
            value = functional.dropout(value, DROPOUT)
        value = functional.relu(self.bin(value.transpose(1, 2)))
        value = functional.relu(self.window(value)).transpose(1, 2)
        tag, tick = judged.nonzero(as_tuple=True)
        course = value[tag, tick]
        rack = (group[tag, tick] + 1) * judged.shape[1] + tick
        shared = functional.relu(self.share(course))
        racks = int(rack.max()) + 1 if len(rack) else 1
        place = rack[:, None].expand(-1, SHARE)
        highest = torch.zeros(racks, SHARE).scatter_reduce(0, place, shared, "amax")
        size = torch.zeros(racks).index_add(0, rack, torch.ones(len(rack))).clamp(min=1)
        mean = torch.zeros(racks, SHARE).index_add(0, rack, shared) / size[:, None]
        value = functional.relu(self.rack(torch.cat([course, highest[rack], mean[rack]], 1)))
        logit: Tensor = self.last(value)[:, 0]
        return logit

    def exported(self) -> CourseNetwork:
        """The same network for numpy."""
        window = self.window.weight.permute(2, 1, 0).reshape(WINDOW_BINS * BIN, COURSE)
        tensors = [self.mean, self.scale, self.bin.weight[..., 0].T, self.bin.bias, window, self.window.bias]
        for layer in (self.share, self.rack, self.last):
            tensors += [layer.weight.T, layer.bias]
        return CourseNetwork(*(tensor.detach().numpy().copy() for tensor in tensors))


def loss_of(logit: Tensor, flip: Tensor, tag: Tensor) -> Tensor:
    """Of each logit, its flip (0: none, -1: does not count) and its tag's number. Ticks without a flip count
    alike; of a flip, ALPHA of the loss is that of its ticks (long and short flips weigh the same) and the
    rest that of its best tick, because a flip is found by one."""
    loss, within = functional.softplus(logit[flip == 0]).sum(), flip > 0
    if within.any():
        inside = logit[within]
        _, place, ticks = torch.unique(
            flip[within] * 10_000 + tag[within], return_inverse=True, return_counts=True
        )
        weight = (FLIP_WEIGHT / ticks.float().clamp(min=LEAST_TICKS))[place]
        best = torch.full((len(ticks),), -30.0).scatter_reduce(0, place, inside, "amax")
        loss = loss + ALPHA * (weight * functional.softplus(-inside)).sum()
        loss = loss + (1 - ALPHA) * FLIP_WEIGHT * functional.softplus(-best).sum()
    return loss


class Average:
    """The mean of a model's weights over the last steps, each step weighing AVERAGED of the next: what ships,
    because single steps of the last epochs differ by more than they learn."""

    def __init__(self, model: CourseModel) -> None:
        self.model = copy.deepcopy(model)

    def add(self, model: CourseModel) -> None:
        for mine, newest in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.data.mul_(AVERAGED).add_(newest.detach(), alpha=1 - AVERAGED)
