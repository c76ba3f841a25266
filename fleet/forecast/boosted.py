"""Boosted trees on the residual to the usual week: one model for all series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.forecast.calendar import KnownDays
from fleet.forecast.features import HOLIDAY, NAMES, SERIES, SHARED, Past, past, table
from fleet.forecast.series import DAY, WEEK, Floats, Panel

OLDEST_WEEKS = 20
"""A series with fewer is forecast by what the others taught of series as young as it."""


class Settings(NamedTuple):
    """`rows`: hours that are learnt from, drawn evenly from beginnings `stride_days` apart."""

    rounds: int = 200
    leaves: int = 31
    rate: float = 0.06
    smallest_leaf: int = 200
    rows: int = 200_000
    stride_days: int = 11
    first_weeks: int = 8
    threads: int = 1


class Boosted:
    """Learns log1p(count) less the base of `features`, by absolute error.

    `known_weeks`: learns as if each series had only so many weeks behind it and were met for the first time.
    """

    def __init__(self, settings: Settings | None = None, known_weeks: int | None = None) -> None:
        self.name = "lightgbm"
        self._settings = settings or Settings()
        self._known_weeks = known_weeks

    def fit(self, history: Panel, calendar: KnownDays, days: int) -> FittedTrees:
        """Raises FleetError without the extra `forecast`, or where the past is too short to learn from."""
        try:
            import lightgbm
        except ImportError as error:
            raise FleetError("the model lightgbm needs pip install 'tagsight[forecast]'") from error
        settings = self._settings
        starts = range(history.days - 7, settings.first_weeks * 7 - 1, -settings.stride_days)
        if not starts:
            raise FleetError(
                f"{history.days} days are too few to learn from; {settings.first_weeks * 7 + 7} are needed"
            )
        drawn = np.random.default_rng(0)
        each = max(1, settings.rows // (len(starts) * len(history.names)))
        is_shut = np.repeat(calendar.days(history.first_day, history.days).is_closed, DAY)
        counts = np.where(is_shut[:, None], np.nan, history.counts)
        seen, wanted = [], []
        for start in starts:
            ahead = min(days, history.days - start)
            hours = np.sort(drawn.choice(ahead * DAY, min(each, ahead * DAY), replace=False))
            of, rows = self._seen(counts[: start * DAY], history.first_day, calendar, ahead, hours)
            residual = np.log1p(counts[start * DAY + hours]) - of.base[hours % WEEK]
            is_told = ~np.isnan(residual)
            seen.append(rows[is_told].astype(np.float32))
            wanted.append(residual[is_told])
        options: dict[str, Any] = {
            "objective": "l1",
            "learning_rate": settings.rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.smallest_leaf,
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "cat_smooth": 30,
            "num_threads": settings.threads,
            "deterministic": True,
            "force_row_wise": True,
            "seed": 0,
            "verbosity": -1,
        }
        categories: Sequence[int] = [HOLIDAY] if self._known_weeks else [SERIES, HOLIDAY]
        data = lightgbm.Dataset(
            np.concatenate(seen),
            np.concatenate(wanted),
            feature_name=[f"{number}" for number in range(len(NAMES))],
            categorical_feature=list(categories),
            params={"verbosity": -1},
        )
        return FittedTrees(self, lightgbm.train(options, data, settings.rounds))

    def _seen(
        self,
        counts: Floats,
        first_day: np.datetime64,
        calendar: KnownDays,
        days: int,
        hours: npt.NDArray[np.intp],
    ) -> tuple[Past, Floats]:
        of = past(young(counts, self._known_weeks), first_day, calendar, days)
        rows = table(of, hours)
        if self._known_weeks is not None:
            rows[..., SERIES] = np.nan
            rows[..., SHARED] = table(past(counts, first_day, calendar, days), hours)[..., SHARED]
        return of, rows

    def forecast_with(self, trees: Any, history: Panel, calendar: KnownDays, days: int) -> Floats:
        """See `Fitted.forecast`."""
        shut = np.repeat(calendar.days(history.first_day, history.days + days).is_closed, DAY)
        counts = np.where(shut[: len(history.counts), None], np.nan, history.counts)
        hours = np.arange(days * DAY)
        of, rows = self._seen(counts, history.first_day, calendar, days, hours)
        told = trees.predict(rows.reshape(-1, len(NAMES)).astype(np.float32)).reshape(rows.shape[:2])
        found: Floats = np.maximum(0, np.expm1(told + of.base[hours % WEEK]))
        found[shut[len(history.counts) :]] = 0
        return found


class FittedTrees(NamedTuple):
    """Trees, and how they want their series seen."""

    model: Boosted
    trees: Any

    def forecast(self, history: Panel, calendar: KnownDays, days: int) -> Floats:
        """See `Fitted.forecast`."""
        return self.model.forecast_with(self.trees, history, calendar, days)


def young(counts: Floats, weeks: int | None) -> Floats:
    """The same, with all but the last `weeks` missing; None: as it is."""
    if weeks is None:
        return counts
    found: Floats = counts.copy()
    found[: max(0, len(counts) - weeks * WEEK)] = np.nan
    return found
