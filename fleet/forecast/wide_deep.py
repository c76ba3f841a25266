"""The published net for many series: a wide side of attributes and calendar, a deep one of 28 days (torch).

It is offered in a blend with the trees only (`blend`): alone it is worse than they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.errors import FleetError
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import repeated, weekly
from fleet.forecast.series import DAY, WEEK, Floats, Panel, quietly

DEEP_HOURS = 672
DEEP_WEEKS = DEEP_HOURS // WEEK
STABLE_WEEKS = 8
STRIDE_DAYS = 3
LEAST_AHEAD_DAYS = 14
WEIGHTS_KEPT = 0.98
MOST_ROWS = 8_000
"""Of windows that are learnt from: with many entrances each has its turn in some of the beginnings only."""


class NetRecipe(NamedTuple):
    """The steps of the published ablation. `fold`: `none` (672 hours), `cut` (the last 168), `dilated` (672 x
    1 folded into 168 x 4); `residual`: the usual week is added at the end; `averaged`: weights are an
    exponential average over the steps; `holidays`: a day's pattern is learnt for each holiday, ours."""

    fold: str = "dilated"
    residual: bool = True
    averaged: bool = True
    holidays: bool = True
    steps: int = 400
    batch: int = 96
    hidden: int = 32
    rate: float = 3e-3


class Windows(NamedTuple):
    """Forecasts to learn from: (rows, 672) hours before, (rows, 7) of the wide side, (rows,) series and
    weekday, (rows, days) holidays, (rows, hours) usual week and truth, all over the series' level."""

    deep: Tensor
    wide: Tensor
    series: Tensor
    weekday: Tensor
    holiday: Tensor
    stable: Tensor
    truth: Tensor


class WideDeepNet(nn.Module):
    """One net for all series, hour by hour to the end of the horizon."""

    def __init__(self, recipe: NetRecipe, series: int, holidays: int, days: int) -> None:
        super().__init__()
        self.recipe = recipe
        channels = 4 if recipe.fold == "dilated" else 1
        self.fold = nn.Conv1d(1, channels, DEEP_WEEKS, dilation=WEEK)
        self.bent = nn.PReLU(channels)
        self.deep = nn.LSTM(channels, recipe.hidden, batch_first=True)
        self.who, self.weekday = nn.Embedding(series, 8), nn.Embedding(7, 4)
        self.wide = nn.Sequential(nn.Linear(8 + 4 + 7, 64), nn.PReLU(), nn.Linear(64, recipe.hidden))
        self.ahead = nn.Sequential(nn.Linear(2 * recipe.hidden, 96), nn.PReLU(), nn.Linear(96, days * DAY))
        with torch.no_grad():
            self.ahead[2].weight.mul_(0.1)
            self.ahead[2].bias.zero_()
        self.holiday = nn.Embedding(holidays, DAY, padding_idx=0)
        nn.init.zeros_(self.holiday.weight)
        self.out = nn.PReLU()

    def forward(self, of: Windows) -> Tensor:
        """(rows, hours) over the series' level."""
        if self.recipe.fold == "dilated":
            folded = self.bent(self.fold(of.deep[:, None])).transpose(1, 2)
        else:
            folded = of.deep[:, -WEEK if self.recipe.fold == "cut" else 0 :, None]
        hidden = self.deep(folded)[0][:, -1]
        wide = self.wide(torch.cat([self.who(of.series), self.weekday(of.weekday), of.wide], 1))
        told = self.ahead(torch.cat([hidden, wide], 1))
        if self.recipe.residual:
            told = told + of.stable
        if self.recipe.holidays:
            told = told + self.holiday(of.holiday).flatten(1) * of.stable
        found: Tensor = self.out(told)
        return found


