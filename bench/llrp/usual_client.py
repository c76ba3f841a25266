"""The usual client (sllurp's own, set to reconnect for ever) under the same faults, for comparison."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.llrp.numbered_source import NumberedSource
from bench.llrp.tools import peers_python
from rfid_reader.simulator.llrp.server import SimulatedReader

SCRIPT = Path(__file__).parent / "peers" / "sllurp_counts.py"
RATE_HZ = 100.0
MAX_S = 60.0
START_S = 15.0
WATCHED_S = 15.0
"""A client that has not read again after this long is said not to come back."""


class UsualClient:
    """The client in a process of its own, and how many reads it has received; use as a context manager."""

    def __init__(self, port: int) -> None:
        command = [str(peers_python()), str(SCRIPT), "127.0.0.1", str(port), str(MAX_S)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.received = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.received = int(line)

    def __enter__(self) -> UsualClient:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def alive(self) -> bool:
        return self._process.poll() is None


def _until(condition: Callable[[], bool], limit_s: float) -> float | None:
    """Seconds until a condition came true, None if it did not within `limit_s`."""
    start_s = time.monotonic()
    while not condition():
        if time.monotonic() - start_s > limit_s:
            return None
        time.sleep(0.02)
    return time.monotonic() - start_s


def usual_client_under(fault: str, seconds: float = 0.0, outlasted_s: float = 0.0) -> str:
    """What becomes of the usual client. outlasted_s: how long the fault lasts that it has to wait for.

    Raises TagsightError where sllurp's client is not on this machine.
    """
    with SimulatedReader(NumberedSource(RATE_HZ)) as reader, UsualClient(reader.port) as client:
        if _until(lambda: client.received > 50, START_S) is None:
            return "did not begin to read"
        connects = reader.connects
        reader.fault(fault, seconds)
        _until(lambda: reader.faults_done == 1, 5.0)
        time.sleep(max(0.5, outlasted_s))
        before = client.received
        took_s = _until(lambda: client.received > before + 20, WATCHED_S)
        attempts = reader.connects - connects
        if took_s is None:
            return f"not within {WATCHED_S:.0f} s" + ("" if client.alive() else "; it ended")
        tried = f", {attempts} attempts" if attempts > 2 else ""
        return f"{took_s + max(0.5, outlasted_s) - outlasted_s:.1f} s{tried}"
