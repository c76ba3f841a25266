"""The answers from the raw lines alone, in plain Python: what the warehouse's tables are compared with.

It shares nothing with how lines are taken in, not even the reading of a time zone, and holds everything in
memory. A table's rows are tuples in the order of its columns.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Row: TypeAlias = tuple[Any, ...]
Facts: TypeAlias = dict[str, list[dict[str, Any]]]
WELL = ("live", "ok")
DAY_S = 86_400


def answers(path: Path) -> dict[str, set[Row]]:
    """Every table's rows by its name. Lines that are no events are left out."""
    facts = _holding(path)
    return _Answers(facts).all()


def _holding(path: Path) -> Facts:
    """Of every fact the highest revision; of those that claim the same one, the first to come."""
    best: dict[Row, dict[str, Any]] = {}
    with path.open("rb") as file:
        for line in file:
            fact = _read(line)
            if fact is None:
                continue
            name = (fact["kind"], fact["site"], fact.get("device", ""), fact["key"])
            known = best.get(name)
            if known is None or fact.get("rev", 0) > known.get("rev", 0):
                best[name] = fact
            elif fact.get("rev", 0) == known.get("rev", 0) and _told(fact) == _told(known):
                known["received_s"] = min(known.get("received_s", 0), fact.get("received_s", 0))
    facts: Facts = defaultdict(list)
    for fact in best.values():
        if not fact.get("retracted", False):
            facts[fact["kind"]].append(fact)
    return facts


def _told(fact: dict[str, Any]) -> dict[str, Any]:
    """What it says, whenever and under whichever number it came."""
    return {name: value for name, value in fact.items() if name not in ("received_s", "seq", "stream", "id")}


NEEDED = {"visit": ("visitor", "direction"), "footfall": ("entered",), "mood": ("nothing",)}


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        fact = json.loads(line)
    except ValueError:
        return None
    if any(field not in fact for field in NEEDED.get(fact["kind"], ())) or fact.get("time_s", 0) > 1e15:
        return None
    return dict(fact)


