"""What happens in one made-up shop over some days: facts as its box tells them, and sales of its tills.

Everything that the contract allows happens: corrections, withdrawals that are taken back, interactions that
change their visitor, facts that move to another day, blind cameras, lost events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timezone

from msgspec.structs import replace

from contract.facts import (
    Attributes,
    Cell,
    Coverage,
    Fact,
    Flow,
    Footfall,
    Heatmap,
    Occupancy,
    ProcessHealth,
    Store,
)
from contract.gaps import Gap
from contract.people import tellable
from fleet.ingest.records import DayPlan, Stock
from fleet.load.diary import DAY_S, HOUR_S, QUARTER_S, Made
from fleet.load.journeys import Journeys
from fleet.load.layout import layout

CAMERAS = ("cam1", "cam2")


class ShopDays(Journeys):
    """Makes everything that one shop's box and tills tell."""

    def run(self) -> list[Made]:
        """Everything, in no order."""
        self._setup()
        for day in range(self.days):
            self._day(self.start_s + day * DAY_S + (self.shop.opens - self.shop.offset_h) * HOUR_S, day)
        return self.made

    def _setup(self) -> None:
        shop = self.shop
        told = Store(
            key=f"store:{round(self.start_s)}",
            time_s=self.start_s,
            timezone=shop.timezone,
            revision="a",
            **layout(self.zones, self.entrances),
        )
        self._add(self.start_s, replace(told, timezone="UTC") if self._chance(0.15) else told)
        later_s = self.start_s + 0.4 * DAY_S
        self._add(later_s, replace(told, key=f"store:{round(later_s)}", time_s=later_s, revision="b"))
        for sku in self.skus:
            key = f"{sku}/rack"
            stock = Stock(site=shop.site, key=key, sku=sku, fixture=f"rack {self.zone_of[sku]}", quantity=9)
            self._add(self.start_s + 60, stock)
            if self._chance(0.05):
                other = self.rng.choice(self.zones)
                self._add(self.start_s + 40_000, replace(stock, rev=1, fixture=f"rack {other}"))

    def _day(self, open_s: float, day: int) -> None:
        rng = self.rng
        entered: Counter[tuple[int, str]] = Counter()
        flows: Counter[tuple[int, str, str]] = Counter()
        heat: dict[int, Counter[str]] = defaultdict(Counter)
        for _ in range(int(self.shop.visitors * rng.uniform(0.8, 1.2))):
            self._visitor(open_s, entered, flows, heat)
        self._footfalls(open_s, entered)
        self._flows(open_s, flows)
        self._heat(open_s, heat)
        self._aggregates(open_s, sum(entered.values()))
        self._health(self.start_s + day * DAY_S)
        if self._chance(0.2):
            at_s = open_s + rng.random() * 9 * HOUR_S
            first = rng.randrange(1, 10**6)
            ranges = ((first, first + 2), (first + 5, first + 9))
            self._add(
                at_s,
                Gap(
                    key=f"gap/{first}",
                    time_s=at_s,
                    from_seq=first,
                    to_seq=first + 9,
                    why="full",
                    ranges=ranges,
                ),
            )
        name = _day_name(self.start_s + day * DAY_S)
        plan = DayPlan(site=self.shop.site, key=f"plan/{name}", day=name, entered=self.shop.visitors, sold=9)
        self._add(self.start_s, plan)
        if self._chance(0.3):
            self._add(
                open_s, replace(plan, rev=1, entered=self.shop.visitors + 10, retracted=self._chance(0.2))
            )

    def _coverage(self) -> tuple[Coverage, ...]:
        return tuple(
            Coverage(camera, 9.7, round(self.rng.uniform(0, 90), 2) if self._chance(0.1) else 0.0, 10.0)
            for camera in CAMERAS
        )

    def _footfalls(self, open_s: float, entered: Counter[tuple[int, str]]) -> None:
        rng = self.rng
        for quarter in range(48):
            start_s, end_s = open_s + quarter * QUARTER_S, open_s + (quarter + 1) * QUARTER_S
            for door in self.entrances:
                count = entered[quarter, door]
                told = Footfall(
                    key=f"footfall:{door}:{round(start_s * 1000)}",
                    time_s=end_s,
                    entrance=door,
                    start_s=start_s,
                    end_s=end_s,
                    entered=count,
                    left=max(0, count - quarter % 3),
                    coverage=self._coverage(),
                    quality="blind" if self._chance(0.02) else "good",
                )
                self._revised(end_s, told, replace(told, entered=count + rng.randint(1, 3)))

    def _revised(self, at_s: float, told: Fact, wrong: Fact) -> None:
        """Told right at once, or wrong first and corrected later, in one step or two."""
        if not self._chance(0.1):
            self._add(at_s, told)
            return
        self._add(at_s, wrong)
        later_s = at_s + self.rng.uniform(30, HOUR_S)
        if self._chance(0.2):
            self._add(later_s, replace(wrong, rev=1))
            self._add(later_s + 900, replace(told, rev=2))
        else:
            self._add(later_s, replace(told, rev=1))

    def _flows(self, open_s: float, flows: Counter[tuple[int, str, str]]) -> None:
        for (quarter, origin, destination), count in flows.items():
            start_s = open_s + quarter * QUARTER_S
            self._add(
                start_s + QUARTER_S,
                Flow(
                    key=f"flow:{origin}:{destination}:{round(start_s * 1000)}",
                    time_s=start_s + QUARTER_S,
                    origin=origin,
                    destination=destination,
                    start_s=start_s,
                    end_s=start_s + QUARTER_S,
                    transitions=count,
                ),
            )

    def _heat(self, open_s: float, heat: dict[int, Counter[str]]) -> None:
        rng = self.rng
        for hour, by_zone in heat.items():
            start_s = open_s + hour * HOUR_S
            zones = {zone: round(float(spent_s), 2) for zone, spent_s in by_zone.items()}
            told = Heatmap(
                key=f"heatmap:0:{round(start_s * 1000)}",
                time_s=start_s + HOUR_S,
                start_s=start_s,
                end_s=start_s + HOUR_S,
                zones=zones,
                cells=tuple(Cell(at, rng.randrange(12), 30.5) for at in range(len(zones))),
                origin_m=(0.0, 0.0),
                cell_m=0.5,
                coverage=self._coverage(),
            )
            more = {**zones, "zone that is no more": 5.0}  # the next revision has to take it away
            self._revised(start_s + HOUR_S, told, replace(told, zones=more))

    def _aggregates(self, open_s: float, persons: int) -> None:
        rng = self.rng
        for hour in range(12):
            for zone in (None, *self.zones):
                start_s, most = open_s + hour * HOUR_S, rng.randrange(12)
                told = Occupancy(
                    key=f"occupancy:{zone or ''}:{round(start_s * 1000)}",
                    time_s=start_s + HOUR_S,
                    zone=zone,
                    start_s=start_s,
                    end_s=start_s + HOUR_S,
                    persons_mean=round(most * rng.random(), 3),
                    persons_max=most,
                )
                self._add(start_s + HOUR_S, told)
        adults = int(persons * 0.8)
        counts, untold = tellable({"adult": adults, "child": persons - adults}, rng.randrange(5))
        at_s = open_s + 13 * HOUR_S
        self._add(
            at_s,
            Attributes(
                key=f"attributes:{round(open_s)}",
                time_s=at_s,
                entrance=self.entrances[0],
                start_s=open_s,
                end_s=at_s,
                attribute="age_group",
                counts=counts,
                untold=untold,
            ),
        )

    def _health(self, midnight_s: float) -> None:
        for at_s in range(0, DAY_S, 1800):
            for process in ("camera:cam1", "vision", "store"):
                time_s = round(midnight_s + at_s + self.rng.random() * 5, 3)
                self._add(
                    time_s,
                    ProcessHealth(
                        key=f"health:{process}:{round(time_s * 1000)}",
                        time_s=time_s,
                        process=process,
                        state="frozen" if self._chance(0.02) else "live",
                        progress_s=time_s,
                    ),
                )


def _day_name(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d")
