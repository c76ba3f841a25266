"""One cell of a read table: what is right in each column, one by one and a whole column at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_EPC_DIGITS = 124
LATEST_S = 1e11
"""No time of a read in seconds: milliseconds since 1970 are beyond it."""
RSSI_DBM = (-200.0, 100.0)
"""Beyond these a value is no power in dBm (hundredths of dBm are)."""
PHASE_RAD = (-2 * math.tau, 2 * math.tau)
"""Beyond these a value is no phase in radians (degrees and a reader's own steps are)."""
ANTENNAS = (1, 255)
CHANNELS = (0, 1023)
_HEX_DIGITS = frozenset("0123456789abcdef")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is not a number" if text.strip() else "the value is missing"
        ) from None


def _within(text: str, lowest: float, highest: float, what: str) -> float:
    value = _number(text)
    if lowest <= value <= highest:
        return value
    raise ValueError(f"{value:g} is no {what}" if math.isfinite(value) else f"{text} is not a finite number")


def _known(text: str, lowest: float, highest: float, what: str) -> float:
    """As `_within`; NaN for an empty cell, and for the NaN that other programs write in its place."""
    if not text or text.isspace():
        return math.nan
    value = _number(text)
    return value if lowest <= value <= highest or math.isnan(value) else _within(text, lowest, highest, what)


def _integer(text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        number = _within(text, -math.inf, math.inf, "number")
        if not number.is_integer():
            raise ValueError(f"{text} is not a whole number") from None
        value = int(number)
    if not lowest <= value <= highest:
        raise ValueError(f"{value} is outside {lowest}..{highest}")
    return value


def _channel(text: str) -> int:
    if not text or text.isspace() or text.strip().lower() == "nan":
        return 0
    return _integer(text, *CHANNELS)


def _time(text: str) -> float:
    return _within(text, -LATEST_S, LATEST_S, "time in seconds (milliseconds?)")


def _epc(text: str) -> str:
    epc = text.strip().lower()
    if not epc or len(epc) > MAX_EPC_DIGITS or not _HEX_DIGITS.issuperset(epc):
        raise ValueError(f"{text[:40]!r} is not an EPC (1 to {MAX_EPC_DIGITS} hex digits)")
    return epc


def _rssi(text: str) -> float:
    return _known(text, *RSSI_DBM, "power in dBm (hundredths of dBm?)")


def _phase(text: str) -> float:
    return _known(text, *PHASE_RAD, "phase in radians (degrees?)") % math.tau


PARSERS = {
    "time_s": _time,
    "epc": _epc,
    "antenna": lambda text: _integer(text, *ANTENNAS),
    "channel": _channel,
    "rssi_dbm": _rssi,
    "phase_rad": _phase,
}
"""From a column's name to what reads one cell; each raises ValueError saying what is wrong with it."""


_BOUNDS = {
    "time_s": (-LATEST_S, LATEST_S, False),
    "antenna": (*ANTENNAS, True),
    "channel": (*CHANNELS, True),
    "rssi_dbm": (*RSSI_DBM, False),
    "phase_rad": (*PHASE_RAD, False),
}
"""Lowest, highest, and whether only whole numbers are right."""


def text_of(value: object) -> str:
    """A Parquet value as a CSV file has it: nothing for null."""
    if value is None:
        return ""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def sound_column(name: str, column: Any) -> NDArray[Any] | None:
    """What PARSERS make of every cell of a column (a pyarrow Array), at once.

    None where they have to be judged one by one: one of them may be at fault, or it is of an unusual type.
    """
    if name == "epc":
        return _sound_epcs(column)
    try:
        values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False).astype(
            np.float64, casting="same_kind"
        )
    except TypeError:
        return None
    if name == "channel":
        values = np.where(np.isnan(values), 0.0, values)
    lowest, highest, whole = _BOUNDS[name]
    sound = (values >= lowest) & (values <= highest)
    if whole:
        sound &= values == np.floor(values)
    elif name != "time_s":
        sound |= np.isnan(values)
    if not np.all(sound):
        return None
    return values % math.tau if name == "phase_rad" else values


def _sound_epcs(column: Any) -> NDArray[Any] | None:
    """Every different EPC is judged once."""
    try:
        encoded = column.dictionary_encode()
    except NotImplementedError:
        return None
    if encoded.null_count:
        return None
    try:
        different = [_epc(text_of(value)) for value in encoded.dictionary.to_pylist()]
    except ValueError:
        return None
    epcs: NDArray[np.str_] = np.array(different, np.str_)[encoded.indices.to_numpy(zero_copy_only=False)]
    return epcs
