"""Is this machine's clock right, and how do the kernel, a time server and a reader see it?"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

from calibration.errors import CalibrationError

NTP_PORT = 123
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970: RFC 5905, figure 4."""
NTP_PACKET = struct.Struct(">BBbbII4sIIIIIIII")


@dataclass(frozen=True)
class ServerOffset:
    """A time server's view: how far its time is ahead of ours and the round trip, in seconds."""

    offset_s: float
    round_trip_s: float
    stratum: int


def ask_time_server(host: str, limit_s: float = 2.0, port: int = NTP_PORT) -> ServerOffset:
    """One SNTP exchange (RFC 4330, section 5). Raises CalibrationError when there is no sound answer."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as link:
            link.settimeout(limit_s)
            link.connect(address)
            sent_s = time.time()
            stamp = _ntp(sent_s)
            link.send(NTP_PACKET.pack(0x23, 0, 0, 0, 0, 0, b"", 0, 0, 0, 0, 0, 0, *stamp))
            answer = link.recv(512)
            arrived_s = time.time()
    except OSError as error:
        raise CalibrationError(
            f"time server {host} does not answer ({error}); check its name and UDP port {port}"
        ) from error
    if len(answer) < NTP_PACKET.size:
        raise CalibrationError(
            f"time server {host} sent {len(answer)} bytes; an NTP answer has {NTP_PACKET.size}"
        )
    fields = NTP_PACKET.unpack_from(answer)
    if fields[9:11] != stamp or fields[0] & 7 != 4 or not 1 <= fields[1] <= 15:
        raise CalibrationError(f"time server {host} does not know the time itself; ask another one")
    received_s, replied_s = _utc(fields[11], fields[12]), _utc(fields[13], fields[14])
    return ServerOffset(
        offset_s=((received_s - sent_s) + (replied_s - arrived_s)) / 2,
        round_trip_s=(arrived_s - sent_s) - (replied_s - received_s),
        stratum=int(fields[1]),
    )


def _ntp(utc_s: float) -> tuple[int, int]:
    whole = int(utc_s)
    return (whole + NTP_EPOCH_S) & 0xFFFFFFFF, int((utc_s - whole) * 2**32)


def _utc(whole: int, fraction: int) -> float:
    """UTC seconds of an NTP stamp; stamps before 1968 belong to the era that begins in 2036."""
    era_s = 0 if whole & 0x80000000 else 2**32
    return whole + era_s - NTP_EPOCH_S + fraction / 2**32
