"""What is known of days to come: public holidays, and days on which the shops are shut."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError

FARTHEST_DAYS = 6
"""How near a holiday is matters so far."""


class Days(NamedTuple):
    """Of each day: weekday (0 Monday), day of the year, which holiday (0 none), days since the nearest one
    (negative: until it; at most `FARTHEST_DAYS`), whether the shops are shut."""

    day: npt.NDArray[np.datetime64]
    weekday: npt.NDArray[np.intp]
    day_of_year: npt.NDArray[np.intp]
    holiday: npt.NDArray[np.intp]
    since_holiday: npt.NDArray[np.intp]
    is_closed: npt.NDArray[np.bool_]


class KnownDays:
    """`holidays`: the name of each; what bears one name is taken to be the same day of another year."""

    def __init__(self, holidays: Mapping[date, str] | None = None, closed: Collection[date] = ()) -> None:
        self._holidays = {np.datetime64(day, "D"): name for day, name in (holidays or {}).items()}
        self._codes = {name: 1 + number for number, name in enumerate(sorted({*self._holidays.values()}))}
        self._closed = np.array(sorted(closed), "datetime64[D]")

    def days(self, first: np.datetime64, count: int) -> Days:
        """`count` days from `first` on."""
        day = first.astype("datetime64[D]") + np.arange(count)
        known = np.array(sorted(self._holidays), "datetime64[D]")
        if len(known):
            distance = (day[:, None] - known).astype(int)
            since = distance[np.arange(count), np.abs(distance).argmin(1)]
        else:
            since = np.full(count, FARTHEST_DAYS)
        return Days(
            day,
            (day.astype(int) + 3) % 7,
            (day - day.astype("datetime64[Y]")).astype(int),
            np.array([self._codes.get(self._holidays.get(one, ""), 0) for one in day], int),
            np.clip(since, -FARTHEST_DAYS, FARTHEST_DAYS),
            np.isin(day, self._closed),
        )


def of_country(
    country: str | None, subdivision: str | None, years: range, closed: Collection[date] = ()
) -> KnownDays:
    """Public holidays of a country (ISO 3166) or a part of it. Raises FleetError for an unknown one."""
    if country is None:
        return KnownDays(closed=closed)
    try:
        import holidays
    except ImportError as error:
        raise FleetError(
            "holidays need the package of that name; pip install 'tagsight[forecast]'"
        ) from error
    try:
        found = holidays.country_holidays(country, subdiv=subdivision, years=years)
    except NotImplementedError as error:
        place = country if subdivision is None else f"{country} {subdivision}"
        raise FleetError(
            f"no holidays are known of {place!r}; give ISO 3166 codes such as NZ and AUK"
        ) from error
    return KnownDays({day: found[day] for day in found}, closed)
