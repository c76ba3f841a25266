"""Pictures of a quiet store: how often which antenna reads which tag, and the noise by channel."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rfid_reader.antenna_calibration import AntennaCalibration

Image = npt.NDArray[Any]
Values = npt.NDArray[np.float64]

CELL_W, LEAST_CELL_H, MOST_CELL_H = 90, 4, 18
MAP_HEIGHT = 720
MARGIN, TOP, GAP, FOOT = 30, 64, 70, 24
LEAST_DIGITS, MOST_DIGITS = 8, 14
LEAST_NUMBER_H = 12
"""Cells of this height have room for their number."""
CHANNEL_W_TOTAL = 640
MAP_TITLE, TITLE_SIZE = "reads a second by tag and antenna", 0.5
TEXT_SIZE, NUMBER_SIZE = 0.42, 0.35
UNKNOWN_BGR = (225, 225, 225)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def ordered_tags(calibration: AntennaCalibration) -> list[str]:
    """EPCs as they hang where that was learned, then by the antenna that hears them best and their rate."""
    hung = [epc for epcs in calibration.racks.values() for epc in epcs if epc in calibration.rates]
    known = set(hung)
    others = [epc for epc in calibration.rates if epc not in known]
    return hung + sorted(others, key=lambda epc: (calibration.strongest[epc], -calibration.rates[epc], epc))


def short_names(epcs: list[str]) -> list[str]:
    """The end of each EPC, as long as it takes for no two to be alike; where that is too long, its beginning
    and its end."""
    for digits in range(LEAST_DIGITS, MOST_DIGITS + 1, 2):
        if len({epc[-digits:] for epc in epcs}) == len(epcs):
            return [epc if len(epc) <= digits else f"...{epc[-digits:]}" for epc in epcs]
    return [f"{epc[:6]}..{epc[-4:]}" for epc in epcs]


def rate_map(calibration: AntennaCalibration, epcs: list[str]) -> Values:
    """Reads a second, (tags, antennas)."""
    columns = {summary.antenna: column for column, summary in enumerate(calibration.antennas)}
    rates = np.zeros((len(epcs), len(columns)))
    for row, epc in enumerate(epcs):
        for cell in calibration.cells.get(epc, ()):
            rates[row, columns[cell.antenna]] += cell.reads / calibration.duration_s
    return rates


def channel_noise(calibration: AntennaCalibration) -> tuple[list[int], Values, Values]:
    """Channels, and the median phase noise (rad) and RSSI noise (dB) of the tags' cells, (antennas,
    channels); NaN where no cell has three reads.
    """
    rows = {summary.antenna: row for row, summary in enumerate(calibration.antennas)}
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for cells in calibration.cells.values():
        for cell in cells:
            if cell.reads >= 3:
                phase_rad = cell.phase_noise_rad if cell.phase_strength > 0 else math.nan
                found.setdefault((rows[cell.antenna], cell.channel), []).append(
                    (phase_rad, cell.rssi_noise_db)
                )
    channels = sorted({channel for _, channel in found})
    phase, rssi = (np.full((len(rows), len(channels)), np.nan) for _ in range(2))
    for (row, channel), noises in found.items():
        values = np.array(noises)
        column = channels.index(channel)
        rssi[row, column] = np.median(values[:, 1])
        if not np.isnan(values[:, 0]).all():
            phase[row, column] = np.nanmedian(values[:, 0])
    return channels, phase, rssi


def colours(values: Values, best: float, worst: float) -> npt.NDArray[np.uint8]:
    """BGR (..., 3) from green at `best` over yellow to red at `worst`; grey where unknown."""
    share = np.clip((values - best) / (worst - best), 0.0, 1.0)
    share = np.nan_to_num(share)
    green, yellow, red = (np.array(bgr, float) for bgr in ((110, 180, 90), (110, 215, 245), (90, 90, 225)))
    low = green + (yellow - green) * np.minimum(2 * share, 1.0)[..., None]
    mixed = low + (red - yellow) * np.maximum(2 * share - 1, 0.0)[..., None]
    mixed[np.isnan(values)] = UNKNOWN_BGR
    return np.asarray(mixed, np.uint8)


def _write(image: Image, text: str, at: tuple[int, int], size: float = TEXT_SIZE) -> None:
    cv2.putText(image, text, at, FONT, size, (40, 40, 40), 1, cv2.LINE_AA)


def _text_width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, FONT, size, 1)[0][0])


def _grid(image: Image, painted: Image, left: int, top: int, cell_wh: tuple[int, int]) -> None:
    height, width = painted.shape[0] * cell_wh[1], painted.shape[1] * cell_wh[0]
    if height and width:
        image[top : top + height, left : left + width] = cv2.resize(
            painted, (width, height), interpolation=cv2.INTER_NEAREST
        )


def draw_maps(calibration: AntennaCalibration, good_rate_hz: float = 4.0) -> Image:
    """One picture (H, W, 3) uint8 BGR: the read-rate map on the left, noise by antenna and channel on the
    right.
    """
    epcs = ordered_tags(calibration)
    names = short_names(epcs)
    left = 2 * MARGIN + max((_text_width(name, TEXT_SIZE) for name in names), default=0)
    rates = rate_map(calibration, epcs)
    channels, phase, rssi = channel_noise(calibration)
    antennas = [summary.antenna for summary in calibration.antennas]
    cell_h = int(np.clip(MAP_HEIGHT // max(len(epcs), 1), LEAST_CELL_H, MOST_CELL_H))
    legend = f"green: {good_rate_hz:g} a second or more; red: hardly any; grey: not heard"
    map_w = max(
        CELL_W * len(antennas), _text_width(MAP_TITLE, TITLE_SIZE), _text_width(legend, TEXT_SIZE) - left
    )
    noise_left = left + map_w + GAP + 60
    noise_h, noise_w = 26, int(np.clip(CHANNEL_W_TOTAL // max(len(channels), 1), 8, 60))
    width = noise_left + max(noise_w * len(channels), 320) + 40
    height = max(TOP + cell_h * len(epcs), TOP + 2 * (noise_h * len(antennas) + GAP)) + 2 * FOOT
    image = np.full((height, width, 3), 255, np.uint8)
    _write(image, MAP_TITLE, (left, 22), TITLE_SIZE)
    _write(image, legend, (MARGIN, height - FOOT // 2))
    unheard = np.where(rates > 0, rates, np.nan)
    _grid(image, colours(unheard, good_rate_hz, 0.0), left, TOP, (CELL_W, cell_h))
    if cell_h >= LEAST_NUMBER_H:
        for row, column in np.argwhere(rates > 0).tolist():
            at = (left + CELL_W * column + 8, TOP + cell_h * row + min(cell_h, 14) - 2)
            _write(image, f"{rates[row, column]:.1f}", at, NUMBER_SIZE)
    for column, antenna in enumerate(antennas):
        _write(image, f"antenna {antenna}", (left + CELL_W * column + 8, TOP - 10))
    every = max(1, math.ceil(14 / cell_h))
    for row in range(0, len(epcs), every):
        _write(image, names[row], (MARGIN, TOP + cell_h * row + min(cell_h, 14) - 2))
    for number, (title, values, worst) in enumerate(
        (
            ("phase noise by channel, 0 to 0.3 rad", phase, 0.3),
            ("RSSI noise by channel, 0 to 2 dB", rssi, 2.0),
        )
    ):
        top = TOP + number * (noise_h * len(antennas) + GAP)
        _write(image, title, (noise_left, top - 22 if number else 22), TITLE_SIZE)
        _grid(image, colours(values, 0.0, worst), noise_left, top, (noise_w, noise_h))
        for row, antenna in enumerate(antennas):
            _write(image, f"antenna {antenna}", (noise_left - 80, top + noise_h * row + 18))
        for column in range(0, len(channels), max(1, math.ceil(24 / noise_w))):
            _write(image, str(channels[column]), (noise_left + noise_w * column, top - 4), 0.35)
    return image
