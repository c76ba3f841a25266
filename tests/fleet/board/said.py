"""What `tagsight fleet answers` says, as the board's pages should show it; written without their code."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from click.testing import CliRunner

from fleet.cli import fleet

SCRIPT = """() => {
  const found = {}, text = (node) => node.textContent.trim().replace(/\\s+/g, " ");
  const single = [".figures", ".funnel", "[data-seen]"].map((one) => `${one} [data-value]`).join();
  for (const one of document.querySelectorAll(single))
    found[one.dataset.value] = text(one);
  for (const table of document.querySelectorAll("table[id]"))
    for (const row of table.querySelectorAll("[data-row]"))
      for (const cell of row.querySelectorAll("[data-value]"))
        found[`${table.id} ${row.dataset.row} ${cell.dataset.value}`] = text(cell);
  return found;
}"""
STAGES = ("seen_near", "handled", "tried_on", "bought")
COUNTS = ("entered", "visitors", "handled", "tried_on", "bought")


class Said:
    """Questions put to one warehouse by the command line, of one store and day unless others are given."""

    def __init__(self, db: Path, site: str, day: str, timezone: str) -> None:
        self.db, self.site, self.day, self.zone = db, site, day, ZoneInfo(timezone)

    def ask(
        self, name: str, first: str = "", last: str = "", *more: str, all_sites: bool = False
    ) -> list[Any]:
        days = ["--from", first or self.day, "--to", last or first or self.day]
        which = [] if all_sites else ["--site", self.site]
        command = ["answers", name, "--db", str(self.db), *which, *days, *more, "--json"]
        result = CliRunner().invoke(fleet, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return list(json.loads(result.output)["rows"])

    def clock(self, at_s: float) -> str:
        at = datetime.fromtimestamp(at_s, self.zone)
        return f"{at:%H:%M}" if f"{at:%Y-%m-%d}" == self.day else f"{at.day} {at:%b %H:%M}"

    def seen(self, first: str = "", last: str = "") -> dict[str, str]:
        return _seen(self.ask("dws_coverage_day", first, last))

    def stores(self) -> dict[str, str]:
        rows = self.ask("stores", all_sites=True)
        holes = {row["site"]: _seen([row]) for row in self.ask("dws_coverage_day", all_sites=True)}
        found = {key: _count(sum(row[key] for row in rows)) for key in COUNTS}
        found |= _seen(self.ask("dws_coverage_day", all_sites=True))
        for row in rows:
            shown = {key: _count(row[key]) for key in COUNTS} | holes[row["site"]]
            per_100 = row["bought_per_100_entered"]
            shown["bought_per_100_entered"] = "\N{EN DASH}" if per_100 is None else str(per_100)
            found |= {f"stores {row['site']} {key}": value for key, value in shown.items()}
        return found

    def of_day(self) -> dict[str, str]:
        (store,) = self.ask("stores")
        found = {key: _count(store[key]) for key in COUNTS} | self.seen()
        funnel = self.ask("funnel")
        found |= {stage: _count(sum(row[stage] for row in funnel)) for stage in STAGES}
        visits = self.ask("visits")
        stays = sum(row["stays"] for row in visits)
        found["mean_stay"] = _span(sum(row["stay_s"] or 0 for row in visits) / stays)
        most = {
            row["local_hour"]: row["persons_max"] for row in self.ask("occupancy") if not row["zone_name"]
        }
        found["most_at_once"] = _count(max(most.values()))
        by_hour, by_door = defaultdict(list), defaultdict(list)
        for row in self.ask("footfall"):
            by_hour[row["local_hour"]].append(row)
            by_door[row["entrance"]].append(row)
        for hour, rows in by_hour.items():
            is_blind = sum(row["blind_intervals"] for row in rows) == sum(row["intervals"] for row in rows)
            shown = {
                "entered": "?" if is_blind else _count(sum(row["entered"] for row in rows)),
                "left": "?" if is_blind else _count(sum(row["went_out"] for row in rows)),
                "persons_max": _count(most.get(hour)),
                "blind": "not seen"
                if is_blind
                else _span(round(sum(row["blind_s"] or 0 for row in rows), 1)),
            }
            found |= {f"hours {hour} {key}": value for key, value in shown.items()}
        for door, rows in by_door.items():
            found[f"entrances {door} entered"] = _count(sum(row["entered"] for row in rows))
            found[f"entrances {door} left"] = _count(sum(row["went_out"] for row in rows))
            found[f"entrances {door} blind"] = _span(sum(row["blind_s"] or 0 for row in rows))
        for row in self.ask("dwell"):
            name = f"dwell {row['zone_name']}"
            found |= {f"{name} {key}": _count(row[key]) for key in ("stays", "visitors")}
            found[f"{name} mean"] = _span(row["dwell_s"] / row["stays"])
        for row in self.ask("attributes"):
            name = f"{row['entrance']} {row['attribute_name']} {row['class_name']}"
            found[f"attributes {name} persons"] = _count(row["persons"])
        return found

    def week(self, days: Sequence[str]) -> dict[str, str]:
        stores = {row["local_day"]: row for row in self.ask("stores", days[0], days[-1])}
        plans = {row["local_day"]: row for row in self.ask("plan", days[0], days[-1])}
        holes = {row["local_day"]: row for row in self.ask("dws_coverage_day", days[0], days[-1])}
        found = {key: _count(sum(row[key] for row in stores.values())) for key in COUNTS}
        found |= _seen([holes[day] for day in stores])
        for day in days:
            row = stores.get(day, dict.fromkeys(COUNTS))
            shown = {key: _count(row[key]) for key in COUNTS}
            shown["plan_entered"] = _count(plans.get(day, {}).get("plan_entered"))
            shown |= _seen([holes[day]] if day in holes else [], "\N{EN DASH}")
            found |= {f"days {day} {key}": value for key, value in shown.items()}
        return found

    def garments(self) -> dict[str, str]:
        funnel = self.ask("funnel")
        found = {stage: _count(sum(row[stage] for row in funnel)) for stage in STAGES} | self.seen()
        everywhere = {row["sku"]: row for row in self.ask("articles", all_sites=True)}
        order = sorted(
            funnel, key=lambda row: (-row["handled"], -row["bought"], -row["seen_near"], row["sku"])
        )
        for row in order[:20]:
            others = {stage: everywhere[row["sku"]][stage] - row[stage] for stage in STAGES}
            shown = {stage: _count(row[stage]) for stage in STAGES}
            shown["share"] = _share(row["handled"], row["seen_near"])
            shown["elsewhere"] = _share(others["handled"], others["seen_near"])
            found |= {f"articles {row['sku']} {key}": value for key, value in shown.items()}
        for row in self.ask("positions"):
            shown = {stage: _count(row[stage]) for stage in STAGES}
            shown["share"] = _share(row["handled"], row["seen_near"])
            found |= {f"zones {row['zone_name']} {key}": value for key, value in shown.items()}
        return found

    def floor(self, hour: int | None = None) -> dict[str, str]:
        zones: Counter[str] = Counter()
        for row in self.ask("heat"):
            zones[row["zone_name"]] += row["person_s"] if hour in (None, row["local_hour"]) else 0
        ways: Counter[str] = Counter()
        for row in self.ask("flow"):
            if hour in (None, row["local_hour"]):
                ways[f"{row['origin']}>{row['destination']}"] += row["transitions"]
        found = {f"zones {name} person_s": _span(round(total, 1)) for name, total in zones.items()}
        shown = sorted((item for item in ways.items() if item[1]), key=lambda item: (-item[1], item[0]))
        found |= {f"ways {way} transitions": _count(count) for way, count in shown[:12]}
        return found | self.seen()

    def time_outs(self, minutes: int, now_s: float) -> dict[str, str]:
        more = ("--minutes", str(minutes), "--now", str(now_s))
        unbought, rooms = (self.ask(name, "", "", *more) for name in ("unbought", "rooms"))
        silent = self.ask("silent", "0000-01-01", self.day, *more)
        found = {"unbought": str(len(unbought)), "rooms": str(len(rooms)), "silent": str(len(silent))}
        for row in unbought:
            shown = {"sku": row["sku"], "end": self.clock(row["end_s"]), "due": self.clock(row["due_s"])}
            found |= {f"unbought {row['fact_key']} {key}": value for key, value in shown.items()}
        for row in rooms:
            shown = {"sku": row["sku"], "start": self.clock(row["start_s"])}
            found |= {f"rooms {row['fact_key']} {key}": value for key, value in shown.items()}
        for row in silent:
            found[f"silent {row['device']} {row['process']} last"] = self.clock(row["last_s"])
        return found | self.seen()

    def quality(self, days: Sequence[str]) -> dict[str, str]:
        facts = {row["local_day"]: row for row in self.ask("quality", days[0], days[-1])}
        holes = {row["local_day"]: row for row in self.ask("dws_coverage_day", days[0], days[-1])}
        found = _seen(list(holes.values()))
        for day in days:
            row = facts.get(day, {})
            shown = {"facts": _count(row.get("facts")), "late": _count(row.get("late"))}
            shown |= _seen([holes[day]] if day in holes else [], "\N{EN DASH}")
            found |= {f"days {day} {key}": value for key, value in shown.items()}
        for row in self.ask("dws_health_day"):
            name = f"devices {row['device']} {row['process']}"
            found |= {f"{name} {key}": _count(row[key]) for key in ("reports", "not_well")}
        return found


def _seen(rows: Sequence[Any], none: str = "") -> dict[str, str]:
    if not rows:
        return {"blind": none, "lost": none} if none else {}
    blind_s = round(sum(row["blind_s"] or 0 for row in rows), 1)
    return {"blind": _span(blind_s), "lost": _count(sum(row["missing_events"] or 0 for row in rows))}


def _count(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:,.0f}".replace(",", " ")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _share(part: float, whole: float) -> str:
    if not whole:
        return "\N{EN DASH}"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"
