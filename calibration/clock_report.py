"""Is this machine's clock right, and how do the kernel, a time server and a reader see it?"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from dataclasses import dataclass

from calibration.errors import CalibrationError

NTP_PORT = 123
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970: RFC 5905, figure 4."""
NTP_PACKET = struct.Struct(">BBbbII4sIIIIIIII")
UNSYNCHRONISED = 0x40
"""STA_UNSYNC of linux/timex.h."""
CLOCK_ERROR = 5
"""TIME_ERROR of adjtimex(2): the clock is not synchronised."""


class _Timex(ctypes.Structure):
    """`struct timex` of linux/timex.h, as far as it is read here; padded to more than its full size."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True)
class KernelClock:
    """What the kernel knows of its clock: errors in seconds, the rate correction in parts per million."""

    synchronised: bool
    estimated_error_s: float
    greatest_error_s: float
    rate_ppm: float


def kernel_clock() -> KernelClock | None:
    """The kernel's own verdict (adjtimex(2), reading needs no right), None where there is no such call."""
    if not sys.platform.startswith("linux"):
        return None
    timex = _Timex(modes=0)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    return KernelClock(
        synchronised=state != CLOCK_ERROR and not timex.status & UNSYNCHRONISED,
        estimated_error_s=timex.esterror / 1e6,
        greatest_error_s=timex.maxerror / 1e6,
        rate_ppm=timex.freq / 65_536,
    )


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
