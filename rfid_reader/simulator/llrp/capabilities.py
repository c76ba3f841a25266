"""What the simulated R420 says it can do: GET_READER_CAPABILITIES and GET_READER_CONFIG answers."""

from __future__ import annotations

import struct

from rfid_reader.simulator.llrp.parameters import fields, impinj, text, tlv, u8, u16, u32
from rfid_reader.simulator.radio.hopping import HopPlan
from rfid_reader.simulator.radio.inventory import MODES

MANUFACTURER_IMPINJ = 25882
OTHER_MANUFACTURER = 17996
MODEL_R420 = 2001002
FIRMWARE = "7.6.1.240"
POWERS_DBM = tuple(10 + 0.25 * step for step in range(91))
_ALL, _GENERAL, _LLRP, _REGULATORY, _AIR = range(5)


def power_of_index(index: int) -> float | None:
    """Transmit power of a power table index (from 1), None if there is none."""
    return POWERS_DBM[index - 1] if 1 <= index <= len(POWERS_DBM) else None


def _general(antennas: int, extensions: bool) -> bytes:
    sensitivity = b"".join(tlv(139, u16(index + 1, value)) for index, value in enumerate([0, *range(10, 51)]))
    air = b"".join(tlv(140, u16(antenna, 1), u8(1)) for antenna in range(1, antennas + 1))
    return tlv(
        137,
        u16(antennas, 0x4000),
        u32(MANUFACTURER_IMPINJ if extensions else OTHER_MANUFACTURER, MODEL_R420),
        text(FIRMWARE),
        sensitivity,
        tlv(141, u16(4, 4)),
        air,
    )


def _regulatory(plan: HopPlan) -> bytes:
    powers = b"".join(
        tlv(145, u16(index + 1), struct.pack("!h", round(dbm * 100))) for index, dbm in enumerate(POWERS_DBM)
    )
    khz = [round(hz / 1000) for hz in plan.frequencies_hz]
    if plan.hopping:
        frequencies = tlv(146, u8(0x80), tlv(147, u8(1), u8(0), u16(len(khz)), u32(*khz)))
    else:
        frequencies = tlv(146, u8(0), tlv(148, u16(len(khz)), u32(*khz)))
    modes = b"".join(
        tlv(
            329,
            u32(mode.identifier),
            u8(0x80),
            u8(mode.modulation),
            u8(2),
            u8(2),
            u32(mode.link_rate_hz, 1500, 6250, 25000, 0),
        )
        for mode in MODES.values()
    )
    band = tlv(144, powers, frequencies, tlv(328, modes))
    return tlv(143, u16(plan.country, plan.standard), band)


def capabilities(requested: int, antennas: int, plan: HopPlan, extensions: bool) -> bytes:
    """The parameters after LLRPStatus for one RequestedData value (0 = all)."""
    parts = {
        _GENERAL: _general(antennas, extensions),
        _LLRP: tlv(142, u8(0x48), u8(1), u16(0), u32(1, 32, 4, 1508, 8)),
        _REGULATORY: _regulatory(plan),
        _AIR: tlv(327, u8(0x60), u16(2)),
    }
    if requested == _ALL:
        return b"".join(parts.values())
    return parts.get(requested, b"")


def reader_config(requested: int, antennas: int, connected: set[int], keepalive_ms: int) -> bytes:
    """Identification, antenna properties and keepalives: what GET_READER_CONFIG is asked for here."""
    parts = {
        1: tlv(218, u8(0), u16(8), bytes.fromhex("001625ffff100001")),
        2: b"".join(
            tlv(221, u8(0x80 if antenna in connected else 0), u16(antenna, 0))
            for antenna in range(1, antennas + 1)
        ),
        8: tlv(220, u8(1 if keepalive_ms else 0), u32(keepalive_ms)),
    }
    return b"".join(parts.values()) if requested == 0 else parts.get(requested, b"")


def keepalive_ms(body: bytes) -> int:
    """Interval of a KeepaliveSpec, 0 for none."""
    trigger, interval_ms = fields("!BI", body)
    return interval_ms if trigger == 1 else 0


def impinj_report(rssi_dbm: float, phase_steps: int, doppler: int, selected: frozenset[int]) -> bytes:
    """The Impinj part of a tag report: phase (56), peak RSSI (57), Doppler (68), as far as selected."""
    parts = b""
    if 52 in selected:
        parts += impinj(56, u16(phase_steps))
    if 53 in selected:
        parts += impinj(57, struct.pack("!h", round(rssi_dbm * 100)))
    if 67 in selected:
        parts += impinj(68, struct.pack("!h", doppler))
    return parts
