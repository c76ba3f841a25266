"""What each page shows: questions in, figures out. Run in a thread, for they read files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fleet.board import figures
from fleet.board import floor as floors
from fleet.board.asked import PageQuestions, Row, Shown
from fleet.board.coming import coming
from fleet.errors import FleetError

WEEK = 7
FORTNIGHT = 14
MOST_ARTICLES = 20
DEFAULT_MINUTES, MOST_MINUTES = 30, 1440
LAST_HOUR = 23


class Given(NamedTuple):
    """What the address says beside the page's name. `now_s` is UTC seconds."""

    site: str
    day: str
    now_s: float
    minutes: int = DEFAULT_MINUTES
    hour: int | None = None
    span: str = "day"
    all: bool = False
    forecast: Path | None = None
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], now_s: float) -> Given:
        """Raises FleetError for a number that is none."""
        minutes = _number(query.get("minutes", ""), "minutes", 1, MOST_MINUTES)
        hour = _number(query.get("hour", ""), "hour", 0, LAST_HOUR + 1)
        step = {"-1": -1, "1": 1}.get(query.get("step", ""), 0)
        return cls(
            query.get("site", ""),
            _stepped(query.get("day", ""), step),
            now_s,
            DEFAULT_MINUTES if minutes is None else minutes,
            None if hour is None or hour > LAST_HOUR else hour,
            "week" if query.get("span") == "week" else "day",
            query.get("all") == "1",
            text=query.get("q", ""),
        )


def _stepped(day: str, step: int) -> str:
    """So many days on; a day that is none is left for `shown` to refuse."""
    try:
        return (date.fromisoformat(day) + timedelta(days=step)).isoformat() if step else day
    except (ValueError, OverflowError):
        return day


def _number(text: str, name: str, least: int, most: int) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
        raise FleetError(f"{name}: {text!r} is wrong; a whole number from {least} to {most} would be right")
    return int(text)


