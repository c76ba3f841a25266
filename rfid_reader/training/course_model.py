"""The course network as torch trains it, its loss, and the running average of its weights."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rfid_reader.flips.course import COLUMNS, WINDOW_BINS, CourseNetwork

BIN, SHARE, RACK = 24, 16, 32
ALPHA, FLIP_WEIGHT, LEAST_TICKS = 0.5, 6.0, 3
AVERAGED = 0.998
ALIKE = ("mean", "scale")


class CourseModel(nn.Module):  # type: ignore[misc, unused-ignore]
    """The CourseNetwork as torch trains it: the window as a convolution."""

    def __init__(
        self, mean: NDArray[np.float32], scale: NDArray[np.float32], course: int = 64, dropout: float = 0.08
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.mean, self.scale = torch.from_numpy(mean), torch.from_numpy(scale)
        self.bin = nn.Conv1d(COLUMNS, BIN, 1)
        self.window = nn.Conv1d(BIN, course, WINDOW_BINS)
        self.share = nn.Linear(course, SHARE)
        self.rack = nn.Linear(course + 2 * SHARE, RACK)
        self.last = nn.Linear(RACK, 1)
        nn.init.constant_(self.last.bias, -3.0)

    def forward(self, columns: Tensor, group: Tensor, judged: Tensor) -> Tensor:
        """Logits of the judged (tags, ticks) in rising order, of columns (tags, WINDOW_BINS - 1 + ticks,
        COLUMNS)."""
        value = ((columns - self.mean) / self.scale).clamp(-8, 8)
        if self.training:
            value = functional.dropout(value, self.dropout)
        value = functional.relu(self.bin(value.transpose(1, 2)))
        tag, tick = judged.nonzero(as_tuple=True)
        course = functional.relu(self._windows(value, tag, tick))
        rack = (group[tag, tick] + 1) * judged.shape[1] + tick
        shared = functional.relu(self.share(course))
        racks = int(rack.max()) + 1 if len(rack) else 1
        share = shared.shape[1]
        place = rack[:, None].expand(-1, share)
        highest = torch.zeros(racks, share).scatter_reduce(0, place, shared, "amax")
        size = torch.zeros(racks).index_add(0, rack, torch.ones(len(rack))).clamp(min=1)
        mean = torch.zeros(racks, share).index_add(0, rack, shared) / size[:, None]
        value = functional.relu(self.rack(torch.cat([course, highest[rack], mean[rack]], 1)))
        logit: Tensor = self.last(value)[:, 0]
        return logit

    def _windows(self, bins: Tensor, tag: Tensor, tick: Tensor) -> Tensor:
        """The window's layer before its ReLU at the judged places only, of bins (tags, numbers, ticks)."""
        places = tick[:, None] + torch.arange(WINDOW_BINS)
        windows = bins.transpose(1, 2)[tag[:, None], places].transpose(1, 2)
        weight = self.window.weight
        return functional.linear(windows.flatten(1), weight.flatten(1), self.window.bias)

    @classmethod
    def of(cls, network: CourseNetwork, dropout: float) -> CourseModel:
        """A model that begins with the weights of a network, whatever its layers' widths."""
        model = cls(network.mean, network.scale, len(network.window_bias), dropout)
        bins, course = network.bin_weight.shape[1], len(network.window_bias)
        window = network.window_weight.reshape(WINDOW_BINS, bins, course).transpose(2, 1, 0)
        weights = {
            "bin": (network.bin_weight.T[..., None], network.bin_bias),
            "window": (window, network.window_bias),
            "share": (network.share_weight.T, network.share_bias),
            "rack": (network.rack_weight.T, network.rack_bias),
            "last": (network.last_weight.T, network.last_bias),
        }
        for name, (weight, bias) in weights.items():
            layer = getattr(model, name)
            layer.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(weight)))
            layer.bias = nn.Parameter(torch.from_numpy(bias.copy()))
        return model

    def exported(self) -> CourseNetwork:
        """The same network for numpy."""
        window = self.window.weight.permute(2, 1, 0).reshape(-1, len(self.window.bias))
        tensors = [self.mean, self.scale, self.bin.weight[..., 0].T, self.bin.bias, window, self.window.bias]
        for layer in (self.share, self.rack, self.last):
            tensors += [layer.weight.T, layer.bias]
        return CourseNetwork(*(tensor.detach().numpy().copy() for tensor in tensors))


def loss_of(logit: Tensor, flip: Tensor, tag: Tensor, calm_weight: Tensor | None = None) -> Tensor:
    """Of each logit, its flip (0: none, -1: does not count) and its tag's number. Ticks without a flip count
    alike, or by `calm_weight`; of a flip, ALPHA of the loss is that of its ticks (long and short flips weigh
    the same) and the rest that of its best tick, because a flip is found by one."""
    calm, within = flip == 0, flip > 0
    unwanted = functional.softplus(logit[calm])
    loss = unwanted.sum() if calm_weight is None else (unwanted * calm_weight[calm]).sum()
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


def merged(members: list[CourseNetwork]) -> CourseNetwork:
    """One network whose log-odds are the mean of the members': their layers side by side. They must take
    columns standardised alike, as those do that were trained on the same recordings."""
    first = members[0]
    if any(not np.array_equal(getattr(one, name), getattr(first, name)) for one in members for name in ALIKE):
        raise ValueError("the networks to merge were trained on different recordings")
    bins, shares = (
        [one.bin_weight.shape[1] for one in members],
        [one.share_weight.shape[1] for one in members],
    )
    courses = [one.window_weight.shape[1] for one in members]
    window = np.zeros((WINDOW_BINS, sum(bins), sum(courses)), np.float32)
    rack = np.zeros((sum(courses) + 2 * sum(shares), sum(len(one.rack_bias) for one in members)), np.float32)
    share = np.zeros((sum(courses), sum(shares)), np.float32)
    at_bin = at_course = at_share = at_rack = 0
    for one, of_bin, of_course, of_share in zip(members, bins, courses, shares, strict=True):
        course = slice(at_course, at_course + of_course)
        of_rack = slice(at_rack, at_rack + len(one.rack_bias))
        window[:, at_bin : at_bin + of_bin, course] = one.window_weight.reshape(
            WINDOW_BINS, of_bin, of_course
        )
        share[course, at_share : at_share + of_share] = one.share_weight
        rack[course, of_rack] = one.rack_weight[:of_course]
        for place in (0, 1):
            row = sum(courses) + place * sum(shares) + at_share
            mine = of_course + place * of_share
            rack[row : row + of_share, of_rack] = one.rack_weight[mine : mine + of_share]
        at_bin, at_course, at_share = at_bin + of_bin, at_course + of_course, at_share + of_share
        at_rack = of_rack.stop
    return CourseNetwork(
        mean=first.mean,
        scale=first.scale,
        bin_weight=np.concatenate([one.bin_weight for one in members], axis=1),
        bin_bias=np.concatenate([one.bin_bias for one in members]),
        window_weight=window.reshape(-1, sum(courses)),
        window_bias=np.concatenate([one.window_bias for one in members]),
        share_weight=share,
        share_bias=np.concatenate([one.share_bias for one in members]),
        rack_weight=rack,
        rack_bias=np.concatenate([one.rack_bias for one in members]),
        last_weight=np.concatenate([one.last_weight for one in members]) / np.float32(len(members)),
        last_bias=np.mean([one.last_bias for one in members], axis=0, dtype=np.float32),
    )
