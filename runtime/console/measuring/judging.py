"""Judging a camera's floor map while it is being measured: what is refused, what is only remarked on (pure).

The fit itself is `calibration.floor.fit`; a map that is refused here is not offered for store.yaml.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from calibration.errors import CalibrationError
from calibration.floor.fit import FloorFit, fit_floor
from calibration.floor.point_pairs import PointPairs, pairs_of
from calibration.floor.report import yaml_block
from calibration.floor.warnings import hull_of, warnings_for
from runtime.config.sections import Zone
from runtime.geometry import Floats, Homography

LEAST_PAIRS = 5
"""With fewer, no pair can be left out to see how well the others predict it."""
THIN = 0.12
"""Points are almost on one line where they spread this much less across it than along it."""
LEAST_HULL = 0.25
"""Of the picture."""
POOR_LEFT_OUT_M = 0.25
"""The 95th percentile of what the others miss a pair by; beyond it the map is poor."""
GRID_M = 1.0
MAX_GRID_LINES = 80
LINE_STEPS = 40
POOR_TAPE_M, WRONG_TAPE_M = 0.05, 0.20
"""How far a tape of 2 m may be off on the map: beyond it is remarked on, refused; others in proportion."""
TAPE_M = 2.0


class MapVerdict(msgspec.Struct, frozen=True):
    """What is said of the pairs so far. Errors are centimetres, None where not known.

    `grid` are lines of the floor every metre as they lie in the picture, pixels.
    """

    refused: list[str]
    remarks: list[str]
    errors_cm: list[float | None] = []
    left_out_cm: list[float | None] = []
    left_out_p95_cm: float | None = None
    grid: list[list[tuple[float, float]]] = []
    tapes_m: list[float | None] = []
    """How long each tape is on the map."""
    lines: str = ""
    """For store.yaml, under the camera; empty where the map is refused."""
    homography: list[list[float]] = []


@dataclass(frozen=True)
class ShopFloor:
    """What a map has to make sense in: the floor's extent in metres, and the zones on it."""

    extent_m: tuple[float, float, float, float]
    zones: Sequence[Zone]


def judge(
    rows: Iterable[Sequence[float]],
    size: tuple[int, int],
    shop: ShopFloor,
    tapes: Sequence[Sequence[float]] = (),
) -> MapVerdict:
    """Pairs (u, v, x, y) of a picture of (width, height), and tapes (u0, v0, u1, v1, metres) that lay on the
    floor in it. Raises CalibrationError for what is no pair.
    """
    pairs = pairs_of(rows)
    refused = _about_places(pairs, size)
    if len(pairs) < 4:
        return MapVerdict([f"{len(pairs)} of at least {LEAST_PAIRS} pairs: click more", *refused], [])
    try:
        fit = fit_floor(pairs)
    except CalibrationError as error:
        return MapVerdict([str(error), *refused], [])
    if len(pairs) < LEAST_PAIRS:
        refused.append(f"{len(pairs)} pairs always fit: with {LEAST_PAIRS} or more the error can be told")
    refused += _about_fit(fit, size, shop)
    left_out = fit.left_out_errors_m[np.isfinite(fit.left_out_errors_m)]
    p95_m = float(np.percentile(left_out, 95)) if len(left_out) else None
    remarks = warnings_for(fit, size)
    lengths_m = [_length_m(fit.homography, tape) for tape in tapes]
    for tape, length_m in zip(tapes, lengths_m, strict=True):
        _judge_tape(tape[4], length_m, refused, remarks)
    if p95_m is not None and p95_m > POOR_LEFT_OUT_M:
        remarks.append(
            f"from the others a point is predicted to {p95_m * 100:.0f} cm only (95 % of them to better); "
            f"{POOR_LEFT_OUT_M * 100:.0f} cm are good"
        )
    return MapVerdict(
        refused,
        remarks,
        [_cm(error) for error in fit.errors_m],
        [_cm(error) for error in fit.left_out_errors_m],
        None if p95_m is None else round(100 * p95_m, 1),
        _grid(fit.homography, size, shop.extent_m),
        [None if not np.isfinite(length_m) else round(length_m, 3) for length_m in lengths_m],
        "" if refused else yaml_block(fit, size),
        [] if refused else [[float(f"{value:.9g}") for value in row] for row in fit.homography.matrix],
    )


