"""The floor's metres drawn over the camera's picture, so that a person sees whether the map is right."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calibration.floor.fit import FloorFit
from calibration.floor.report import errors_in_words
from calibration.floor.warnings import hull_of, view_pixels

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[Any]
Colour = tuple[int, int, int]

GOOD: Colour = (120, 220, 90)
FAIR: Colour = (60, 190, 250)
ROUGH: Colour = (70, 70, 235)
POINT: Colour = (255, 255, 255)
DARK: Colour = (25, 25, 25)
FAIR_SIGMA_M, ROUGH_SIGMA_M = 0.2, 0.5
SPACINGS_M = ((0.5, 2.0), (1.0, 5.0), (2.0, 10.0), (5.0, 20.0), (10.0, 50.0))
"""Metres between fine lines and between strong, labelled lines."""
LEAST_SPACING_PX = 18
FARTHEST_SCALE = 5
"""Floor seen at a scale so many times coarser than at the points is not drawn."""
LINE_STEPS = 300
MISS_ZOOM = 5
"""Misses are drawn so many times longer than they are."""


def draw_floor(picture: Image, fit: FloorFit) -> Image:
    """The picture (H, W, 3) BGR with grid lines, the points, their misses and a legend strip below.

    Strong lines carry their coordinate. Lines are green where the map is good to 0.2 m,
    amber to 0.5 m and red beyond.
    """
    height, width = picture.shape[:2]
    fine_m, strong_m = _spacings_m(fit)
    drawn = np.array(picture)
    _draw_lines(drawn, fit, fine_m, 0.45)
    labels = _draw_lines(drawn, fit, strong_m, 0.9)
    for pixels, text, axis in labels:
        _label(drawn, pixels, text, axis)
    _draw_hull(drawn, fit)
    _draw_points(drawn, fit)
    told = f"a fine line every {fine_m:g} m, a strong one every {strong_m:g} m"
    legend = _legend(fit, told, width, _text_scale(height))
    return np.asarray(np.vstack([drawn, legend]), dtype=np.uint8)


def _spacings_m(fit: FloorFit) -> tuple[float, float]:
    """The finest spacings that leave room between lines around the points."""
    scale = float(np.median(fit.homography.metres_per_pixel(fit.pairs.image_px)))
    return next((pair for pair in SPACINGS_M if pair[0] >= LEAST_SPACING_PX * scale), SPACINGS_M[-1])


def _draw_lines(
    image: Image, fit: FloorFit, spacing_m: float, strength: float
) -> list[tuple[Floats, str, int]]:
    """Blends lines of constant x and y into the picture; returns each line's pixels, name and axis."""
    height, width = image.shape[:2]
    (x0, y0), (x1, y1) = _floor_in_view(fit, (width, height))
    drawn, lines = np.array(image), []
    for axis, (low, high, start, end) in enumerate(((x0, x1, y0, y1), (y0, y1, x0, x1))):
        along = np.linspace(start, end, LINE_STEPS)
        for value in np.arange(np.ceil(low / spacing_m), np.floor(high / spacing_m) + 1) * spacing_m:
            fixed = np.full(LINE_STEPS, value)
            floor = np.column_stack([fixed, along] if axis == 0 else [along, fixed])
            pixels = fit.homography.to_image(floor)
            _draw_line(drawn, pixels, fit)
            lines.append((pixels, f"{'xy'[axis]} {value:g}", axis))
    cv2.addWeighted(drawn, strength, image, 1 - strength, 0, dst=image)
    return lines


