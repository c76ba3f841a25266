"""A catalogue from a list of garments, their pictures, and what the warehouse knows was taken together."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.mirror.alike import alike
from fleet.mirror.catalogue import ALIKE, WITH, CatalogueGarment, write
from fleet.mirror.together import pairs
from fleet.search.npz import UNREADABLE_NPZ
from fleet.search.words import Vocabulary, vocabulary

MOST_BESIDE = 24
MOST_PICTURE_BYTES = 2 << 20
SIZES_BY = "|"
TAKEN = """
SELECT 'v/' || site || '/' || local_day || '/' || visitor, sku FROM dwd_tryon
  WHERE visitor IS NOT NULL AND sku IS NOT NULL
UNION SELECT 'v/' || site || '/' || local_day || '/' || visitor, sku FROM dwd_interaction
  WHERE visitor IS NOT NULL AND sku IS NOT NULL
UNION SELECT 's/' || site || '/' || CAST(time_s AS INTEGER), sku FROM dwd_sale WHERE sku IS NOT NULL
"""
"""Baskets: what one visitor tried on or handled on a day, what was paid for in one second at one shop."""


class CatalogueSize(NamedTuple):
    """What went into a catalogue."""

    garments: int
    pictures: int
    baskets: int
    with_company: int


def listed(file: Path) -> list[tuple[CatalogueGarment, str]]:
    """The garments of a CSV with a header, each with the name of its picture's file or nothing.

    Columns `sku`, `title`; `price`, `currency`, `discount`, `sizes` (S|M|L), `kind`, `in_stock`, `picture`.
    Raises FleetError with the row.
    """
    known = {*CatalogueGarment.__struct_fields__, "picture"}
    found: list[tuple[CatalogueGarment, str]] = []
    skus: set[str] = set()
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            names = set(rows.fieldnames or ())
            if not {"sku", "title"} <= names or names - known:
                raise FleetError(
                    f"{file}: its header is {', '.join(rows.fieldnames or ()) or 'empty'}; sku and title are"
                    f" needed, and there may be {', '.join(sorted(known - {'sku', 'title'}))}"
                )
            for number, row in enumerate(rows, 1):
                garment, picture = _garment(file, number, row)
                if garment.sku in skus:
                    raise FleetError(f"{file}: row {number}: sku {garment.sku!r} is there twice")
                skus.add(garment.sku)
                found.append((garment, picture))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FleetError(f"{file}: cannot be read as CSV ({error})") from None
    return found


def _garment(file: Path, number: int, row: Mapping[str, object]) -> tuple[CatalogueGarment, str]:
    given = {name: value for name, value in row.items() if isinstance(value, str) and value.strip()}
    picture = given.pop("picture", "")
    values: dict[str, object] = dict(given)
    if "sizes" in given:
        values["sizes"] = [size.strip() for size in given["sizes"].split(SIZES_BY) if size.strip()]
    try:
        return msgspec.convert(values, CatalogueGarment, strict=False), picture
    except msgspec.ValidationError as error:
        raise FleetError(f"{file}: row {number}: {error}") from None


def build(
    out: Path,
    garments: Path,
    *,
    warehouse: Path | None = None,
    items: Path | None = None,
    embeddings: Path | None = None,
    words: Vocabulary | None = None,
) -> CatalogueSize:
    """Write the catalogue. Pictures lie beside the list. Raises FleetError.

    `items` is a CSV with the columns epc and sku; `embeddings` an .npz with `sku` and `embedding`.
    """
    both = listed(garments)
    known = [garment for garment, _ in both]
    place = {garment.sku: number for number, garment in enumerate(known)}
    pictures = {garment.sku: _picture(garments.parent / name) for garment, name in both if name}
    baskets = list(_taken(warehouse, place)) if warehouse is not None else []
    names = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in baskets))}
    found = pairs(
        np.array([names[name] for name, _ in baskets], dtype=np.intp),
        np.array([sku for _, sku in baskets], dtype=np.intp),
        len(known),
    )
    read = (words or vocabulary()).read
    concepts = [frozenset({*read(one.title).concepts, *([one.kind] if one.kind else [])}) for one in known]
    near = alike(concepts, embeddings_of(embeddings, place) if embeddings else None, MOST_BESIDE)
    company = [_best(found.of([number])) for number in range(len(known))]
    beside = [
        *(
            (known[number].sku, ALIKE, [known[one.place].sku for one in ones])
            for number, ones in enumerate(near)
        ),
        *((known[number].sku, WITH, [known[one].sku for one in ones]) for number, ones in enumerate(company)),
    ]
    write(
        out,
        known,
        pictures=pictures,
        taken={one.sku: float(found.taken[number]) for number, one in enumerate(known)},
        beside=beside,
        items=_items(items) if items is not None else {},
    )
    return CatalogueSize(len(known), len(pictures), len(names), sum(map(bool, company)))


def _best(scores: npt.NDArray[np.float64]) -> list[int]:
    return [int(one) for one in np.argsort(-scores, kind="stable")[:MOST_BESIDE] if scores[one] > 0]


def _taken(warehouse: Path, place: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    if not warehouse.exists():
        raise FleetError(f"{warehouse}: no warehouse there; tagsight fleet backfill makes one")
    try:
        with closing(sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True, timeout=10.0)) as db:
            for basket, sku in db.execute(TAKEN):
                if sku in place:
                    yield str(basket), place[sku]
    except sqlite3.Error as error:
        raise FleetError(f"{warehouse}: cannot be read as a warehouse ({error})") from None


def _picture(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_PICTURE_BYTES:
            raise FleetError(f"{file}: larger than {MOST_PICTURE_BYTES >> 20} MB; make the picture smaller")
        found = file.read_bytes()
    except (OSError, ValueError) as error:
        raise FleetError(f"{file}: the picture cannot be read ({error})") from None
    if not found.startswith((b"\xff\xd8", b"\x89PNG")):
        raise FleetError(f"{file}: neither JPEG nor PNG")
    return found


def _items(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            if not {"epc", "sku"} <= set(rows.fieldnames or ()):
                raise FleetError(f"{file}: its header needs the columns epc and sku")
            return {row["epc"].lower(): row["sku"] for row in rows if row["epc"] and row["sku"]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FleetError(f"{file}: cannot be read as CSV ({error})") from None


def embeddings_of(file: Path, place: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """Of the articles at each place, of length 1, NaN where there is none. Raises FleetError."""
    try:
        with np.load(file, allow_pickle=False) as held:
            skus: Sequence[str] = [str(sku) for sku in held["sku"]]
            given = np.asarray(held["embedding"], dtype=np.float32)
    except UNREADABLE_NPZ as error:
        raise FleetError(f"{file}: needs the arrays sku and embedding, as an .npz ({error})") from None
    if given.ndim != 2 or len(given) != len(skus):
        raise FleetError(f"{file}: {len(skus)} skus and embeddings of shape {given.shape}; one row each")
    if np.isinf(given).any():
        raise FleetError(f"{file}: infinite numbers in embedding; NaN where there is no picture is right")
    found = np.full((len(place), given.shape[1]), np.nan, np.float32)
    for sku, row in zip(skus, given, strict=True):
        if sku in place:
            found[place[sku]] = row / max(float(np.linalg.norm(row)), 1e-9)
    return found
