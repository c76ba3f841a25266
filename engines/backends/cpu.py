"""What this CPU offers for inference."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def features() -> frozenset[str]:
    """The kernel's names of the CPU's features (x86: flags, ARM: Features); empty if unknown."""
    if not CPUINFO.exists():
        return frozenset()
    for line in CPUINFO.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def has_int8_dot() -> bool:
    """True where 8-bit products are summed in one instruction (VNNI): quantised networks are faster there."""
    return bool(features() & {"avx512_vnni", "avx_vnni"})


def has_bf16() -> bool:
    """True where the CPU multiplies bfloat16 (AVX-512 BF16 or AMX)."""
    return bool(features() & {"avx512_bf16", "amx_bf16"})


def available_threads() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
