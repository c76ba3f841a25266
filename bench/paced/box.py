"""The daemon under trial: its processes, the CPU time they take, and their memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bench.paced import parts
from bench.paced.tap import TAP
from tagsight.errors import TagsightError

STARTED = re.compile(r"MainProcess: (.+) started, pid (\d+)$", re.MULTILINE)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STOP_WITHIN_S = 15.0
REST = "supervisor and fork server"


class ProcessUsage(msgspec.Struct, frozen=True):
    """At one moment, by kind of process: seconds of CPU time so far, and bytes of its own memory."""

    time_s: float
    processor_s: dict[str, float]
    memory: dict[str, int]
    parts_s: dict[str, parts.Seconds]
    """Of that CPU time, by kind of process and part."""


class TappedDaemon:
    """The daemon as a process group of its own."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.log = folder / "daemon.log"
        self.records = folder / "records.jsonl"
        self._parts = folder / "parts"
        self._parts.mkdir()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.paced.daemon", str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, TAP: str(self.records), parts.FOLDER: str(self._parts)},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises TagsightError where the daemon has ended by itself."""
        if self._process.poll() is not None:
            last = (self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise TagsightError(f"the daemon ended by itself: {last}")

    def usage(self, now_s: float) -> ProcessUsage:
        """What its processes have taken by now."""
        names = {int(pid): name for name, pid in STARTED.findall(self.log.read_text(errors="replace"))}
        processor_s: dict[str, float] = {}
        memory: dict[str, int] = {}
        for pid in _session(self._process.pid):
            kind = names[pid].partition(":")[0] if pid in names else REST
            with suppress(OSError, ValueError):
                spent_s, own = taken_s(pid), _own_memory(pid)
                processor_s[kind] = processor_s.get(kind, 0.0) + spent_s
                memory[kind] = memory.get(kind, 0) + own
        return ProcessUsage(now_s, processor_s, memory, parts.read(self._parts))

    def stop(self) -> None:
        """End it; nothing of its group is left."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_WITHIN_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running(config: Path, folder: Path) -> Iterator[TappedDaemon]:
    """The daemon on that configuration."""
    box = TappedDaemon(config, folder)
    try:
        yield box
    finally:
        box.stop()


def _session(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                if int(_stat(int(entry.name))[3]) == leader:
                    found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def taken_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def _own_memory(pid: int) -> int:
    """Bytes that the process has written for itself alone."""
    found = re.search(
        r"^Private_Dirty:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
    )
    return int(found[1]) * 1024 if found is not None else 0
