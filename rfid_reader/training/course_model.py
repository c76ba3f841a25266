"""The course network as torch trains it, its loss, and the running average of its weights."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rfid_reader.flips.course import COLUMNS, WINDOW_BINS, CourseNetwork
from rfid_reader.flips.features.link_bins import LINK_COLUMNS

Array = NDArray[np.float32]
ALPHA, FLIP_WEIGHT, LEAST_TICKS = 0.5, 6.0, 3
AVERAGED = 0.997


@dataclass(frozen=True)
class Widths:
    """Numbers of a network's layers, as CourseNetwork names them."""

    link: int
    code: int
    bin: int
    window: int
    share: int
    rack: int

    @classmethod
    def of(cls, network: CourseNetwork) -> Widths:
        return cls(*(len(getattr(network, f"{field.name}_bias")) for field in fields(cls)))


class CourseModel(nn.Module):  # type: ignore[misc, unused-ignore]
    """The CourseNetwork as torch trains it."""

    def __init__(self, widths: Widths, dropout: float = 0.06) -> None:
        super().__init__()
        self.dropout = dropout
        self.mean, self.scale = torch.zeros(COLUMNS), torch.ones(COLUMNS)
        self.link_mean, self.link_scale = torch.zeros(LINK_COLUMNS), torch.ones(LINK_COLUMNS)
        self.link = nn.Linear(LINK_COLUMNS, widths.link)
        self.code = nn.Linear(widths.link, widths.code)
        self.bin = nn.Linear(COLUMNS + 2 * widths.code, widths.bin)
        self.window = nn.Linear(WINDOW_BINS * widths.bin, widths.window)
        self.share = nn.Linear(widths.window, widths.share)
        self.rack = nn.Linear(widths.window + 2 * widths.share, widths.rack)
        self.last = nn.Linear(widths.rack, 1)

    def bins(self, columns: Tensor, place: Tensor, links: Tensor) -> Tensor:
        """(tags, bins, numbers) of columns (tags, bins, COLUMNS) and of links (m, LINK_COLUMNS) in the bins
        `place` (m,), tag * bins + bin."""
        value = ((columns - self.mean) / self.scale).clamp(-8, 8)
        link = ((links - self.link_mean) / self.link_scale).clamp(-6, 6)
        if self.training:
            value = functional.dropout(value, self.dropout)
            link = functional.dropout(link, 0.5 * self.dropout)
        code = functional.relu(self.code(functional.relu(self.link(link))))
        size = (columns.shape[0] * columns.shape[1], code.shape[1])
        total = torch.zeros(size).index_add(0, place, code)
        highest = torch.zeros(size).scatter_reduce(0, place[:, None].expand(-1, size[1]), code, "amax")
        codes = torch.cat([0.5 * total, highest], 1).view(*columns.shape[:2], -1)
        return functional.relu(self.bin(torch.cat([value, codes], 2)))

    def forward(self, columns: Tensor, place: Tensor, links: Tensor, group: Tensor, judged: Tensor) -> Tensor:
        """Logits of the judged (tags, ticks) in rising order; the bins are WINDOW_BINS - 1 more than the
        ticks."""
        bins = self.bins(columns, place, links)
        tag, tick = judged.nonzero(as_tuple=True)
        windows = bins[tag[:, None], tick[:, None] + torch.arange(WINDOW_BINS)].flatten(1)
        course = functional.relu(self.window(windows))
        rack = (group[tag, tick] + 1) * judged.shape[1] + tick
        shared = functional.relu(self.share(course))
        size = (int(rack.max()) + 1 if len(rack) else 1, shared.shape[1])
        highest = torch.zeros(size).scatter_reduce(0, rack[:, None].expand(-1, size[1]), shared, "amax")
        members = torch.zeros(size[0]).index_add(0, rack, torch.ones(len(rack))).clamp(min=1)
        mean = torch.zeros(size).index_add(0, rack, shared) / members[:, None]
        beside = functional.relu(self.rack(torch.cat([course, highest[rack], mean[rack]], 1)))
        logit: Tensor = self.last(beside)[:, 0]
        return logit

    @classmethod
    def of(cls, network: CourseNetwork, dropout: float) -> CourseModel:
        """A model that begins with the weights of a network, whatever its layers' widths."""
        model = cls(Widths.of(network), dropout)
        for name in ("mean", "scale", "link_mean", "link_scale"):
            setattr(model, name, torch.from_numpy(getattr(network, name).copy()))
        for name in ("link", "code", "bin", "window", "share", "rack", "last"):
            layer = getattr(model, name)
            weight = np.ascontiguousarray(getattr(network, f"{name}_weight").T)
            layer.weight = nn.Parameter(torch.from_numpy(weight))
            layer.bias = nn.Parameter(torch.from_numpy(getattr(network, f"{name}_bias").copy()))
        return model

    def exported(self) -> CourseNetwork:
        """The same network for numpy."""
        arrays: dict[str, Array] = {}
        for field in fields(CourseNetwork):
            layer, _, part = field.name.partition("_")
            if part in ("weight", "bias"):
                tensor = getattr(getattr(self, layer), part).detach()
            else:
                tensor = getattr(self, field.name)
            arrays[field.name] = np.ascontiguousarray((tensor.T if part == "weight" else tensor).numpy())
        return CourseNetwork(**arrays)


def grown(network: CourseNetwork, more: Widths, seed: int) -> CourseNetwork:
    """The same network with `more` units beside those that it has, which change nothing until they are
    trained: they read at random (He's uniform start), and nothing that was there reads them."""
    rng = np.random.default_rng(seed)
    have = Widths.of(network)
    old = {field.name: getattr(network, field.name) for field in fields(CourseNetwork)}

    def blocks(inputs: list[tuple[int, int]], name: str, outputs: int, silent: bool = False) -> None:
        """Widen a layer: blocks of (old, new) inputs; silent: new inputs count nothing for new outputs
        too."""
        weight, bias = old[f"{name}_weight"], old[f"{name}_bias"]
        rows = sum(was + new for was, new in inputs)
        reach = math.sqrt(1.0 / rows)
        wide = rng.uniform(-reach, reach, (rows, weight.shape[1] + outputs)).astype(np.float32)
        if silent:
            wide[:] = 0
        at_old = at_new = 0
        for was, new in inputs:
            wide[at_new : at_new + was, : weight.shape[1]] = weight[at_old : at_old + was]
            wide[at_new + was : at_new + was + new, : weight.shape[1]] = 0
            at_old, at_new = at_old + was, at_new + was + new
        old[f"{name}_weight"] = wide
        old[f"{name}_bias"] = np.concatenate([bias, np.zeros(outputs, np.float32)])

    blocks([(LINK_COLUMNS, 0)], "link", more.link)
    blocks([(have.link, more.link)], "code", more.code)
    blocks([(COLUMNS, 0), (have.code, more.code), (have.code, more.code)], "bin", more.bin)
    blocks([(have.bin, more.bin)] * WINDOW_BINS, "window", more.window)
    blocks([(have.window, more.window)], "share", more.share)
    shared = [(have.share, more.share)] * 2
    blocks([(have.window, more.window), *shared], "rack", more.rack)
    blocks([(have.rack, more.rack)], "last", 0, silent=True)
    return replace(network, **old)


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
