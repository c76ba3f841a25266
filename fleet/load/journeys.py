"""People in a made-up shop: they come in, stay, handle, try on, buy, and go."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from contract.facts import Dwell, Flip, Interaction, TryOn, Visit
from fleet.ingest.records import Sale
from fleet.load.diary import DAY_S, HOUR_S, QUARTER_S, Diary


class Journeys(Diary):
    """One visitor after another, told with every correction that the contract allows."""

    def _visitor(
        self,
        open_s: float,
        entered: Counter[tuple[int, str]],
        flows: Counter[tuple[int, str, str]],
        heat: dict[int, Counter[str]],
    ) -> None:
        rng = self.rng
        visitor, door = f"{rng.getrandbits(48):012x}", rng.choice(self.entrances)
        came_s = at_s = round(open_s + rng.betavariate(2, 2) * 11.3 * HOUR_S, 3)
        entered[int((came_s - open_s) // QUARTER_S), door] += 1
        visit = Visit(
            key=f"visit:{visitor}:in:{round(came_s * 1000)}",
            time_s=came_s,
            visitor=visitor,
            direction="in",
            entrance=door,
        )
        self._add(came_s + 1, visit)
        if self._chance(0.03):
            self._add(came_s + rng.uniform(5, 600), replace(visit, rev=1, retracted=True))
        elif self._chance(0.02):  # the box's clock had been wrong
            self._add(came_s + 700, replace(visit, rev=1, time_s=came_s - rng.choice((1, 8, 23)) * HOUR_S))
        before = None
        for _ in range(rng.randint(1, 5)):
            zone = rng.choice(self.zones)
            stay_s = rng.expovariate(1 / 60) + 3
            self._stay(visitor, zone, at_s, at_s + stay_s)
            hour = int((at_s - open_s) // HOUR_S)
            heat[hour][zone] += stay_s  # type: ignore[assignment]
            if before not in (None, zone):
                flows[int((at_s - open_s) // QUARTER_S), str(before), zone] += 1
            before = zone
            at_s = round(at_s + stay_s + rng.uniform(1, 20), 3)
        left = replace(
            visit,
            key=f"visit:{visitor}:out:{round(at_s * 1000)}",
            time_s=at_s,
            direction="out",
            stay_s=at_s - came_s,
        )
        self._add(at_s + 1, left)
        if self._chance(0.03):
            self._add(at_s + 30, replace(left, rev=1, stay_s=None))

    def _stay(self, visitor: str, zone: str, enter_s: float, leave_s: float) -> None:
        rng = self.rng
        dwell = Dwell(
            key=f"dwell:{visitor}:{zone}:{round(enter_s * 1000)}",
            time_s=leave_s,
            visitor=visitor,
            zone=zone,
            enter_s=enter_s,
            leave_s=leave_s,
            dwell_s=round(leave_s - enter_s, 2),
            partial=self._chance(0.06),
        )
        self._add(leave_s, dwell)
        if dwell.partial:
            longer = replace(
                dwell, rev=1, partial=False, dwell_s=round(dwell.dwell_s + rng.uniform(1, 300), 2)
            )
            if self._chance(0.3):  # it began before midnight
                longer = replace(longer, enter_s=enter_s - rng.uniform(600, 6 * HOUR_S))
            self._add(leave_s + rng.uniform(1, 300), longer)
        if self._chance(0.17):
            self._handled(
                visitor, rng.choice([sku for sku in self.skus if self.zone_of[sku] == zone]), enter_s
            )

    def _handled(self, visitor: str, sku: str, at_s: float) -> None:
        rng = self.rng
        epc = f"E28{rng.getrandbits(60):021X}"
        end_s = at_s + rng.uniform(1, 6)
        flip = self._flip(epc, sku, at_s, end_s)
        told = Interaction(
            key=f"interaction:{flip.key}",
            time_s=end_s,
            flip=flip.key,
            epc=epc,
            sku=sku,
            fixture=flip.fixture,
            start_s=at_s,
            end_s=end_s,
            visitor=visitor if self._chance(0.85) else None,
            probability=round(rng.uniform(0.4, 1), 3),
            nobody_probability=0.05,
        )
        self._add(end_s + 1, flip)
        self._add(end_s + 2, told)
        when_s, rev = end_s + 2, 0
        if self._chance(0.15):
            other = f"{rng.getrandbits(48):012x}" if self._chance(0.7) else None
            for who in (other, visitor) if self._chance(0.2) else (other,):
                rev, when_s = rev + 1, when_s + rng.uniform(5, HOUR_S)
                self._add(when_s, replace(told, rev=rev, visitor=who))
        if self._chance(0.03):
            when_s += rng.uniform(5, 2 * HOUR_S)
            self._add(when_s, replace(flip, rev=1, retracted=True))
            self._add(when_s + 0.1, replace(told, rev=rev + 1, retracted=True))
            if self._chance(0.5):
                when_s += rng.uniform(60, 2 * HOUR_S)
                self._add(when_s, replace(flip, rev=2))
                self._add(when_s + 0.1, replace(told, rev=rev + 2))
        elif self._chance(0.03):
            moved_s = at_s - rng.choice((2, 9, 20)) * HOUR_S
            self._add(when_s + 60, replace(flip, rev=1, start_s=moved_s))
        if self._chance(0.3):
            self._tried_on(visitor, epc, sku, end_s + 120)
        elif self._chance(0.05):
            self._sold(epc, sku, end_s + rng.uniform(300, 3000))

    def _flip(self, epc: str, sku: str, start_s: float, end_s: float) -> Flip:
        return Flip(
            key=f"flip:racks:{epc}:{round(start_s * 1000)}",
            time_s=end_s,
            reader="racks",
            antenna=1 + self.rng.randrange(4),
            epc=epc,
            sku=sku,
            fixture=f"rack {self.zone_of[sku]}",
            start_s=start_s,
            end_s=end_s,
            score=round(self.rng.random(), 3),
        )

    def _tried_on(self, visitor: str, epc: str, sku: str, start_s: float) -> None:
        rng = self.rng
        end_s = start_s + rng.uniform(60, 600)
        opened = TryOn(
            key=f"tryon:room 1:{epc}:{round(start_s * 1000)}",
            time_s=start_s + 12,
            epc=epc,
            sku=sku,
            room="room 1",
            start_s=start_s,
            end_s=start_s + 12,
            reads=30,
            visitor=visitor,
            open=True,
        )
        self._add(start_s + 12, opened)
        closed = replace(opened, rev=1, open=False, time_s=end_s, end_s=end_s, reads=400)
        if not self._chance(0.02):  # else the box was killed
            self._add(end_s, closed)
            if self._chance(0.06):
                self._add(end_s + 1500, replace(closed, rev=2, start_s=start_s - 1200))
            elif self._chance(0.04):
                self._add(end_s + 3000, replace(closed, rev=2, retracted=True))
        if self._chance(0.35):
            self._sold(epc, sku, end_s + rng.uniform(60, 2700))
        elif self._chance(0.5):
            back_s = end_s + rng.uniform(30, 4000)
            self._add(back_s + 3, self._flip(epc, sku, back_s, back_s + 2))

    def _sold(self, epc: str, sku: str, at_s: float) -> None:
        sale = Sale(site=self.shop.site, key=f"till/{epc}", time_s=round(at_s, 3), sku=sku, epc=epc)
        self._add(at_s + self.rng.uniform(1, 30), sale)
        if self._chance(0.1):
            self._add(at_s + self.rng.uniform(60, DAY_S), replace(sale, rev=1, retracted=True))
