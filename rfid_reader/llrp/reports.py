"""Tag reports straight from the bytes of RO_ACCESS_REPORT.

Reports are nearly all of a reader's traffic, so they are not turned into dictionaries first. Every length is
checked against its container: a report that does not add up raises LlrpFrameError, never yields a wrong read.

Fields (LLRP 1.0.1 section 16.2.7.3; Impinj Octane LLRP): PeakRSSI is whole dBm; ImpinjPeakRSSI is 1/100 dBm;
ImpinjRFPhaseAngle is 0..4095 for 0..2 pi; timestamps are microseconds since 1970 (UTC) or since the reader
started. What adds up is handed on as the reader said it, also where it cannot be meant: `batcher` judges
that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from rfid_reader.errors import LlrpFrameError

IMPINJ = 25882
_TAG_REPORT, _EPC_DATA, _CUSTOM = 240, 241, 1023
_RSSI_CENTI_DBM, _PHASE = 57, 56
_ANTENNA, _FIRST_UTC, _FIRST_UPTIME, _LAST_UTC, _LAST_UPTIME, _RSSI, _CHANNEL, _SEEN, _EPC_96 = (
    *range(1, 9),
    13,
)

# Sizes of the TV-encoded parameters' values (LLRP 1.0.1 section 16.2.7.3; 19, 20 are of 1.1).
_TV_BYTES = {
    1: 2, 2: 8, 3: 8, 4: 8, 5: 8, 6: 1, 7: 2, 8: 2, 9: 4, 10: 2, 11: 2, 12: 2, 13: 12, 14: 2, 15: 2, 16: 4,
    17: 2, 18: 4, 19: 2, 20: 2,
}  # fmt: skip
_UINT16, _INT8, _INT16, _UINT64 = (struct.Struct(f"!{code}").unpack_from for code in "HbhQ")
_TLV, _VENDOR = struct.Struct("!HH").unpack_from, struct.Struct("!II").unpack_from
MAX_EPC_BITS = 496
MAX_PADDING_BYTES = 3
PHASE_STEP_RAD = 2 * 3.141592653589793 / 4096


@dataclass(frozen=True)
class TagReport:
    """One tag as a reader reported it. None where the reader did not say, "" for no EPC.

    The stamps are those of the last time the tag was seen. A reader that tells only the first time has told
    the last one too if it has seen the tag once.
    """

    epc: str
    antenna: int | None = None
    channel: int | None = None
    rssi_dbm: float | None = None
    phase_rad: float | None = None
    utc_us: int | None = None
    uptime_us: int | None = None


def _tlv_at(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Type and end of the TLV parameter at `start`, which must lie within `end`."""
    if end - start < 4:
        raise LlrpFrameError("a parameter of a tag report is cut off in its header")
    word, length = _TLV(data, start)
    if length < 4 or start + length > end:
        raise LlrpFrameError(
            f"a parameter of a tag report says {length} bytes, {end - start} are left in its container"
        )
    return word & 0x3FF, start + length


def _epc_data(data: bytes, start: int, end: int) -> str:
    """The EPC of an EPCData parameter in whole bytes, what fills up the last one as zeros.

    Some readers fill up to whole words: zeros beyond the last byte are passed over.
    """
    if end - start < 2:
        raise LlrpFrameError("an EPCData parameter is cut off")
    bits = _UINT16(data, start)[0]
    if bits > MAX_EPC_BITS:
        raise LlrpFrameError(f"an EPCData parameter says {bits} bits ({MAX_EPC_BITS} at most would be right)")
    whole = start + 2 + (bits + 7) // 8
    if whole != end and not (whole < end <= whole + MAX_PADDING_BYTES and not any(data[whole:end])):
        raise LlrpFrameError(f"an EPCData parameter says {bits} bits and holds {end - start - 2} bytes")
    if not bits % 8:
        return data[start + 2 : whole].hex()
    last = data[whole - 1] & (0xFF00 >> bits % 8) & 0xFF
    return data[start + 2 : whole - 1].hex() + f"{last:02x}"


def _tag_report(data: bytes, start: int, end: int) -> TagReport:  # noqa: PLR0912 - one pass, for speed
    epc, seen = "", 1
    antenna = channel = rssi_dbm = fine_rssi_dbm = phase_rad = None
    first_utc = last_utc = first_uptime = last_uptime = None
    while start < end:
        kind = data[start]
        if kind & 0x80:
            kind &= 0x7F
            size = _TV_BYTES.get(kind)
            start += 1
            if size is None or start + size > end:
                raise LlrpFrameError(
                    f"a tag report holds a TV parameter of type {kind} that is unknown or cut off"
                )
            if kind == _EPC_96:
                epc = data[start : start + 12].hex()
            elif kind == _ANTENNA:
                antenna = _UINT16(data, start)[0]
            elif kind == _CHANNEL:
                channel = _UINT16(data, start)[0]
            elif kind == _RSSI:
                rssi_dbm = float(_INT8(data, start)[0])
            elif kind == _FIRST_UTC:
                first_utc = _UINT64(data, start)[0]
            elif kind == _LAST_UTC:
                last_utc = _UINT64(data, start)[0]
            elif kind == _FIRST_UPTIME:
                first_uptime = _UINT64(data, start)[0]
            elif kind == _LAST_UPTIME:
                last_uptime = _UINT64(data, start)[0]
            elif kind == _SEEN:
                seen = _UINT16(data, start)[0]
            start += size
            continue
        kind, stop = _tlv_at(data, start, end)
        if kind == _EPC_DATA:
            epc = _epc_data(data, start + 4, stop)
        elif kind == _CUSTOM:
            if stop - start < 12:
                raise LlrpFrameError("a custom parameter of a tag report is cut off")
            vendor, subtype = _VENDOR(data, start + 4)
            if vendor == IMPINJ and subtype in (_RSSI_CENTI_DBM, _PHASE):
                if stop - start != 14:
                    raise LlrpFrameError(
                        f"Impinj parameter {subtype} holds {stop - start - 12} bytes (2 would be right)"
                    )
                if subtype == _PHASE:
                    phase_rad = _UINT16(data, start + 12)[0] * PHASE_STEP_RAD
                else:
                    fine_rssi_dbm = _INT16(data, start + 12)[0] / 100
        start = stop
    if seen > 1:
        first_utc = first_uptime = None
    return TagReport(
        epc,
        antenna,
        channel,
        fine_rssi_dbm or rssi_dbm,
        phase_rad,
        last_utc if last_utc is not None else first_utc,
        last_uptime if last_uptime is not None else first_uptime,
    )


def decode_report(body: bytes) -> list[TagReport]:
    """The tag reports of one RO_ACCESS_REPORT body; other parameters (survey reports) are skipped.

    Raises LlrpFrameError if any length does not add up.
    """
    reports = []
    start, end = 0, len(body)
    while start < end:
        kind, stop = _tlv_at(body, start, end)
        if kind == _TAG_REPORT:
            reports.append(_tag_report(body, start + 4, stop))
        start = stop
    return reports