def _about_places(pairs: PointPairs, size: tuple[int, int]) -> list[str]:
    """Where the points lie, whatever map they fix."""
    if len(pairs) < 3:
        return []
    refused = []
    for points, where in ((pairs.image_px, "in the picture"), (pairs.floor_m, "on the floor")):
        _, singular, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
        if singular[1] < THIN * max(singular[0], 1e-9):
            refused.append(f"the points lie almost on one line {where}: click some to its sides")
    share = _area(hull_of(pairs.image_px)) / (size[0] * size[1])
    if not refused and len(pairs) >= 4 and share < LEAST_HULL:
        refused.append(
            f"the points span {share:.0%} of the picture, {LEAST_HULL:.0%} are needed: spread them over it"
        )
    return refused


def _about_fit(fit: FloorFit, size: tuple[int, int], shop: ShopFloor) -> list[str]:
    refused = []
    if np.linalg.det(fit.homography.matrix) <= 0:
        refused.append("the floor is mirrored: were x and y swapped? x grows to the right, y downwards")
    cut = [zone.name for zone in shop.zones if _horizon_cuts(fit.homography, zone, size)]
    if cut:
        refused.append(f"the horizon runs through {', '.join(cut)}: some point is wrong")
    refused += [
        f"point {index + 1} misses by {fit.errors_m[index]:.2f} m where the others agree: measure it again"
        for index in np.flatnonzero(fit.wild)
    ]
    return refused


def _length_m(floor: Homography, tape: Sequence[float]) -> float:
    """Between the two ends of a tape, as the map has them; nan where one is not on the floor."""
    begin, end = floor.to_floor([tape[0:2], tape[2:4]])
    return float(np.hypot(*(end - begin)))


def _judge_tape(told_m: float, length_m: float, refused: list[str], remarks: list[str]) -> None:
    off_m = abs(length_m - told_m) * TAPE_M / max(told_m, TAPE_M / 4)
    if not np.isfinite(length_m):
        refused.append("an end of the tape lies beyond the horizon: click its ends on the floor")
    elif off_m > WRONG_TAPE_M:
        refused.append(f"a tape of {told_m:g} m is {length_m:.2f} m on this map: some point is wrong")
    elif off_m > POOR_TAPE_M:
        remarks.append(f"a tape of {told_m:g} m is {length_m:.2f} m on this map: add points near it")


def _horizon_cuts(floor: Homography, zone: Zone, size: tuple[int, int]) -> bool:
    """Whether some of a zone is in the picture and some of it beyond the horizon."""
    corners = np.array([*zone.polygon, zone.polygon[0]])
    outline = np.concatenate(
        [
            begin + np.linspace(0, 1, LINE_STEPS)[:, None] * (end - begin)
            for begin, end in itertools.pairwise(corners)
        ]
    )
    places = floor.to_image(outline)
    before = np.isfinite(places[:, 0])
    seen = before & (places >= 0).all(axis=1) & (places < size).all(axis=1)
    return bool(seen.any() and not before.all())


def _grid(
    floor: Homography, size: tuple[int, int], extent_m: tuple[float, float, float, float]
) -> list[list[tuple[float, float]]]:
    """Lines of the floor every metre, or wider where that would be too many, in pixels."""
    x0, y0, x1, y1 = extent_m
    step_m = GRID_M
    while ((x1 - x0) + (y1 - y0)) / step_m > MAX_GRID_LINES:
        step_m *= 2
    along = np.linspace(0, 1, 2 * LINE_STEPS)
    lines = [
        np.column_stack([np.full(len(along), x), y0 + along * (y1 - y0)])
        for x in np.arange(np.ceil(x0 / step_m), np.floor(x1 / step_m) + 1) * step_m
    ]
    lines += [
        np.column_stack([x0 + along * (x1 - x0), np.full(len(along), y)])
        for y in np.arange(np.ceil(y0 / step_m), np.floor(y1 / step_m) + 1) * step_m
    ]
    return [piece for line in lines for piece in _pieces(floor.to_image(line), size)]


def _pieces(line: Floats, size: tuple[int, int]) -> list[list[tuple[float, float]]]:
    """The parts of a line that the picture shows, or nearly."""
    shown = np.isfinite(line[:, 0]) & (np.abs(line) < 2 * max(size)).all(axis=1)
    parts: list[list[tuple[float, float]]] = [[]]
    for point, is_shown in zip(line, shown, strict=True):
        if is_shown:
            parts[-1].append((round(float(point[0]), 1), round(float(point[1]), 1)))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if len(part) > 1]


def _area(corners: Floats) -> float:
    x, y = corners.T
    return 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def _cm(metres: Any) -> float | None:
    return round(float(metres) * 100, 1) if np.isfinite(metres) else None
