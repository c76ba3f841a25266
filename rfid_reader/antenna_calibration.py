"""A quiet store's recording, made into what a technician and a detector need to know about its antennas.

Pure functions over a read table of a time when nobody handled anything: the noise of every
tag-antenna-channel cell, how often each tag is read, which antenna sees which tag, and what is dead or odd.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from rfid_reader.errors import AntennaCalibrationError
from rfid_reader.half_turns import MOST_SHARE, counted, doubled, share_of, steps_within_cells
from rfid_reader.reads import ReadTable

LEAST_SECONDS = 10.0
LEAST_RATE_HZ = 0.4
LEAST_TAGS = 3
"""Of fewer tags nothing is said about whose they are."""
WEAK_DBM = -72.0
DEAF_DB = 15.0
UNSTEADY_RAD = 0.6
MAX_FILE_BYTES = 256 << 20
FORMAT = 1


class AntennaCell(msgspec.Struct, frozen=True, array_like=True):
    """One tag on one antenna and channel: mean phase and its strength (mean resultant length, 1 = steady),
    phase noise (circular standard deviation), mean RSSI and its noise, and the reads behind it."""

    antenna: int
    channel: int
    reads: int
    phase_rad: float
    phase_strength: float
    phase_noise_rad: float
    rssi_dbm: float
    rssi_noise_db: float


class AntennaSummary(msgspec.Struct, frozen=True):
    """What one antenna heard: reads a second, tags, its median RSSI and noise."""

    antenna: int
    reads_per_s: float
    tags: int
    rssi_dbm: float
    phase_noise_rad: float | None


class FlipTrial(msgspec.Struct, frozen=True):
    """Garments turned on request in this store, how many of them were found at `threshold`, and false
    alarms in `tag_hours` of tags that hung still.
    """

    threshold: float
    turned: int
    found: int
    false_alarms: int
    tag_hours: float


class AntennaCalibration(msgspec.Struct, frozen=True):
    """The result of a quiet recording. rates are reads a second by EPC; strongest is the antenna that hears a
    tag best; findings are sentences for the technician. racks: EPCs in the order in which they hang, by
    rack. trial: what turning garments on request found. half_turns: share of the phase steps of still tags
    that are half a turn (unknown after too few steps); where it is high, phases_doubled says that the cells'
    phases are of doubled angles, as the detector then takes them."""

    duration_s: float
    antennas: list[AntennaSummary]
    rates: dict[str, float]
    strongest: dict[str, int]
    findings: list[str]
    cells: dict[str, list[AntennaCell]]
    racks: dict[str, list[str]] = {}
    trial: FlipTrial | None = None
    half_turns: float | None = None
    phases_doubled: bool = False
    format: int = FORMAT

    def misfit(self, epcs: Collection[str]) -> str:
        """Says that it knows fewer than half of the tags that are read; empty where it knows them."""
        known = sum(epc in self.rates for epc in epcs)
        if len(epcs) < LEAST_TAGS or 2 * known >= len(epcs):
            return ""
        return (
            f"the calibration knows {known or 'none'} of the {len(epcs)} tags that are read, so flips are "
            "missed: is it another store's, or has what hangs here changed? tagsight calibrate antenna makes "
            "a new one"
        )


def _cells(reads: ReadTable) -> dict[str, list[AntennaCell]]:
    epcs, tag = np.unique(reads.epc, return_inverse=True)
    key = (tag.astype(np.int64) * 256 + reads.antenna) * 1024 + reads.channel
    keys, cell = np.unique(key, return_inverse=True)
    count = np.bincount(cell).astype(np.float64)
    rssi = np.nan_to_num(reads.rssi_dbm)
    mean = np.bincount(cell, rssi) / count
    noise = np.sqrt(np.bincount(cell, (rssi - mean[cell]) ** 2) / count)
    turning = np.where(np.isnan(reads.phase_rad), 0, np.exp(1j * np.nan_to_num(reads.phase_rad)))
    phasor = (np.bincount(cell, turning.real) + 1j * np.bincount(cell, turning.imag)) / count
    result: dict[str, list[AntennaCell]] = {str(epc): [] for epc in epcs}
    for row, whole in enumerate(keys.tolist()):
        strength = float(min(abs(phasor[row]), 1.0))
        result[str(epcs[whole // (256 * 1024)])].append(
            AntennaCell(
                antenna=whole // 1024 % 256,
                channel=whole % 1024,
                reads=int(count[row]),
                phase_rad=round(float(np.angle(phasor[row])) % (2 * math.pi), 4),
                phase_strength=round(strength, 4),
                phase_noise_rad=round(math.sqrt(-2 * math.log(max(strength, 1e-6))), 4),
                rssi_dbm=round(float(mean[row]), 2),
                rssi_noise_db=round(float(noise[row]), 3),
            )
        )
    return result


def _noise(cells: list[AntennaCell]) -> float | None:
    """Median phase noise of cells with several reads, None without any."""
    values = [cell.phase_noise_rad for cell in cells if cell.reads >= 3 and cell.phase_strength > 0]
    return round(float(np.median(values)), 4) if values else None


def _summaries(
    reads: ReadTable, cells: dict[str, list[AntennaCell]], duration_s: float
) -> list[AntennaSummary]:
    summaries = []
    for antenna in np.unique(reads.antenna).tolist():
        here = reads.antenna == antenna
        own = [cell for tag_cells in cells.values() for cell in tag_cells if cell.antenna == antenna]
        summaries.append(
            AntennaSummary(
                antenna=int(antenna),
                reads_per_s=round(float(here.sum()) / duration_s, 2),
                tags=len(np.unique(reads.epc[here])),
                rssi_dbm=round(float(np.nanmedian(reads.rssi_dbm[here])), 1),
                phase_noise_rad=_noise(own),
            )
        )
    return summaries


def _own_levels(cells: dict[str, list[AntennaCell]]) -> dict[int, float]:
    """Median RSSI in dBm, by antenna, of the tags that it hears best."""
    levels: dict[int, list[float]] = {}
    for own in cells.values():
        antenna = _strongest(own)
        levels.setdefault(antenna, []).append(max(cell.rssi_dbm for cell in own if cell.antenna == antenna))
    return {antenna: float(np.median(values)) for antenna, values in levels.items()}


def _findings(
    summaries: list[AntennaSummary],
    rates: dict[str, float],
    antennas: tuple[int, ...],
    cells: dict[str, list[AntennaCell]],
) -> list[str]:
    heard = {summary.antenna for summary in summaries}
    findings = [
        f"antenna {antenna} heard nothing: check its cable and its port"
        for antenna in antennas
        if antenna not in heard
    ]
    own_dbm = _own_levels(cells)
    for summary in summaries:
        others = [level for antenna, level in own_dbm.items() if antenna != summary.antenna]
        if summary.antenna not in own_dbm:
            if others and len(cells) > len(summaries):
                findings.append(
                    f"antenna {summary.antenna} hears tags, but none better than other antennas do: "
                    "check its power, cable and direction"
                )
        elif others and own_dbm[summary.antenna] < float(np.median(others)) - DEAF_DB:
            weaker_db = float(np.median(others)) - own_dbm[summary.antenna]
            findings.append(
                f"antenna {summary.antenna} hears tags {weaker_db:.0f} dB weaker than other antennas hear "
                "theirs: check its power, cable and direction"
            )
        if summary.phase_noise_rad is not None and summary.phase_noise_rad > UNSTEADY_RAD:
            findings.append(
                f"antenna {summary.antenna}: phases of still tags vary by {summary.phase_noise_rad:.2f} rad; "
                "the store was not quiet, or something near it moves"
            )
    seldom = [epc for epc, rate in rates.items() if rate < LEAST_RATE_HZ]
    if seldom:
        findings.append(
            f"{len(seldom)} of {len(rates)} tags are read less than {LEAST_RATE_HZ} times a second "
            f"(first: {seldom[0]}): their flips cannot be seen; add an antenna or use a faster mode"
        )
    weak = [epc for epc, own in cells.items() if max(cell.rssi_dbm for cell in own) < WEAK_DBM]
    if weak:
        findings.append(f"{len(weak)} tags are heard below {WEAK_DBM:.0f} dBm only (first: {weak[0]})")
    return findings


def calibrate_still(reads: ReadTable, antennas: tuple[int, ...] = ()) -> AntennaCalibration:
    """Learn noise floor, read rates and antenna state from reads of a quiet store.

    antennas: the ids that should have heard something, so that a dead one is found. Reads without RSSI are
    left out. Raises AntennaCalibrationError if the recording is too short or empty, or has no RSSI.
    """
    if not len(reads):
        raise AntennaCalibrationError(
            "the recording holds no reads; a minute of a quiet store would be right"
        )
    duration_s = float(reads.time_s.max() - reads.time_s.min())
    if duration_s < LEAST_SECONDS:
        raise AntennaCalibrationError(
            f"the recording lasts {duration_s:.1f} s; at least {LEAST_SECONDS:.0f} s would be right"
        )
    reads = reads.take(~np.isnan(reads.rssi_dbm))
    if not len(reads):
        raise AntennaCalibrationError("no read has an RSSI; a reader that reports PeakRSSI would be right")
    half_turns = share_of(counted(steps_within_cells(reads)))
    ambiguous = half_turns is not None and half_turns > MOST_SHARE
    if ambiguous:
        reads = doubled(reads)
    cells = _cells(reads)
    summaries = _summaries(reads, cells, duration_s)
    rates = {epc: round(sum(cell.reads for cell in own) / duration_s, 3) for epc, own in cells.items()}
    strongest = {epc: _strongest(own) for epc, own in cells.items()}
    return AntennaCalibration(
        duration_s=round(duration_s, 3),
        antennas=summaries,
        rates=rates,
        strongest=strongest,
        findings=[
            *([_half_turns_sentence(half_turns)] if half_turns is not None and ambiguous else []),
            *_findings(summaries, rates, antennas, cells),
        ],
        cells=cells,
        half_turns=None if half_turns is None else round(half_turns, 4),
        phases_doubled=ambiguous,
    )


def _half_turns_sentence(share: float) -> str:
    return (
        f"this reader's phases jump by half a turn at random ({100 * share:.0f} % of the steps of still "
        "tags): they are used modulo half a turn, which costs some flips of weak tags; a reader mode or "
        "firmware that resolves the half turn would be better"
    )


def _strongest(cells: list[AntennaCell]) -> int:
    """The antenna with the highest mean RSSI among those that read the tag at least a tenth as often as the
    best.
    """
    reads: dict[int, int] = {}
    power: dict[int, float] = {}
    for cell in cells:
        reads[cell.antenna] = reads.get(cell.antenna, 0) + cell.reads
        power[cell.antenna] = power.get(cell.antenna, 0.0) + cell.reads * cell.rssi_dbm
    most = max(reads.values())
    return max(
        (antenna for antenna in reads if reads[antenna] >= 0.1 * most),
        key=lambda a: (power[a] / reads[a], -a),
    )


def save_calibration(path: str | Path, calibration: AntennaCalibration) -> None:
    """Write a calibration as YAML: the readable part line by line, the cells one tag a line."""
    data: dict[str, Any] = msgspec.to_builtins(calibration)
    cells = data.pop("cells")
    text = yaml.safe_dump(data, sort_keys=False, width=1000)
    lines = [f"  {epc!r}: {msgspec.json.encode(own).decode()}\n" for epc, own in cells.items()]
    try:
        Path(path).write_text(text + "cells:\n" + "".join(lines), encoding="utf-8")
    except OSError as error:
        raise AntennaCalibrationError(f"{path}: cannot be written: {error.strerror}") from None


def load_calibration(path: str | Path) -> AntennaCalibration:
    """Read a calibration. Raises AntennaCalibrationError naming what is wrong."""
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise AntennaCalibrationError(
                f"{path}: larger than {MAX_FILE_BYTES} bytes; not an antenna calibration"
            )
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
        calibration = msgspec.convert(data, AntennaCalibration)
    except OSError as error:
        raise AntennaCalibrationError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise AntennaCalibrationError(
            f"{path}: not an antenna calibration ({' '.join(str(error).split())[:200]}); "
            "make one with: tagsight calibrate antenna STILL_READS --out CAL.yaml"
        ) from None
    if calibration.format != FORMAT:
        raise AntennaCalibrationError(f"{path}: format {calibration.format}; {FORMAT} would be right")
    return calibration
