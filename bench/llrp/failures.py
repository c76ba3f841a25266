"""The faults that stop the usual LLRP client, each done to ours once, with the timing that a store gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.llrp.rig import ReadAccount, SessionRig

RATE_HZ = 100.0
MAX_S = 120.0
RECOVERY_LIMIT_S = 5.0
NOBODY_S = 3.0
REFUSING_S = 6.0


@dataclass(frozen=True)
class Survived:
    """One fault: how long after its end the next read came, what was lost, and what is to be seen beside it.

    attempts_per_s: the most connections that were tried within one second. strike: the simulated reader's
    fault, its seconds, and how many of them a client has to wait for; None where no such fault was struck.
    """

    fault: str
    strike: tuple[str, float, float] | None
    recovery_s: float
    account: ReadAccount
    attempts_per_s: int
    said: str

    @property
    def passed(self) -> bool:
        return self.recovery_s <= RECOVERY_LIMIT_S and self.account.sound and self.attempts_per_s <= 1


def most_within_a_second(times_s: list[float]) -> int:
    """The largest number of times in any span of one second."""
    return max((sum(a <= b < a + 1.0 for b in times_s) for a in times_s), default=0)


class _Attempts:
    """Notes when the session tries to connect, from its own count."""

    def __init__(self, rig: SessionRig) -> None:
        self._rig = rig
        self.times_s: list[float] = []
        self._seen = rig.session.health().connects
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            connects = self._rig.session.health().connects
            self.times_s += [time.monotonic()] * (connects - self._seen)
            self._seen = connects

    def end(self) -> int:
        self._stop.set()
        self._thread.join()
        return most_within_a_second(self.times_s)


def _after(fault: str, kind: str, seconds: float = 0.0, *, outlasted: bool = False) -> Survived:
    """Strike once; recovery counts from the fault's end if it has one that the session has to wait for."""
    with SessionRig(RATE_HZ, MAX_S) as rig:
        rig.read_more(50)
        attempts = _Attempts(rig)
        rig.strike(kind, seconds)
        struck_s = time.monotonic()
        if kind != "unknown":
            rig.wait(lambda: rig.session.health().connects >= 2, 30.0)
        rig.read_more(1)
        recovery_s = time.monotonic() - struck_s - (seconds if outlasted else 0.0)
        rig.read_more(50)
        health = rig.session.health()
        most = attempts.end()
        said = (
            f"{health.connected} connections, {health.malformed} malformed, {health.unknown_messages} unknown"
        )
        strike = (kind, seconds, seconds if outlasted else 0.0)
        return Survived(fault, strike, max(0.0, recovery_s), rig.settle(), most, said)


def drop_in_a_frame() -> Survived:
    return _after("drop in the middle of a frame", "drop")


def silence() -> Survived:
    return _after("the reader goes silent for good", "silent", 3600.0)


def truncated_parameter() -> Survived:
    return _after("a truncated parameter", "corrupt_parameter")


def refusal() -> Survived:
    return _after(f"refuses for {REFUSING_S:.0f} s", "refuse", REFUSING_S, outlasted=True)


def another_client() -> Survived:
    fault = f"serves another client for {REFUSING_S:.0f} s"
    return _after(fault, "busy", REFUSING_S, outlasted=True)


def unknown_message() -> Survived:
    return _after("an unknown message", "unknown")


def one_tag_a_report() -> Survived:
    """Report after every tag: the inventory must not end there, so every read of the air is received."""
    with SessionRig(RATE_HZ, MAX_S) as rig:
        first_s = rig.read_more(1)
        made, seconds = rig.source.made, rig.read_more(300)
        rate_hz = (rig.source.made - made) / seconds
        said = f"{rate_hz:.0f} reads/s of {RATE_HZ:.0f}; the AISpec has no stop trigger"
        account = rig.settle()
    recovery_s = first_s if rate_hz >= 0.9 * RATE_HZ else float("inf")
    return Survived("a report for every tag", None, recovery_s, account, 1, said)


def nobody_there() -> Survived:
    """The reader is switched on only after the session."""
    rig = SessionRig(RATE_HZ, MAX_S)
    rig.reader.stop()
    rig.session.start()
    attempts = _Attempts(rig)
    time.sleep(NOBODY_S)
    rig.power_on()
    try:
        recovery_s = rig.read_more(1)
        most, said = attempts.end(), f"{rig.session.health().connects} attempts"
        return Survived("nobody there at the start", None, recovery_s, rig.settle(), most, said)
    finally:
        rig.session.stop()
        rig.reader.stop()


FAILURES: tuple[Callable[[], Survived], ...] = (
    drop_in_a_frame,
    silence,
    truncated_parameter,
    refusal,
    another_client,
    unknown_message,
    one_tag_a_report,
    nobody_there,
)
