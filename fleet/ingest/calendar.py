"""Local day and hour of a moment, by the time zone of a shop."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fleet.errors import FleetError

QUARTER_S = 900
"""Every zone's offset from UTC is a multiple of a quarter of an hour since 1972 or so."""
MAX_REMEMBERED = 50_000


def zone_of(name: str) -> tzinfo:
    """Raises FleetError for a name that is no time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FleetError(f"{name!r} is no time zone; give an IANA name such as Asia/Shanghai") from error


class Calendar:
    """The time zones of all shops; UTC for one that has not told its own yet."""

    def __init__(self) -> None:
        self._zones: dict[str, tzinfo] = {}
        self._known: dict[tuple[str, int], tuple[str, int]] = {}

    def set_zone(self, site: str, zone: tzinfo) -> None:
        self._zones[site] = zone
        self._known.clear()

    def local(self, site: str, time_s: float) -> tuple[str, int]:
        """Day as YYYY-MM-DD, and hour. Raises ValueError for a moment that no calendar has."""
        quarter = (site, int(time_s // QUARTER_S))
        found = self._known.get(quarter)
        if found is None:
            found = self._known[quarter] = self._find(site, quarter[1] * QUARTER_S)
            if len(self._known) > MAX_REMEMBERED:
                self._known.clear()
        return found

    def _find(self, site: str, time_s: int) -> tuple[str, int]:
        try:
            local = datetime.fromtimestamp(time_s, self._zones.get(site, timezone.utc))
        except (OverflowError, OSError) as error:
            raise ValueError(f"no calendar has the moment {time_s:g}") from error
        return local.strftime("%Y-%m-%d"), local.hour
