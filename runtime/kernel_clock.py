"""What the kernel knows of its own clock."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

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
