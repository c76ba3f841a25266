"""Trees and net together: on log1p, so that they meet in ratios and not in persons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleet.errors import FleetError
from fleet.forecast.boosted import Boosted, Settings
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import Fitted, ForecastModel
from fleet.forecast.series import Floats, Panel

NET_SHARE = 0.5
"""Chosen on beginnings before 2025 (`tagsight bench forecast --net`)."""


class Blend:
    """A `ForecastModel` of two."""

    def __init__(self, trees: ForecastModel, net: ForecastModel, share: float = NET_SHARE) -> None:
        self.name = f"{trees.name} and {net.name}"
        self._trees, self._net, self._share = trees, net, share

    def fit(self, history: Panel, calendar: KnownDays, days: int) -> FittedBlend:
        """Both learn from the same."""
        trees, net = (model.fit(history, calendar, days) for model in (self._trees, self._net))
        return FittedBlend(trees, net, self._share)


class FittedBlend(NamedTuple):
    """Both, fitted, and the share of the second."""

    trees: Fitted
    net: Fitted
    share: float

    def forecast(self, history: Panel, calendar: KnownDays, days: int) -> Floats:
        """See `Fitted.forecast`; where one knows an hour not, the other's stands."""
        trees = self.trees.forecast(history, calendar, days)
        return blended(trees, self.net.forecast(history, calendar, days), self.share)


def blended(trees: Floats, net: Floats, share: float) -> Floats:
    """(hours, series) each."""
    both = np.expm1((1 - share) * np.log1p(trees) + share * np.log1p(net))
    found: Floats = np.where(np.isnan(both), np.where(np.isnan(trees), net, trees), both)
    return found


def trees_and_net(settings: Settings | None = None) -> Blend:
    """The blend that is offered. Raises FleetError without torch."""
    try:
        import torch

        from fleet.forecast.wide_deep import WideDeep
    except ImportError as error:
        raise FleetError("the model blend needs pip install 'tagsight[forecast,train]'") from error
    torch.set_num_threads(1)
    return Blend(Boosted(settings), WideDeep())
