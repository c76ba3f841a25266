"""A memory cap as systemd sets it (MemoryMax): a control group of our own, where a machine grants one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
HOG = """
import time
held = []
while True:
    held.append(bytearray(4 << 20))
    time.sleep(0.02)
"""
"""Takes more and more."""
BURIED_WITHIN_S = 5.0
LIKELY = 900
"""oom_score_adj of those whom the kernel is to choose."""


class MemoryCap:
    """A memory control group, version 2 or 1. `join` is what a process runs to get into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_v2 = (folder / "memory.max").exists()
        self.join = ("sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh")

    def set_headroom(self, free_bytes: int | None) -> None:
        """Allow so much more than is used now; None: no limit."""
        used = int(self._read("memory.current", "memory.usage_in_bytes"))
        limit = ("max" if self._is_v2 else "-1") if free_bytes is None else str(used + free_bytes)
        name = "memory.max" if self._is_v2 else "memory.limit_in_bytes"
        (self._folder / name).write_text(limit)

    def kills(self) -> int:
        """How many processes the kernel has killed for the cap."""
        events = self._read("memory.events", "memory.oom_control")
        found = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
        return 0 if found is None else int(found.group(1))

    def hit(self, free_bytes: int, victims: Collection[int], limit_s: float = 30.0) -> None:
        """Have the rest used up until the kernel kills the largest of `victims`. Raises RuntimeError."""
        for pid in victims:
            Path(f"/proc/{pid}/oom_score_adj").write_text(str(LIKELY))
        before = self.kills()
        self.set_headroom(free_bytes)
        hog = subprocess.Popen([*self.join, sys.executable, "-c", HOG])
        deadline_s = time.monotonic() + limit_s
        try:
            while self.kills() == before:
                if time.monotonic() > deadline_s:
                    raise RuntimeError("the kernel killed nothing at the memory cap")
                time.sleep(0.05)
        finally:
            hog.kill()
            hog.wait()
            self.set_headroom(None)

    def _read(self, v2: str, v1: str) -> str:
        return (self._folder / (v2 if self._is_v2 else v1)).read_text()

    def remove(self) -> None:
        """Let go of the group, as soon as the kernel has buried what ran in it."""
        deadline_s = time.monotonic() + BURIED_WITHIN_S
        while self._folder.exists() and time.monotonic() < deadline_s:
            with suppress(OSError):
                self._folder.rmdir()
            time.sleep(0.05)


def try_memory_cap() -> MemoryCap | None:
    """A fresh group, or None where this machine has no memory controller that we may use."""
    for parent in (ROOT / "memory", ROOT):
        folder = parent / f"tagsight-faults-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
            return MemoryCap(folder)
        folder.rmdir()
    return None