def stores(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """All stores beside one another on one day."""
    day = about.day.isoformat()
    rows = asking.rows("stores", day, day)
    holes = {row["site"]: figures.seen([row]) for row in asking.rows("dws_coverage_day", day, day)}
    rows = sorted(rows, key=lambda row: (-row["entered"], row["site"]))
    silent = sorted(set(about.sites) - {row["site"] for row in rows})
    return {
        "rows": [(row, holes.get(row["site"], figures.seen([]))) for row in rows],
        "most": max((row["entered"] for row in rows), default=0) or 1,
        "sums": {
            key: figures.total(rows, key) for key in ("entered", "visitors", "handled", "tried_on", "bought")
        },
        "seen": _together([holes.get(row["site"]) for row in rows]),
        "silent": silent,
    }


def _together(each: list[figures.Seen | None]) -> figures.Seen:
    """Of several stores: not told where one of them has not told."""
    if not each or any(one is None or one.blind_s is None for one in each):
        return figures.Seen(None, None)
    known = [one for one in each if one is not None]
    return figures.Seen(
        round(sum(one.blind_s or 0.0 for one in known), 1), sum(one.missing or 0 for one in known)
    )


def day(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """One store on one day."""
    ask = _of(asking, about)
    footfall, visits = ask("footfall"), ask("visits")
    name = about.day.isoformat()
    ahead = coming(given.forecast, about.site, name, name).get(name, {})
    found = figures.hours(footfall, ask("occupancy"), ahead)
    stays = sum(row["stays"] for row in visits)
    store: Row = next(iter(ask("stores")), {})
    plan: Row = next(iter(ask("plan")), {})
    entrances: dict[str, list[Row]] = {}
    for row in footfall:
        entrances.setdefault(row["entrance"], []).append(row)
    return {
        "store": store,
        "plan": plan,
        "hours": found,
        "has_forecast": bool(ahead),
        "expected": sum(one["expected"] or 0.0 for one in ahead.values()) if ahead else None,
        "mean_stay_s": sum(row["stay_s"] or 0.0 for row in visits) / stays if stays else None,
        "most_at_once": max((one.persons_max for one in found if one.persons_max is not None), default=None),
        "entrances": [
            (
                door,
                sum(row["entered"] for row in rows),
                sum(row["went_out"] for row in rows),
                sum(row["blind_s"] or 0.0 for row in rows),
            )
            for door, rows in sorted(entrances.items())
        ],
        "dwell": sorted(ask("dwell"), key=lambda row: -row["dwell_s"]),
        "stages": _stages(ask("funnel")),
        "attributes": ask("attributes"),
        "seen": figures.seen(ask("dws_coverage_day")),
    }


def _stages(funnel: list[Row]) -> list[tuple[str, str, int]]:
    """Stage, its words, and how many times, all articles together."""
    if not funnel:
        return []
    return [(name, figures.STAGE_WORDS[name], figures.total(funnel, name) or 0) for name in figures.STAGES]


def week(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """Monday to Sunday, and the week before for comparison."""
    monday, sunday = about.week
    first, last = (monday - timedelta(days=WEEK)).isoformat(), sunday.isoformat()
    ask = _of(asking, about, first, last)
    ahead = coming(given.forecast, about.site, monday.isoformat(), last)
    by_day = {name: sum(one["expected"] or 0.0 for one in hours.values()) for name, hours in ahead.items()}
    found = figures.days(
        monday - timedelta(days=WEEK), 2 * WEEK, ask("stores"), ask("plan"), ask("dws_coverage_day"), by_day
    )
    before, now = found[:WEEK], found[WEEK:]
    told = [one for one in now if one.entered is not None]
    names = ("entered", "visitors", "handled", "tried_on", "bought")
    return {
        "days": now,
        "sums": {name: figures.total(now, name) for name in names},
        "change": {name: _change(before, now, name) for name in names},
        "planned": figures.total([one for one in told if one.plan_entered is not None], "plan_entered"),
        "seen": _together([one.seen for one in told]),
        "monday": monday,
        "sunday": sunday,
    }


def _change(before: Sequence[figures.ShopDay], now: Sequence[figures.ShopDay], name: str) -> float | None:
    """Percent more than the week before, by the days that are told in both."""
    pairs = [(getattr(one, name), getattr(two, name)) for one, two in zip(before, now, strict=True)]
    both = [(was, has) for was, has in pairs if was is not None and has is not None]
    was = sum(one for one, _ in both)
    return 100.0 * (sum(two for _, two in both) / was - 1) if was else None


def garments(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """Articles from the rack to the till, of the day or its week."""
    first, last = about.week if given.span == "week" else (about.day, about.day)
    days = first.isoformat(), last.isoformat()
    ask = _of(asking, about, *days)
    positions = ask("positions")
    places = {row["sku"]: row["zone_name"] for row in ask("dim_sku_zone")}
    funnel = ask("funnel")
    found = figures.articles(funnel, asking.rows("articles", *days), places)
    zones: dict[str, list[Row]] = {}
    for row in positions:
        zones.setdefault(row["zone_name"], []).append(row)
    return {
        "articles": found if given.all else found[:MOST_ARTICLES],
        "left_out": 0 if given.all else max(0, len(found) - MOST_ARTICLES),
        "stages": _stages(funnel),
        "most": max((one.seen_near for one in found), default=0) or 1,
        "zones": sorted(
            (
                (zone, *(figures.total(rows, stage) or 0 for stage in figures.STAGES))
                for zone, rows in zones.items()
            ),
            key=lambda row: -row[2],
        ),
        "has_others": len(about.sites) > 1,
        "seen": figures.seen(ask("dws_coverage_day")),
    }


def layout_of(asking: PageQuestions, about: Shown) -> str:
    """The plan that held on the day, else the newest; empty where none was told."""
    for last_day in (about.day.isoformat(), about.today.isoformat()):
        rows = asking.rows("layout", last_day=last_day, sites=(about.site,))
        if rows:
            return str(rows[0]["layout"])
    return ""


def floor(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """Where people spent their time and which ways they walked."""
    ask = _of(asking, about)
    layout = layout_of(asking, about)
    plan = floors.plan_of(layout) if layout else None
    zones = floors.warm_zones(plan, ask("heat"), given.hour)
    return {
        "plan": plan,
        "zones": zones,
        "most_s": max((zone.person_s for zone in zones), default=0.0),
        "ways": floors.ways(plan, ask("flow"), given.hour),
        "hour": given.hour,
        "seen": figures.seen(ask("dws_coverage_day")),
    }


def time_outs(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """What did not happen: as of now, or of a past day's end."""
    as_of_s = min(given.now_s, about.ends_s() + 60 * given.minutes)
    name = about.day.isoformat()

    def ask(question: str, first_day: str = name) -> list[Row]:
        return asking.rows(
            question, first_day, name, sites=(about.site,), minutes=given.minutes, now_s=as_of_s
        )

    return {
        "as_of_s": as_of_s,
        "unbought": sorted(ask("unbought"), key=lambda row: -row["end_s"]),
        "rooms": sorted(ask("rooms"), key=lambda row: row["start_s"]),
        "silent": sorted(ask("silent", "0000-01-01"), key=lambda row: row["last_s"]),
        "seen": figures.seen(asking.rows("dws_coverage_day", name, name, sites=(about.site,))),
    }


def quality(asking: PageQuestions, about: Shown, given: Given) -> dict[str, Any]:
    """How far two weeks can be relied on."""
    first = about.day - timedelta(days=FORTNIGHT - 1)
    ask = _of(asking, about, first.isoformat(), about.day.isoformat())
    facts = {row["local_day"]: row for row in ask("quality")}
    holes = {row["local_day"]: figures.seen([row]) for row in ask("dws_coverage_day")}
    devices = _of(asking, about)("dws_health_day")
    days = [first + timedelta(days=at) for at in range(FORTNIGHT)]
    return {
        "days": [
            (day, facts.get(day.isoformat(), {}), holes.get(day.isoformat(), figures.seen([])))
            for day in days
        ],
        "devices": devices,
        "seen": figures.seen(ask("dws_coverage_day")),
    }


def _of(asking: PageQuestions, about: Shown, first_day: str = "", last_day: str = "") -> Any:
    """Questions of the page's store, and its day unless others are given."""
    first, last = first_day or about.day.isoformat(), last_day or about.day.isoformat()

    def ask(name: str) -> list[Row]:
        return asking.rows(name, first, last, sites=(about.site,))

    return ask
