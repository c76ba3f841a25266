"""H.264, H.265 and JPEG in RTP packets (RFC 3550), as a fake network camera sends them."""

from __future__ import annotations

import re
import struct

from testing.cameras.manner import Manner
from testing.cameras.rtp_jpeg import rtp_payloads

MAX_PAYLOAD = 1200
JPEG = 26
"""RTP's payload type for it."""
H265_LAST_PICTURE = 31


def access_units(stream: bytes, coding: str = "H264") -> list[list[bytes]]:
    """The access units of an Annex B byte stream of H.264 or H.265."""
    nals = [nal for nal in re.split(b"\x00\x00\x00\x01|\x00\x00\x01", stream) if nal]
    units: list[list[bytes]] = [[]]
    has_picture = False
    for nal in nals:
        kind = nal[0] & 31 if coding == "H264" else nal[0] >> 1 & 63
        is_picture = kind in (1, 5) if coding == "H264" else kind <= H265_LAST_PICTURE
        first_slice = is_picture and bool(nal[1 if coding == "H264" else 2] & 0x80)
        if has_picture and (first_slice or not is_picture):
            units.append([])
            has_picture = False
        units[-1].append(nal)
        has_picture = has_picture or is_picture
    return units


def packet(payload: bytes, manner: Manner, sequence: int, ticks: int, source: int, *, last: bool) -> bytes:
    """One RTP packet; `last` of its frame."""
    flags = 0x80 | (0x20 if manner.padding else 0) | (0x10 if manner.extension else 0)
    kind = payload_type(manner.coding) | (0x80 if last else 0)
    head = struct.pack("!BBHII", flags, kind, sequence & 0xFFFF, ticks, source)
    # ONVIF's extension: 0xABAC, three words (NTP time, flags and a count).
    head += struct.pack("!HHIII", 0xABAC, 3, 0, 0, 0) if manner.extension else b""
    return head + payload + (bytes(manner.padding - 1) + bytes([manner.padding]) if manner.padding else b"")


def sender_report(told_s: float, ticks: int) -> bytes:
    """A sender report (RFC 3550, 6.4.1): the camera's own time of a frame."""
    seconds = int(told_s)
    return struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, seconds, int((told_s - seconds) * 2**32), ticks, 0, 0)


def interleaved(channel: int, data: bytes) -> bytes:
    """A packet on a channel of the RTSP connection (RFC 2326, 10.12)."""
    return struct.pack("!cBH", b"$", channel, len(data)) + data


def payload_type(coding: str) -> int:
    """JPEG has one of RTP's own, the others one of the free ones."""
    return JPEG if coding == "JPEG" else 96


def payloads(nal: bytes, coding: str) -> list[bytes]:
    """A NAL unit (or a JPEG) as RTP payloads (RFC 6184 FU-A, RFC 7798 FU, RFC 2435)."""
    if coding == "JPEG":
        return list(rtp_payloads(nal, MAX_PAYLOAD))
    if len(nal) <= MAX_PAYLOAD:
        return [nal]
    if coding == "H264":
        head, kind, body = bytes([nal[0] & 0xE0 | 28]), nal[0] & 31, nal[1:]
    else:
        head, kind, body = bytes([nal[0] & 0x81 | 49 << 1, nal[1]]), nal[0] >> 1 & 63, nal[2:]
    parts = [body[start : start + MAX_PAYLOAD] for start in range(0, len(body), MAX_PAYLOAD)]
    return [
        head + bytes([kind | (0x80 if not index else 0) | (0x40 if index == len(parts) - 1 else 0)]) + part
        for index, part in enumerate(parts)
    ]
