"""Pairs of a place in the picture and the same place on the floor, as typed by a person."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from calibration.errors import CalibrationError

Floats = npt.NDArray[np.float64]
MAX_PAIRS = 500
MAX_FILE_BYTES = 1_048_576
NUMBER = r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*"
TYPED = re.compile(rf"^{NUMBER},{NUMBER}={NUMBER},{NUMBER}$")
CSV_COLUMNS = ("u", "v", "x", "y")


@dataclass(frozen=True)
class PointPairs:
    """`image_px` (n, 2) as (u, v) and `floor_m` (n, 2) as (x, y), row by row the same places."""

    image_px: Floats
    floor_m: Floats

    def __len__(self) -> int:
        return len(self.image_px)

    def __add__(self, other: PointPairs) -> PointPairs:
        return PointPairs(
            np.concatenate([self.image_px, other.image_px]), np.concatenate([self.floor_m, other.floor_m])
        )


def pairs_of(rows: Iterable[Sequence[float]]) -> PointPairs:
    """Pairs from rows (u, v, x, y). Raises CalibrationError for more than MAX_PAIRS or numbers not finite."""
    table = np.array(list(rows), dtype=np.float64).reshape(-1, 4)
    if len(table) > MAX_PAIRS:
        raise CalibrationError(f"{len(table)} point pairs; at most {MAX_PAIRS}")
    if not np.isfinite(table).all():
        raise CalibrationError("a point pair holds a number that is not finite; pixels and metres are right")
    return PointPairs(table[:, :2], table[:, 2:])


def parse_typed(texts: Iterable[str]) -> PointPairs:
    """Pairs typed as `u,v=x,y`, such as `412,380=2.5,6`."""
    rows = []
    for text in texts:
        match = TYPED.match(text)
        if match is None:
            raise CalibrationError(
                f"{text!r} is not a point pair; write pixels=metres, such as 412,380=2.5,6"
            )
        rows.append([float(number) for number in match.groups()])
    return pairs_of(rows)


def read_pairs(file: Path) -> PointPairs:
    """Pairs of a file: CSV with columns u,v,x,y, or YAML as under `points` in store.yaml."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise CalibrationError(
            f"{file}: {(error.strerror or 'unreadable').lower()}; a file of points"
        ) from error
    except UnicodeDecodeError as error:
        raise CalibrationError(f"{file} is not text; a CSV or YAML file of points is right") from error
    if len(raw) > MAX_FILE_BYTES:
        raise CalibrationError(f"{file} is larger than {MAX_FILE_BYTES // 2**20} MiB; a few points are right")
    if file.suffix.lower() != ".csv":
        return pairs_of(_yaml_rows(text, file))
    try:
        return pairs_of(_csv_rows(text, file))
    except csv.Error as error:
        raise CalibrationError(f"{file} is not CSV ({error}); the first line must name u,v,x,y") from error


def _csv_rows(text: str, file: Path) -> list[list[float]]:
    table = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    missing = [column for column in CSV_COLUMNS if column not in (table.fieldnames or [])]
    if missing:
        raise CalibrationError(f"{file}: no column {missing[0]!r}; the first line must name u,v,x,y")
    rows = []
    for line, row in enumerate(table, start=2):
        try:
            rows.append([float(row[column]) for column in CSV_COLUMNS])
        except (TypeError, ValueError) as error:
            given = ",".join(str(row[column]) for column in CSV_COLUMNS)
            raise CalibrationError(f"{file}:{line}: {given!r} is not four numbers u,v,x,y") from error
    return rows


def _yaml_rows(text: str, file: Path) -> list[list[float]]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())[:120]
        raise CalibrationError(f"{file} is not YAML ({told}); write points as in store.yaml") from error
    points = document.get("points") if isinstance(document, dict) else document
    if not isinstance(points, list):
        raise CalibrationError(
            f"{file}: no list of points; '- {{image: [u, v], floor: [x, y]}}' an entry is right"
        )
    return [_yaml_row(point, number, file) for number, point in enumerate(points)]


def _yaml_row(point: Any, number: int, file: Path) -> list[float]:
    image, floor = (point.get("image"), point.get("floor")) if isinstance(point, dict) else (None, None)
    numbers = [*_two_numbers(image), *_two_numbers(floor)]
    if len(numbers) != 4:
        raise CalibrationError(f"{file}: points[{number}] is not {{image: [u, v], floor: [x, y]}}")
    return numbers


def _two_numbers(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) != 2:
        return []
    return [float(item) for item in value if isinstance(item, int | float) and not isinstance(item, bool)]