class WideDeep:
    """A `ForecastModel`."""

    def __init__(self, recipe: NetRecipe | None = None, seed: int = 0) -> None:
        self.name = "wide_deep"
        self._recipe, self._seed = recipe or NetRecipe(), seed

    def fit(self, history: Panel, calendar: KnownDays, days: int) -> FittedNet:
        """Learns from forecasts that begin every third day, up to two weeks before the end. Raises FleetError
        where there is none."""
        recipe = self._recipe
        starts = range(DEEP_HOURS // DAY, history.days - LEAST_AHEAD_DAYS, STRIDE_DAYS)
        if not starts:
            least = DEEP_HOURS // DAY + LEAST_AHEAD_DAYS + 1
            raise FleetError(f"{history.days} days are too few for the net to learn from; {least} are needed")
        drawing = np.random.default_rng(self._seed)
        each = min(len(history.names), max(1, MOST_ROWS // max(1, len(starts))))
        every = []
        for start in starts:
            columns = np.sort(drawing.choice(len(history.names), each, replace=False))
            every.append(window(history, calendar, start, days, columns))
        rows = Windows(*(torch.cat(parts) for parts in zip(*every, strict=True)))
        torch.manual_seed(self._seed)
        codes = int(calendar.days(history.first_day, history.days + days + 400).holiday.max()) + 1
        net = WideDeepNet(recipe, len(history.names), codes, days)
        optimiser = torch.optim.Adam(net.parameters(), recipe.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, recipe.steps, pct_start=0.1)
        drawn = torch.Generator().manual_seed(self._seed)
        kept: dict[str, Tensor] = {}
        for step in range(recipe.steps):
            chosen = torch.randint(len(rows.series), (recipe.batch,), generator=drawn)
            some = Windows(*(part[chosen] for part in rows))
            is_told = ~torch.isnan(some.truth)
            error = functional.l1_loss(net(some), torch.nan_to_num(some.truth), reduction="none") * is_told
            loss = (error.sum(0) / is_told.sum(0).clamp(min=1)).mean()  # each hour of the horizon by itself
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            share = min(WEIGHTS_KEPT, (1 + step) / (10 + step))
            for name, value in net.state_dict().items():
                kept[name] = kept.get(name, value) * share + value * (1 - share)
        if recipe.averaged:
            net.load_state_dict(kept)
        return FittedNet(net)


class FittedNet(NamedTuple):
    """A trained net."""

    net: WideDeepNet

    def forecast(self, history: Panel, calendar: KnownDays, days: int) -> Floats:
        """See `Fitted.forecast`."""
        of = window(history, calendar, history.days, days, np.arange(len(history.names)))
        self.net.eval()
        with torch.no_grad():
            found: Floats = self.net(of).numpy().T.astype(float) * _level(history.counts[-DEEP_HOURS:])
        found = np.maximum(0, found)
        found[np.isnan(repeated(weekly(history.counts, STABLE_WEEKS), days))] = np.nan
        found[np.repeat(calendar.days(history.first_day + history.days, days).is_closed, DAY)] = 0
        return found


def window(
    history: Panel, calendar: KnownDays, start: int, days: int, columns: npt.NDArray[np.intp]
) -> Windows:
    """What is known on day `start` of some columns of a panel, a row each, and what came.

    Days on which the shops were shut say nothing.
    """
    everything = history.counts[:, columns].copy()
    is_shut = np.repeat(calendar.days(history.first_day, history.days).is_closed, DAY)
    everything[is_shut] = np.nan
    counts = everything[: start * DAY]
    level = _level(counts[-DEEP_HOURS:])
    usual = weekly(counts, DEEP_WEEKS)
    last = counts[-DEEP_HOURS:]
    deep = np.where(np.isnan(last), np.tile(usual, (DEEP_WEEKS, 1)), last)
    known = calendar.days(history.first_day, start + days)
    ordinary = counts.copy()
    ordinary[np.repeat(known.holiday[:start] > 0, DAY)] = np.nan
    stable = repeated(weekly(ordinary, STABLE_WEEKS), days)
    turn = 2 * np.pi * known.day_of_year[start] / 365.25
    season = np.array([np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)])
    by_week = np.log1p(quietly(np.nanmean, last.reshape(DEEP_WEEKS, WEEK, -1), axis=1)) - np.log1p(level)
    wide = np.concatenate([np.tile(season, (len(level), 1)), np.nan_to_num(by_week[1:]).T], 1)
    truth = np.full((days * DAY, len(level)), np.nan)
    come = everything[start * DAY : (start + days) * DAY]
    truth[: len(come)] = come

    def scaled(values: Floats) -> Tensor:
        return torch.from_numpy((values / level).T.astype(np.float32))

    def numbers(values: npt.NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(values.astype(np.int64))

    return Windows(
        torch.nan_to_num(scaled(deep)),
        torch.from_numpy(wide.astype(np.float32)),
        numbers(columns),
        numbers(np.full(len(columns), known.weekday[start])),
        numbers(np.tile(known.holiday[start:], (len(columns), 1))),
        torch.nan_to_num(scaled(stable)),
        scaled(truth),
    )


def _level(counts: Floats) -> Floats:
    """(series,): mean of what was counted, at least a little."""
    return np.maximum(np.nan_to_num(quietly(np.nanmean, counts)), 0.1)
