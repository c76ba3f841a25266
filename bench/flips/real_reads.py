"""Tag reads that others recorded with a real reader, as read tables."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path

import numpy as np

from rfid_reader.reads import TWO_PI, ReadTable

COLUMNS = ("timestamp", "antenna", "rssi", "epc", "phase_angle", "channel_index")

WALK_LABELS = {7, 8, 9, 10, 11}
STILL_WITHIN_DB = 6.0


def still_part(reads: ReadTable) -> ReadTable:
    """Of a recording of a tag that is said to lie still, what follows the last second whose median level is
    more than STILL_WITHIN_DB off the recording's own.

    In one of the 31 of rfid-r420-locate (Test13d-7-45) the level rises by 30 dB in the first four seconds,
    and phases turn within one channel: the tag is being put in its place. In the others it keeps to 4 dB.
    """
    second = np.floor(reads.time_s - reads.time_s[0])
    usual_dbm = float(np.median(reads.rssi_dbm))
    off = [
        one
        for one in np.unique(second).tolist()
        if abs(float(np.median(reads.rssi_dbm[second == one])) - usual_dbm) > STILL_WITHIN_DB
    ]
    return reads.take(second > max(off)) if off else reads


def load_locate(path: Path) -> ReadTable:
    """One file of the set rfid-r420-locate (sllurp's log of an Impinj R420) in time order.

    EPCs are written as Python bytes there, phases as 0..4095, RSSI as whole dBm.
    """
    rows: list[tuple[float, str, int, int, float, float]] = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            values = [row.get(name) for name in COLUMNS]
            if any(value in (None, "") for value in values):
                continue
            time_s, antenna, rssi, epc, phase, channel = (str(value) for value in values)
            rows.append(
                (
                    float(time_s),
                    epc.strip("b'\" ").lower(),
                    int(float(antenna)),
                    int(float(channel)),
                    float(rssi),
                    float(phase) % 4096 * TWO_PI / 4096,
                )
            )
    return ReadTable.from_columns(*zip(*rows, strict=True)).in_time_order() if rows else ReadTable.empty()


def load_rda(path: Path) -> ReadTable:
    """One file of the set rfid-cwnu-rda (an Impinj R420, one antenna, one channel; no channel column)."""
    rows: list[tuple[float, str, float, float]] = []
    for line in path.read_text().splitlines():
        parts = line.split()
        if len(parts) < 6:
            continue
        tag, micros, _, rssi, phase = parts[-6:-1] if len(parts) > 6 else parts[:5]
        rows.append((float(micros) / 1e6, f"{int(tag):04x}", float(rssi), float(phase) % TWO_PI))
    if not rows:
        return ReadTable.empty()
    times, tags, rssi_dbm, phases = zip(*rows, strict=True)
    ones = [1] * len(rows)
    return ReadTable.from_columns(times, tags, ones, ones, rssi_dbm, phases).in_time_order()


def spread_in_cells(reads: ReadTable, gap_s: float = 0.25, least: int = 5) -> tuple[list[float], list[float]]:
    """Phase and RSSI standard deviations within dwells: reads of one tag, antenna and channel without a gap.

    Phase in radians (circular), RSSI in dB; one value a dwell with at least `least` reads.
    """
    import numpy as np

    phase_sd, rssi_sd = [], []
    _, tag = np.unique(reads.epc, return_inverse=True)
    key = (tag.astype(np.int64) * 256 + reads.antenna) * 1024 + reads.channel
    order = np.lexsort((reads.time_s, key))
    breaks = np.flatnonzero((np.diff(key[order]) != 0) | (np.diff(reads.time_s[order]) > gap_s)) + 1
    for rows in np.split(order, breaks):
        if len(rows) >= least:
            length = abs(np.exp(1j * reads.phase_rad[rows]).mean())
            phase_sd.append(math.sqrt(-2 * math.log(max(min(length, 1.0), 1e-9))))
            rssi_sd.append(float(reads.rssi_dbm[rows].std()))
    return phase_sd, rssi_sd


def load_gesture(path: Path) -> ReadTable:
    """One file of the set rfid-body-gestures (ItemTest's export of an Impinj reader on one channel): numbers
    have a decimal comma."""
    rows: list[tuple[float, str, int, float, float]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.reader(line for line in file if not line.startswith("//")):
            if len(row) < 8 or not row[1]:
                continue
            at = datetime.fromisoformat(row[0][:26] + row[0][27:])
            rssi, phase = (float(row[place].replace(",", ".")) for place in (4, 7))
            rows.append((at.timestamp(), row[1].lower(), int(row[3]), rssi, phase % TWO_PI))
    if not rows:
        return ReadTable.empty()
    times, epcs, antennas, rssi_dbm, phases = zip(*rows, strict=True)
    return ReadTable.from_columns(times, epcs, antennas, [1] * len(rows), rssi_dbm, phases).in_time_order()