class _Answers:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        newest: dict[str, tuple[float, str]] = {}
        for fact in facts["store"]:
            told = fact["time_s"], fact["timezone"]
            newest[fact["site"]] = max(newest.get(fact["site"], told), told)
        self.zones = {site: ZoneInfo(name) for site, (_, name) in newest.items()}

    def all(self) -> dict[str, set[Row]]:
        found = {name[4:]: getattr(self, name)() for name in dir(self) if name.startswith("the_")}
        return {name: {tuple(row) for row in rows} for name, rows in found.items()}

    def day_hour(self, fact: dict[str, Any]) -> tuple[str, int]:
        begins_s = fact.get("start_s", fact.get("enter_s", fact.get("time_s")))
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=float(begins_s or 0.0))
        local = moment.astimezone(self.zones.get(fact["site"], timezone.utc))
        return local.date().isoformat(), local.hour

    def day(self, fact: dict[str, Any]) -> Row:
        return fact["site"], self.day_hour(fact)[0]

    def hour(self, fact: dict[str, Any]) -> Row:
        return fact["site"], *self.day_hour(fact)

    def grouped(self, kind: str, *fields: str, hourly: bool = False) -> dict[Row, list[dict[str, Any]]]:
        groups: dict[Row, list[dict[str, Any]]] = defaultdict(list)
        for fact in self.facts[kind]:
            place = self.hour(fact) if hourly else self.day(fact)
            group = (*place, *(fact[field] for field in fields))
            groups[group].append(fact)
        return groups

    def the_dws_footfall_hour(self) -> Iterable[Row]:
        for place, group in self.grouped("footfall", "entrance", hourly=True).items():
            blind_s = sum(one["blind_s"] for fact in group for one in fact["coverage"])
            blind = sum(fact["quality"] == "blind" for fact in group)
            counts = sum(fact["entered"] for fact in group), sum(fact["left"] for fact in group)
            yield *place, *counts, len(group), blind, blind_s

    def the_dws_visit_hour(self) -> Iterable[Row]:
        for place, group in self.grouped("visit", "entrance", hourly=True).items():
            stays = [fact["stay_s"] for fact in group if fact["stay_s"] is not None]
            came_in = sum(fact["direction"] == "in" for fact in group)
            yield *place, came_in, len(group) - came_in, len(stays), sum(stays) if stays else None

    def the_dws_visitor_day(self) -> Iterable[Row]:
        for place, group in self.grouped("visit").items():
            yield *place, len({fact["visitor"] for fact in group})

    def the_dws_dwell_zone_day(self) -> Iterable[Row]:
        for place, group in self.grouped("dwell", "zone").items():
            visitors = len({fact["visitor"] for fact in group})
            yield *place, len(group), visitors, sum(fact["dwell_s"] for fact in group)

    def the_dws_flow_hour(self) -> Iterable[Row]:
        for place, group in self.grouped("flow", "origin", "destination", hourly=True).items():
            yield *place, sum(fact["transitions"] for fact in group)

    def the_dws_heat_hour(self) -> Iterable[Row]:
        heat: dict[Row, float] = defaultdict(float)
        for fact in self.facts["heatmap"]:
            for zone, person_s in fact["zones"].items():
                place = (*self.hour(fact), zone)
                heat[place] += person_s
        return ((*place, person_s) for place, person_s in heat.items())

    def the_dws_occupancy_hour(self) -> Iterable[Row]:
        for place, group in self.grouped("occupancy", "zone", hourly=True).items():
            lengths = [fact["end_s"] - fact["start_s"] for fact in group]
            means = [fact["persons_mean"] for fact in group]
            person_s = sum(mean * length for mean, length in zip(means, lengths, strict=True))
            most = max(fact["persons_max"] for fact in group)
            yield *place[:3], place[3] or "", most, person_s, sum(lengths)

    def the_dws_match_day(self) -> Iterable[Row]:
        who = {(one["site"], one.get("device", ""), one["flip"]): one for one in self.facts["interaction"]}
        for place, group in self.grouped("flip").items():
            found = [who.get((one["site"], one.get("device", ""), one["key"])) for one in group]
            told = [one for one in found if one is not None]
            visitors = [one["visitor"] for one in told if one["visitor"] is not None]
            surely = sum(one["probability"] for one in told) if told else None
            yield *place, len(group), len(visitors), len(set(visitors)), surely

    def stages(self) -> dict[Row, list[int]]:
        counts: dict[Row, list[int]] = defaultdict(lambda: [0, 0, 0])
        for at, kind in enumerate(("flip", "tryon", "sale")):
            for fact in self.facts[kind]:
                if fact["sku"] is not None:
                    place = (*self.day(fact), fact["sku"])
                    counts[place][at] += fact.get("quantity", 1)
        return counts

    def the_dws_sku_stage_day(self) -> Iterable[Row]:
        return ((*place, *counts) for place, counts in self.stages().items())

    def the_dim_sku_zone(self) -> Iterable[Row]:
        newest: dict[Row, dict[str, Any]] = {}
        for fact in self.facts["store"]:
            box = fact["site"], fact["device"]
            if box not in newest or fact["time_s"] > newest[box]["time_s"]:
                newest[box] = fact
        zones: dict[Row, set[str]] = defaultdict(set)
        for fact in newest.values():
            for fixture in fact["fixtures"]:
                if fixture["zone"] is not None:
                    zones[fact["site"], fixture["name"]].add(fixture["zone"])
        for stock in self.facts["stock"]:
            for zone in zones[stock["site"], stock["fixture"]]:
                yield stock["site"], zone, stock["sku"]

    def seen_near(self) -> dict[Row, set[str]]:
        articles: dict[Row, set[str]] = defaultdict(set)
        for site, zone, sku in self.the_dim_sku_zone():
            articles[site, zone].add(sku)
        seen: dict[Row, set[str]] = defaultdict(set)
        for fact in self.facts["dwell"]:
            if fact["dwell_s"] >= 5:
                for sku in articles[fact["site"], fact["zone"]]:
                    place = (*self.day(fact), sku)
                    seen[place].add(fact["visitor"])
        return seen

    def the_dws_sku_view_day(self) -> Iterable[Row]:
        return ((*place, len(visitors)) for place, visitors in self.seen_near().items())

    def the_ads_funnel_day(self) -> Iterable[Row]:
        seen, stages = self.seen_near(), self.stages()
        for place in {*seen, *stages}:
            yield *place, len(seen.get(place, ())), *stages.get(place, (0, 0, 0))

    def the_dws_attribute_day(self) -> Iterable[Row]:
        for place, group in self.grouped("attributes", "entrance", "attribute").items():
            counts: dict[str, int] = defaultdict(int)
            for fact in group:
                for name, persons in fact["counts"].items():
                    counts[name] += persons if persons >= 20 else 0
            yield from ((*place, name, persons) for name, persons in counts.items() if persons)

    def the_dws_coverage_day(self) -> Iterable[Row]:
        holes: dict[Row, list[float]] = defaultdict(lambda: [0.0, 0])
        for fact in self.facts["heatmap"]:
            holes[self.day(fact)][0] += sum(one["blind_s"] for one in fact["coverage"])
        for fact in self.facts["gap"]:
            ranges = fact["ranges"] or [[fact["from_seq"], fact["to_seq"]]]
            holes[self.day(fact)][1] += sum(last - first + 1 for first, last in ranges)
        return ((*place, *both) for place, both in holes.items())

    def the_dws_health_day(self) -> Iterable[Row]:
        for place, group in self.grouped("health", "device", "process").items():
            site, day, device, process = place
            not_well = sum(fact["state"] not in WELL for fact in group)
            last_s = max(fact["time_s"] for fact in group)
            yield site, device, day, process, len(group), not_well, last_s

    def the_dws_lateness_day(self) -> Iterable[Row]:
        counts: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
        for kind in ("footfall", "visit", "dwell", "flip", "tryon"):
            for fact in self.facts[kind]:
                count = counts[self.day(fact)]
                count[0] += 1
                count[1] += fact.get("received_s", 0) - fact["time_s"] > 900
        return ((*place, *both) for place, both in counts.items())

    def the_ads_plan_day(self) -> Iterable[Row]:
        entered: dict[Row, int] = defaultdict(int)
        for fact in self.facts["footfall"]:
            entered[self.day(fact)] += fact["entered"]
        sold: dict[Row, int] = defaultdict(int)
        for place, counts in self.stages().items():
            sold[place[:2]] += counts[2]
        for plan in self.facts["plan"]:
            place = plan["site"], plan["day"]
            yield *place, plan["entered"], entered.get(place), plan["sold"], sold.get(place)

    def the_ads_tryon_end(self) -> Iterable[Row]:
        sold: dict[Row, list[float]] = defaultdict(list)
        for fact in self.facts["sale"]:
            sold[fact["site"], fact["sku"]].append(fact["time_s"])
        handled: dict[Row, list[float]] = defaultdict(list)
        for fact in self.facts["flip"]:
            handled[fact["site"], fact["epc"]].append(fact["start_s"])
        for fact in self.facts["tryon"]:
            start_s, end_s = fact["start_s"], fact["end_s"]
            if end_s >= start_s + DAY_S:
                continue
            ends = [
                min((one for one in times if end_s <= one < end_s + DAY_S), default=None)
                for times in (sold[fact["site"], fact["sku"]], handled[fact["site"], fact["epc"]])
            ]
            where = fact["site"], fact["device"], fact["key"], self.day(fact)[1]
            what = fact["sku"], fact["epc"], fact["room"], start_s, end_s, int(fact["open"])
            yield *where, *what, *ends
