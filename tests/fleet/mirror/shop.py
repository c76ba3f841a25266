"""A small shop for mirrors: garments with pictures, and a real outbox that try-ons are written to."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from contract.envelope import Origin
from contract.facts import Interaction, TryOn
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line
from fleet.mirror.building import build
from runtime.uplink.outbox.writer import Outbox

EPC = "3034257bf400b780000{:05x}"
GARMENTS = """sku,title,price,currency,discount,sizes,kind,in_stock,picture
COAT-1,Black coat,120,EUR,25,S|M|L,coat,true,coat.png
COAT-2,Dark jacket,90,EUR,,M,coat,true,
COAT-3,Black overcoat,200,EUR,,L,coat,false,
DRESS-1,Light dress,60,EUR,,S|M,dress,true,
BAG-1,Plain handbag,40,EUR,,,bag,true,
BAG-2,Brown bag,35,EUR,,,bag,true,
BOOT-1,Ankle boots,80,EUR,,38|39,boot,true,
HAT-1,Wide hat,20,EUR,,,hat,true,
"""
TOGETHER = (("COAT-1", "BOOT-1"),) * 6 + (("COAT-1", "BAG-1"),) * 4 + (("DRESS-1", "BAG-2"),) * 12


def tryon(
    sku: str | None,
    room: str = "room 1",
    number: int = 1,
    *,
    open: bool = True,
    rev: int = 0,
    start_s: float | None = None,
) -> TryOn:
    """One garment in a room."""
    start = time.time() if start_s is None else start_s
    epc = EPC.format(number)
    return TryOn(
        key=f"tryon/{room}/{epc}",
        time_s=start,
        rev=rev,
        epc=epc,
        sku=sku,
        room=room,
        start_s=start,
        end_s=start + 1,
        reads=5,
        visitor=f"visitor{number:05}",
        open=open,
    )


def a_catalogue(folder: Path, garments: str = GARMENTS) -> Path:
    """From a list, a picture and a warehouse with real events."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "garments.csv").write_text(garments)
    (folder / "items.csv").write_text(f"epc,sku\n{EPC.format(77).upper()},HAT-1\n")
    cv2.imwrite(str(folder / "coat.png"), np.full((28, 28), 40, np.uint8))
    from contract.envelope import encode_event

    lines, origin = [], Origin("plaza", "box-1")
    for number, skus in enumerate(TOGETHER):
        for place, sku in enumerate(skus):
            at_s = 1_792_886_400.0 + 600 * number + place
            fact = tryon(sku, number=number * 10 + place, start_s=at_s, open=False)
            fact = TryOn(
                **{**{name: getattr(fact, name) for name in fact.__struct_fields__}, "visitor": f"v{number}"}
            )
            seq = len(lines) + 1
            lines.append(Line(seq, encode_event(fact, origin, seq, at_s, "stream"), at_s))
    warehouse = Warehouse(folder / "warehouse.db")
    warehouse.take("test", lines)
    warehouse.close()
    out = folder / "catalogue.db"
    built = build(out, folder / "garments.csv", warehouse=folder / "warehouse.db", items=folder / "items.csv")
    assert built.baskets == len(TOGETHER)
    return out


def an_outbox(folder: Path) -> Outbox:
    """A box's own."""
    return Outbox(folder / "outbox.db", Origin("plaza", "box-1"))


def told(outbox: Outbox, *facts: TryOn | Interaction) -> None:
    """On disk when it returns."""
    outbox.append(facts)
    assert outbox.flush(10.0)