def _floor_in_view(fit: FloorFit, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Least and greatest floor coordinates of what the picture shows at a usable scale."""
    view = view_pixels(size)
    with np.errstate(invalid="ignore"):
        scale = fit.homography.metres_per_pixel(view)
    usable = FARTHEST_SCALE * float(np.median(fit.homography.metres_per_pixel(fit.pairs.image_px)))
    near = np.isfinite(scale) & (scale < usable)
    seen = np.concatenate([fit.homography.to_floor(view[near]), fit.pairs.floor_m])
    return np.asarray(seen.min(axis=0)), np.asarray(seen.max(axis=0))


def _draw_line(image: Image, pixels: Floats, fit: FloorFit) -> None:
    height, width = image.shape[:2]
    with np.errstate(invalid="ignore"):
        near = (pixels > -width) & (pixels < 2 * np.array([width, height]))
    inside = np.asarray(near.all(axis=1))
    sigma = fit.position_sigma_m(np.where(inside[:, None], pixels, 0.0))
    scale = 1 if height < 900 else 2
    for index in np.flatnonzero(inside[:-1] & inside[1:]):
        start, end = (tuple(np.rint(pixels[at]).astype(int).tolist()) for at in (index, index + 1))
        cv2.line(image, start, end, _colour(sigma[index]), scale, cv2.LINE_AA)


def _colour(sigma_m: float) -> Colour:
    if not np.isfinite(sigma_m) or sigma_m > ROUGH_SIGMA_M:
        return ROUGH
    return GOOD if sigma_m <= FAIR_SIGMA_M else FAIR


def _label(image: Image, pixels: Floats, text: str, axis: int) -> None:
    """Writes the line's coordinate where it meets the picture's edge: x lines low down, y lines at a side."""
    height, width = image.shape[:2]
    scale = _text_scale(height)
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    margin = text_height
    inside = (
        np.isfinite(pixels).all(axis=1)
        & (pixels[:, 0] >= margin)
        & (pixels[:, 0] < width - text_width - margin)
        & (pixels[:, 1] >= 2 * margin)
        & (pixels[:, 1] < height - margin)
    )
    if not inside.any():
        return
    candidates = pixels[inside]
    best = candidates[np.argmax(candidates[:, 1] if axis == 0 else candidates[:, 0])]
    at = int(best[0]), int(best[1])
    patch = image[at[1] - text_height - 3 : at[1] + 4, at[0] - 3 : at[0] + text_width + 3]
    if (patch == np.array(DARK, np.uint8)).all(axis=2).any():
        return
    _on_plate(image, text, at, scale)


def _draw_hull(image: Image, fit: FloorFit) -> None:
    corners = np.rint(hull_of(fit.pairs.image_px)).astype(np.int32)
    cv2.polylines(image, [corners], True, POINT, 1, cv2.LINE_AA)


def _draw_points(image: Image, fit: FloorFit) -> None:
    radius = max(4, image.shape[0] // 140)
    scale = _text_scale(image.shape[0])
    mapped = fit.homography.to_image(fit.pairs.floor_m)
    for index, (pixel, landed) in enumerate(zip(fit.pairs.image_px, mapped, strict=True)):
        at = round(float(pixel[0])), round(float(pixel[1]))
        colour = ROUGH if fit.wild[index] else POINT
        if np.isfinite(landed).all():
            tip = pixel + (landed - pixel) * MISS_ZOOM
            cv2.line(image, at, (int(tip[0]), int(tip[1])), ROUGH, 2, cv2.LINE_AA)
        cv2.circle(image, at, radius, DARK, -1, cv2.LINE_AA)
        cv2.circle(image, at, radius, colour, 2, cv2.LINE_AA)
        _on_plate(image, str(index + 1), (at[0] + radius + 4, at[1] - radius), scale)


def _legend(fit: FloorFit, spacing: str, width: int, scale: float) -> Image:
    line_height = int(34 * scale)
    strip = np.full((3 * line_height, width, 3), DARK, np.uint8)
    told = f"{len(fit.pairs)} points, {errors_in_words(fit)}"
    _write(strip, told, (10, int(0.9 * line_height)), scale, POINT)
    _write(
        strip,
        f"{spacing}; red strokes at points: {MISS_ZOOM} x the miss",
        (10, int(1.75 * line_height)),
        scale,
        POINT,
    )
    x = 10
    for colour, text in (
        (GOOD, f"map good to {FAIR_SIGMA_M:g} m"),
        (FAIR, f"to {ROUGH_SIGMA_M:g} m"),
        (ROUGH, "worse: too far from the points"),
    ):
        y = int(2.6 * line_height)
        cv2.line(strip, (x, y - int(6 * scale)), (x + 24, y - int(6 * scale)), colour, 3, cv2.LINE_AA)
        _write(strip, text, (x + 32, y), scale, POINT)
        x += 32 + cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] + 24
    return strip


def _on_plate(image: Image, text: str, at: tuple[int, int], scale: float) -> None:
    """Text on a dark plate: letters of another weight are of another width in OpenCV 5, no outline fits."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    cv2.rectangle(image, (at[0] - 3, at[1] - height - 3), (at[0] + width + 2, at[1] + 3), DARK, -1)
    _write(image, text, at, scale, POINT)


def _write(image: Image, text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _text_scale(height: int) -> float:
    return max(0.42, height / 1300)
