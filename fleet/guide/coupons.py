"""The list of coupons, as shops hand it in."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from fleet.errors import FleetError

MOST = 10**12


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """`site` is the shop as its events name it. `redeemed` counts so far; `until` is its last day."""

    coupon: str
    site: str
    title: str
    value: Annotated[float, Meta(ge=0, le=MOST)] | None = None
    redeemed: Annotated[int, Meta(ge=0, le=MOST)] = 0
    until: date | None = None


def coupons(file: Path) -> list[Coupon]:
    """Of a CSV: coupon, site, title; value, redeemed, until. Raises FleetError with the row."""
    known = set(Coupon.__struct_fields__)
    found: list[Coupon] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            names = set(rows.fieldnames or ())
            if not {"coupon", "site", "title"} <= names or names - known:
                raise FleetError(
                    f"{file}: its header is {', '.join(rows.fieldnames or ()) or 'empty'}; coupon, site and"
                    " title are needed, and there may be value, redeemed, until"
                )
            for number, row in enumerate(rows, 1):
                given = {
                    name: value for name, value in row.items() if isinstance(value, str) and value.strip()
                }
                try:
                    found.append(msgspec.convert(given, Coupon, strict=False))
                except msgspec.ValidationError as error:
                    raise FleetError(f"{file}: row {number}: {error}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FleetError(f"{file}: cannot be read as CSV ({error})") from None
    twice = {name for name, count in Counter(one.coupon for one in found).items() if count > 1}
    if twice:
        raise FleetError(f"{file}: coupon {min(twice)!r} is there twice")
    return found
