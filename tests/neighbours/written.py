"""A day's events in a real outbox, as the store process writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.envelope import Origin
from contract.facts import Fact, Flip, Footfall, ProcessHealth, TryOn
from runtime.config import StoreConfig, parse
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.writer import Outbox

STORE = """
site: {name: shop, device: box-1, timezone: Europe/Berlin}
floor: {extent_m: [0, 0, 10, 10]}
zones:
  - {name: racks, polygon: [[0, 0], [5, 0], [5, 5], [0, 5]]}
  - {name: till, polygon: [[5, 5], [9, 5], [9, 9], [5, 9]]}
entrances:
  - {name: door, line: [[0, 8], [4, 8]], inside: [2, 6]}
readers:
  - {name: racks, host: 127.0.0.1, antennas: [{port: 1, name: left}, {port: 2, name: right}]}
"""


def a_store(folder: Path, text: str = "") -> StoreConfig:
    """Of `STORE`, with more sections."""
    file = folder / "store.yaml"
    file.write_text(STORE + text)
    return parse(file.read_text(), file)


def write(outbox: Path, facts: Sequence[Fact], now_s: float) -> None:
    """One after the other, on disk."""
    writer = Outbox(outbox, Origin("shop", "box-1"), OutboxLimits(), clock=lambda: now_s)
    writer.append(facts)
    writer.flush(5.0)
    writer.close(5.0)


def footfall(start_s: float, entered: int, left: int, rev: int = 0, retracted: bool = False) -> Footfall:
    return Footfall(
        key=f"footfall/door/{start_s:.0f}",
        time_s=start_s + 60,
        rev=rev,
        retracted=retracted,
        entrance="door",
        start_s=start_s,
        end_s=start_s + 60,
        entered=entered,
        left=left,
    )


def flip(time_s: float, fixture: str | None = "rack 1", rev: int = 0, retracted: bool = False) -> Flip:
    return Flip(
        key=f"flip/racks/{time_s}",
        time_s=time_s,
        rev=rev,
        retracted=retracted,
        reader="racks",
        antenna=1,
        epc="3034257bf400b7800004cb2f",
        sku=None,
        fixture=fixture,
        start_s=time_s - 1,
        end_s=time_s,
        score=0.9,
    )


def tryon(time_s: float) -> TryOn:
    return TryOn(
        key=f"tryon/{time_s}",
        time_s=time_s,
        epc="3034257bf400b7800004cb2f",
        sku=None,
        room="room 1",
        start_s=time_s - 60,
        end_s=time_s,
        reads=80,
        visitor="0123456789ab",
    )


def health(
    process: str, time_s: float, state: str = "live", detail: str = "", **values: float
) -> ProcessHealth:
    return ProcessHealth(
        key=f"health/{process}/{time_s}",
        time_s=time_s,
        process=process,
        state=state,
        progress_s=time_s,
        detail=detail,
        values=values,
        drops={"reader busy": 3} if process == "vision" else {},
    )
