"""What the shops' other systems hand in: sales of the tills, stock lists, plans.

A record is a line of JSON or a row of CSV with these fields. Like an event it has a `key`, and what turns out
otherwise comes again under the same key with a higher `rev`, or `retracted` (a sale that was cancelled, a
garment that came back). The highest `rev` of a `site` and `key` holds.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from contract.fields import about

MAX_SEQ = 2**53
MOST = 10**12
"""No shop counts so far: SQLite's sums of whole numbers end the batch where they pass 2**63."""
LAST_S = 253_370_764_800.0
"""The year 9999."""
Counted: TypeAlias = Annotated[int, Meta(ge=-MOST, le=MOST)]
DAY = r"^\d{4}-\d{2}-\d{2}$"


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every record has."""

    site: Annotated[str, about("the store, as its box is named", "plaza", min_length=1, max_length=64)]
    key: Annotated[str, about("what `rev` counts", "till-3/2026-02-27/118/1", min_length=1)]
    rev: Annotated[int, about("correction of `key`, from 0; the highest holds", 0, "1", ge=0, le=MAX_SEQ)] = 0
    retracted: Annotated[bool, about("cancelled, given back, not true any more", False)] = False


class Sale(Record, frozen=True, kw_only=True, tag="sale"):
    """One line of a receipt: so many pieces of an article were sold."""

    time_s: Annotated[float, about("when it was paid, UTC seconds", 1772187300.25, "s", ge=0, le=LAST_S)]
    sku: Annotated[str, about("the article, as in the stock list and store.yaml", "SHIRT-M-BLUE")]
    quantity: Annotated[Counted, about("pieces sold", 1, "{piece}")] = 1
    epc: Annotated[
        str | None, about("the tag, where the till reads it; hexadecimal", "3034257bf400b7800004cb2f")
    ] = None
    amount: Annotated[float | None, about("paid for all pieces, in the shop's currency", 59.9, "1")] = None


class Stock(Record, frozen=True, kw_only=True, tag="stock"):
    """An article is on a fixture of a store."""

    sku: Annotated[str, about("the article", "SHIRT-M-BLUE")]
    fixture: Annotated[str, about("where it is shown, as in store.yaml", "rack 1")]
    quantity: Annotated[Counted | None, about("pieces there; null where not counted", 12, "{piece}")] = None


class DayPlan(Record, frozen=True, kw_only=True, tag="plan"):
    """What is expected of one store on one of its local days."""

    day: Annotated[str, about("the store's local day", "2026-02-27", pattern=DAY)]
    entered: Annotated[Counted | None, about("persons expected to come in", 900, "{person}")] = None
    sold: Annotated[Counted | None, about("pieces expected to be sold", 110, "{piece}")] = None


RECORD_TYPES: tuple[type[Record], ...] = (Sale, Stock, DayPlan)


def schema_of_records() -> dict[str, Any]:
    """JSON Schema (2020-12) of a sale, a line of a stock list, a plan's day."""
    (choice,), definitions = msgspec.json.schema_components(
        [Sale | Stock | DayPlan], ref_template="#/$defs/{name}"
    )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tagsight fleet record"}
    return {**head, **choice, "$defs": definitions}
