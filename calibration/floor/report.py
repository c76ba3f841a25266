"""What a floor fit found, for a person, for a program and for store.yaml."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from calibration.floor.fit import FloorFit
from calibration.floor.point_pairs import PointPairs


def lines(fit: FloorFit, warnings: list[str]) -> Iterator[str]:
    """A table of the points with their errors, a summary and the warnings, line by line."""
    yield "point     pixel u, v        floor x, y m      error   left out"
    for index in range(len(fit.pairs)):
        (u, v), (x, y) = fit.pairs.image_px[index], fit.pairs.floor_m[index]
        mark = "  disagrees" if fit.wild[index] else ""
        errors = f"{_cm(fit.errors_m[index]):>8}   {_cm(fit.left_out_errors_m[index]):>8}"
        yield f"{index + 1:>5}  {u:>8.1f} {v:>7.1f}   {x:>8.2f} {y:>8.2f}   {errors}{mark}"
    yield ""
    yield errors_in_words(fit)
    for warning in warnings:
        yield f"warning: {warning}"


def errors_in_words(fit: FloorFit) -> str:
    """How far the map misses its points, on the terminal as in the drawing."""
    return f"median error {_cm(np.median(fit.errors_m))}, worst {_cm(fit.errors_m.max())}{_left_out(fit)}"


def summary(fit: FloorFit, warnings: list[str], size: tuple[int, int]) -> dict[str, Any]:
    """The same for a program: centimetres, null where unknown."""
    return {
        "image_size": list(size),
        "homography": fit.homography.matrix.tolist(),
        "points": [
            {
                "image": fit.pairs.image_px[index].tolist(),
                "floor": fit.pairs.floor_m[index].tolist(),
                "error_cm": _json_cm(fit.errors_m[index]),
                "left_out_error_cm": _json_cm(fit.left_out_errors_m[index]),
                "disagrees": bool(fit.wild[index]),
            }
            for index in range(len(fit.pairs))
        ],
        "median_error_cm": _json_cm(float(np.median(fit.errors_m))),
        "warnings": warnings,
    }


def yaml_block(fit: FloorFit, size: tuple[int, int]) -> str:
    """The lines that belong under the camera in store.yaml, indented as they stand there."""
    rows = [f"  - [{', '.join(f'{value:.9g}' for value in row)}]" for row in fit.homography.matrix]
    told = f"# {len(fit.pairs)} points, median error {_cm(np.median(fit.errors_m))}{_left_out(fit)}"
    block = [told, f"image_size: [{size[0]}, {size[1]}]", "homography:", *rows]
    return "".join(f"    {line}\n" for line in block)


def points_text(pairs: PointPairs, as_csv: bool) -> str:
    """The pairs as a CSV or YAML file from which `--points` reads the very same numbers again."""
    rows = [
        [np.format_float_positional(number, trim="-") for number in row]
        for row in np.column_stack([pairs.image_px, pairs.floor_m])
    ]
    if as_csv:
        return "\n".join(["u,v,x,y", *(",".join(row) for row in rows), ""])
    entries = [f"  - {{image: [{u}, {v}], floor: [{x}, {y}]}}" for u, v, x, y in rows]
    return "\n".join(["points:", *entries, ""])


def _left_out(fit: FloorFit) -> str:
    if not np.isfinite(fit.left_out_errors_m).any():
        return ""
    return f"; each left out in turn: median {_cm(np.nanmedian(fit.left_out_errors_m))}"


def _cm(metres: float) -> str:
    return f"{metres * 100:.1f} cm" if math.isfinite(metres) else "unknown"


def _json_cm(metres: float) -> float | None:
    return round(float(metres) * 100, 2) if math.isfinite(metres) else None
