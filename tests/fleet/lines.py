"""Lines as a box or a till would send them, and a warehouse that has taken them in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from contract.envelope import Origin, encode_event
from contract.facts import Dwell, Fact, Flip, Footfall, Interaction, Store, TryOn
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line

NOON_S = 1_792_929_600.0
"""25 October 2026, 12:00 UTC."""
ORIGIN = Origin("plaza", "box-1")
TAG = {"epc": "E1", "sku": "SHIRT"}


def event(fact: Fact, seq: int = 1, origin: Origin = ORIGIN) -> bytes:
    return encode_event(fact, origin, seq, NOON_S, "stream")


def taken(lines: Iterable[bytes], warehouse: Warehouse | None = None) -> Warehouse:
    """Each line a batch of its own: every one is refreshed by itself."""
    warehouse = warehouse or Warehouse(":memory:")
    for line in lines:
        warehouse.take("test", [Line(warehouse.progress("test") + 1, line, NOON_S)])
    return warehouse


def rows(warehouse: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    return warehouse.db.execute(sql).fetchall()


def setup(timezone: str = "UTC", time_s: float = NOON_S - 86_400, **more: Any) -> Store:
    return Store(key=f"store:{time_s}", time_s=time_s, timezone=timezone, revision="r", **more)


def footfall(entered: int = 3, start_s: float = NOON_S, **more: Any) -> Footfall:
    return Footfall(
        key=f"footfall:{NOON_S}",
        time_s=start_s + 60,
        entrance="door",
        start_s=start_s,
        end_s=start_s + 60,
        entered=entered,
        left=0,
        **more,
    )


def dwell(visitor: str = "v", zone: str = "racks", start_s: float = NOON_S, **more: Any) -> Dwell:
    return Dwell(
        key=f"dwell:{visitor}:{zone}:{NOON_S}",
        time_s=start_s + 30,
        visitor=visitor,
        zone=zone,
        enter_s=start_s,
        leave_s=start_s + 30,
        dwell_s=30.0,
        **more,
    )


def flip(start_s: float = NOON_S, **more: Any) -> Flip:
    fixed: dict[str, Any] = {"reader": "r", "antenna": 1, "fixture": "rack", "score": 0.9, **TAG}
    return Flip(
        **{"key": "flip", "time_s": start_s + 2, "start_s": start_s, "end_s": start_s + 2, **fixed, **more}
    )


def interaction(visitor: str | None = "v", start_s: float = NOON_S, **more: Any) -> Interaction:
    return Interaction(
        key="interaction:flip",
        time_s=start_s + 2,
        flip="flip",
        fixture="rack",
        start_s=start_s,
        end_s=start_s + 2,
        visitor=visitor,
        probability=0.8,
        nobody_probability=0.1,
        **TAG,
        **more,
    )


def tryon(end_s: float = NOON_S, **more: Any) -> TryOn:
    start_s = NOON_S - 300
    return TryOn(
        key="tryon", time_s=end_s, room="room 1", start_s=start_s, end_s=end_s, reads=9, **TAG, **more
    )


def sale(time_s: float, **more: Any) -> bytes:
    told = {"kind": "sale", "site": ORIGIN.site, "key": "till/1", "sku": "SHIRT", "time_s": time_s}
    return json.dumps(told | more).encode()
