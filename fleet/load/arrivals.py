"""How what happened arrives at the cloud: late, twice, out of order, from a replaced box, damaged."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from contract.envelope import Origin, encode_event, move
from contract.facts import Footfall
from fleet.ingest.records import Record
from fleet.load.diary import DAY_S, HOUR_S, Made, ShopSettings, shops
from fleet.load.shop import ShopDays

FIRST_DAY_S = 1_792_800_000.0
"""Saturday, 24 October 2026, 00:00 UTC: clocks in Berlin go back a day later, in New York in a week."""
VISITORS = 60
"""A day in a shop of middle size."""
DEVICE = "box-1"


class Arrival(NamedTuple):
    """One line as it arrives; `order` tells those of one moment apart."""

    received_s: float
    order: int
    body: bytes


def write(
    path: Path,
    *,
    stores: int,
    days: int,
    seed: int,
    visitors: int = VISITORS,
    shuffled: bool = False,
    copies: bool = True,
) -> int:
    """Write the lines of so many shops to a file, in order of arrival, and return how many.

    With `copies` some boxes have a copy that tells other things under the same key and revision: of these
    the first to come holds.
    """
    rng = random.Random(seed)
    lines: list[Arrival] = []
    start_s = FIRST_DAY_S + (DAY_S if days == 1 else 0)
    for number, shop in enumerate(shops(stores, rng, visitors)):
        made = ShopDays(shop, rng, start_s, days).run()
        half_s = start_s + days * DAY_S / 2
        lines += _arriving(_sent(shop, made, rng, half_s, number, copies), rng, days, start_s)
    lines += _damaged(rng, start_s)
    if shuffled:
        rng.shuffle(lines)
    else:
        lines.sort(key=lambda line: (line.received_s, line.order))
    with path.open("wb") as file:
        for line in lines:
            file.write(b'{"received_s":%.3f,' % line.received_s + line.body[1:] + b"\n")
    return len(lines)


def _sent(
    shop: ShopSettings, made: list[Made], rng: random.Random, half_s: float, number: int, copies: bool
) -> Iterator[tuple[float, bytes]]:
    """What the box and the tills send, in the order in which it was made.

    Every seventh box is replaced half-way: a new stream, and the last of the old one once more under it.
    """
    origin = Origin(shop.site, DEVICE)
    stream, seq = _stream(rng), 0
    is_replaced = False
    latest: list[bytes] = []
    for at_s, what in sorted(made, key=lambda one: one.at_s):
        if isinstance(what, Record):
            yield at_s, msgspec.json.encode(what)
            continue
        if number % 7 == 3 and not is_replaced and at_s >= half_s:
            is_replaced, stream, seq = True, _stream(rng), 0
            for body in latest:
                seq += 1
                yield at_s, move(body, origin, stream, seq)
        seq += 1
        body = encode_event(what, origin, seq, at_s, stream)
        latest = [*latest[-49:], body] if number % 7 == 3 else latest
        yield at_s, body
        if (
            copies and isinstance(what, Footfall) and rng.random() < 0.01
        ):  # a copy of the box tells the same otherwise
            seq += 1
            yield (
                at_s + 1,
                encode_event(
                    msgspec.structs.replace(what, entered=what.entered + 7), origin, seq, at_s, stream
                ),
            )


def _arriving(
    sent: Iterator[tuple[float, bytes]], rng: random.Random, days: int, start_s: float
) -> list[Arrival]:
    """With outages of the line of 3 to 20 hours, holes that are asked for again, and duplicates."""
    outages = []
    for day in range(days):
        if rng.random() < 0.1:
            begin_s = start_s + day * DAY_S + rng.random() * 60_000
            outages.append((begin_s, begin_s + rng.uniform(3, 20) * HOUR_S))
    found = []
    for order, (at_s, body) in enumerate(sent):
        came_s = at_s
        for begin_s, end_s in outages:
            if begin_s <= at_s < end_s:
                came_s = end_s + (at_s - begin_s) / (end_s - begin_s) * 60
        came_s += rng.uniform(0.3, 4) + (rng.uniform(100, 9000) if rng.random() < 0.01 else 0)
        if b'"kind":"sale"' in body and rng.random() < 0.1:  # the till hands in an hour at a time
            came_s += rng.uniform(600, 3 * HOUR_S)
        found.append(Arrival(came_s, order, body))
        if rng.random() < 0.03:
            found.append(Arrival(came_s + rng.uniform(1, HOUR_S), order, body))
        if rng.random() < 0.002:
            found.append(Arrival(came_s + rng.uniform(DAY_S, 100_000), order, body))
    return found


def _damaged(rng: random.Random, start_s: float) -> Iterator[Arrival]:
    """A newer kind, an event without its fields, attributes of too few persons, half a line."""
    bodies = [
        b'{"kind":"mood","site":"s0000","device":"box-1","key":"mood/1","time_s":1.0}',
        b'{"kind":"visit","site":"s0000","device":"box-1","key":"visit/broken"}',
        b'{"kind":"visit","site":"s0000","device":"box-1","key":"visit/never","time_s":1e300,"visitor":"v",'
        b'"direction":"in","entrance":"door 0","rev":0,"retracted":false}',
        b'{"kind":"attributes","site":"s0000","device":"box-1","key":"attributes/few","time_s":%d,"rev":0,'
        b'"retracted":false,"entrance":"door 0","start_s":%d,"end_s":%d,"attribute":"age_group","untold":0,'
        b'"counts":{"adult":40,"child":3}}' % (start_s, start_s, start_s + 60),
        b'{"kind":"footfall","site":"s00',
    ]
    for order, body in enumerate(bodies):
        yield Arrival(start_s + rng.random() * DAY_S, order, body)


def _stream(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
