"""Reads as the tag reports that an ROSpec asks for."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from rfid_reader.llrp.reports import PHASE_STEP_RAD
from rfid_reader.reads import COLUMNS, ReadTable
from rfid_reader.simulator.llrp import rospecs as specs
from rfid_reader.simulator.llrp.capabilities import impinj_report
from rfid_reader.simulator.llrp.parameters import tlv, tv, u16, u32, u64
from rfid_reader.simulator.llrp.rospecs import ROSpec


def tag_reports(reads: ReadTable, spec: ROSpec, shift_us: float, extensions: bool) -> Iterator[bytes]:
    """A TagReportData parameter a read; `shift_us` turns the source's time into reader time. `extensions`:
    whether the client switched Impinj's on.
    """
    columns = (getattr(reads, name).tolist() for name in COLUMNS)
    content, selected = spec.report.content, spec.report.impinj
    for time_s, epc_hex, antenna, channel, rssi_dbm, phase_rad in zip(*columns, strict=True):
        epc = bytes.fromhex(epc_hex)
        stamp_us = max(0, round(time_s * 1e6 + shift_us))
        parts = [tv(13, epc) if len(epc) == 12 else tlv(241, u16(8 * len(epc)), epc)]
        for place, kind, value in (
            (specs.ROSPEC_ID, 9, u32(spec.identifier)),
            (specs.SPEC_INDEX, 14, u16(1)),
            (specs.INVENTORY_ID, 10, u16(1)),
            (specs.ANTENNA, 1, u16(antenna)),
            (specs.RSSI, 6, struct.pack("!b", max(-128, min(127, round(rssi_dbm))))),
            (specs.CHANNEL, 7, u16(channel)),
            (specs.FIRST_SEEN, 2, u64(stamp_us)),
            (specs.LAST_SEEN, 4, u64(stamp_us)),
            (specs.SEEN_COUNT, 8, u16(1)),
            (specs.ACCESS_ID, 16, u32(0)),
        ):
            if place in content:
                parts.append(tv(kind, value))
        if extensions and selected and not math.isnan(phase_rad):
            steps = round(phase_rad / PHASE_STEP_RAD) % 4096
            parts.append(impinj_report(rssi_dbm, steps, 0, selected))
        yield tlv(240, *parts)
