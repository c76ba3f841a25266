"""What did not happen: none is missed, none is false, and what turns up late takes it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contract.facts import ProcessHealth
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line
from fleet.load import arrivals
from fleet.serve.asking import Asked, ask

from .lines import NOON_S, event, flip, sale, taken, tryon

MINUTE_S = 60.0


def unbought(warehouse: Warehouse, now_s: float, minutes: float = 30.0) -> set[str]:
    rows = ask(warehouse.db, "unbought", Asked(minutes=minutes, now_s=now_s))
    return {f"{row['site']}/{row['fact_key']}" for row in rows}


def expected(facts: list[dict[str, Any]], now_s: float) -> set[str]:
    """From the raw lines so far, by nothing but the words of the rule."""
    best: dict[tuple[str, str, str], dict[str, Any]] = {}
    for fact in facts:
        name = fact["kind"], fact["site"], fact["key"]
        if name not in best or fact.get("rev", 0) > best[name].get("rev", 0):
            best[name] = fact
    holding = [fact for fact in best.values() if not fact.get("retracted")]
    found = set()
    for tried in holding:
        if tried["kind"] != "tryon" or tried["open"] or tried["end_s"] + 1800 > now_s:
            continue
        ends = [
            other
            for other in holding
            if other["site"] == tried["site"]
            and (
                (other["kind"] == "sale" and other["sku"] == tried["sku"]
                 and 0 <= other["time_s"] - tried["end_s"] < 1800)
                or (other["kind"] == "flip" and other["epc"] == tried["epc"]
                    and 0 <= other["start_s"] - tried["end_s"] < 1800)
            )
        ]  # fmt: skip
        if not ends:
            found.add(f"{tried['site']}/{tried['key']}")
    return found


def test_after_every_batch_the_time_outs_are_those_of_the_rule(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    arrivals.write(file, stores=4, days=1, seed=21, visitors=110)
    warehouse, facts = Warehouse(":memory:"), []
    lines = [line for line in file.read_bytes().splitlines() if b'"kind":' in line]
    compared, raised, withdrawn, before = 0, 0, 0, set[str]()
    for at in range(0, len(lines), 400):
        batch = lines[at : at + 400]
        warehouse.take("test", [Line(at + place, line) for place, line in enumerate(batch, 1)])
        for line in batch:
            if any(kind in line for kind in (b'"kind":"tryon"', b'"kind":"sale"', b'"kind":"flip"')):
                facts.append(json.loads(line))
        now_s = json.loads(batch[-1])["received_s"] if batch[-1].endswith(b"}") else NOON_S
        found = unbought(warehouse, now_s)
        assert found == expected(facts, now_s)
        raised, withdrawn = raised + len(found - before), withdrawn + len(before - found)
        compared, before = compared + 1, found
    assert compared > 10 and raised > 20 and withdrawn >= 1


def test_a_late_sale_takes_it_back_and_its_cancellation_raises_it_again() -> None:
    warehouse, due_s = taken([event(tryon())]), NOON_S + 30 * MINUTE_S
    assert unbought(warehouse, due_s - 0.001) == set()
    assert unbought(warehouse, due_s) == {"plaza/tryon"}
    taken([sale(NOON_S + 29 * MINUTE_S)], warehouse)
    assert unbought(warehouse, due_s) == set()
    taken([sale(NOON_S + 29 * MINUTE_S, rev=1, retracted=True)], warehouse)
    assert unbought(warehouse, due_s) == {"plaza/tryon"}
    taken([event(flip(NOON_S + 60, key="flip/back"), 9)], warehouse)
    assert unbought(warehouse, due_s) == set(), "it hangs at its rack again"


def test_a_sale_after_the_time_is_too_late_and_a_longer_time_says_otherwise() -> None:
    warehouse = taken([event(tryon()), sale(NOON_S + 45 * MINUTE_S)])
    assert unbought(warehouse, NOON_S + 3600) == {"plaza/tryon"}
    assert unbought(warehouse, NOON_S + 3600, minutes=60) == set()


def test_a_garment_in_a_fitting_room_for_too_long_is_told_until_it_leaves() -> None:
    def rooms(now_s: float) -> list[str]:
        return [row["room"] for row in ask(warehouse.db, "rooms", Asked(minutes=20, now_s=now_s))]

    warehouse = taken([event(tryon(open=True))])
    began_s = NOON_S - 300
    assert rooms(began_s + 19 * MINUTE_S) == []
    assert rooms(began_s + 20 * MINUTE_S) == ["room 1"]
    assert rooms(began_s + 86_400) == [], "the box was cut off: nobody knows"
    taken([event(tryon(rev=1), 2)], warehouse)
    assert rooms(began_s + 30 * MINUTE_S) == []


def test_a_camera_of_which_nothing_is_heard_is_silent() -> None:
    def health(process: str, time_s: float, seq: int) -> bytes:
        key = f"health:{process}:{time_s}"
        return event(
            ProcessHealth(key=key, time_s=time_s, process=process, state="live", progress_s=time_s), seq
        )

    warehouse = taken([health("camera:door", NOON_S, 1), health("camera:back", NOON_S + 3600, 2)])
    asked = Asked(minutes=10, now_s=NOON_S + 3660)
    assert [row["process"] for row in ask(warehouse.db, "silent", asked)] == ["camera:door"]
    taken([health("camera:door", NOON_S + 3650, 3)], warehouse)
    assert ask(warehouse.db, "silent", asked) == []
