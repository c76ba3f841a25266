"""Random faults for minutes, over real TCP: nothing that was read before a fault is lost, nothing leaks."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.llrp.rig import ReadAccount, SessionRig
from rfid_reader.settings import Timing

RATE_HZ = 200.0
RECOVERY_LIMIT_S = 30.0
MEGABYTE = 1e6

KINDS: dict[str, tuple[float, float, float]] = {
    "drop": (3.0, 0.0, 0.0),
    "silent": (3.0, 0.5, 5.0),
    "corrupt_length": (2.0, 0.0, 0.0),
    "corrupt_parameter": (2.0, 0.0, 0.0),
    "garbage": (2.0, 0.0, 0.0),
    "reboot": (2.0, 0.2, 3.0),
    "refuse": (1.0, 0.2, 3.0),
    "busy": (1.0, 0.2, 3.0),
    "split": (1.0, 0.2, 1.0),
    "coalesce": (1.0, 0.2, 1.5),
    "unknown": (1.0, 0.0, 0.0),
    "overflow": (0.5, 0.0, 0.0),
    "clock": (0.5, -5.0, 5.0),
    "antenna": (0.5, -1.0, 1.0),
}
"""Fault of the simulated reader: how often it strikes against others, and its seconds from, to."""
ENDS_CONNECTION = {"drop", "corrupt_length", "corrupt_parameter", "garbage", "reboot", "refuse", "busy"}


@dataclass(frozen=True)
class Footprint:
    """What this process holds (session and simulated reader together)."""

    descriptors: int
    threads: int
    memory_mb: float


def footprint() -> Footprint:
    """Taken now. Memory is what is resident and not shared."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    own = (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    return Footprint(len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), own / MEGABYTE)


@dataclass(frozen=True)
class Weather:
    """What a storm did. recovery_s: by kind, the longest time from a fault's end to the next read. before and
    after: the footprint while reading, once it had settled and at the end."""

    seconds: float
    strikes: dict[str, int]
    recovery_s: dict[str, float]
    account: ReadAccount
    connections: int
    malformed: int
    before: Footprint
    after: Footprint

    @property
    def leaks(self) -> bool:
        """Whether descriptors or threads became more, or memory grew by over 10 %."""
        more = self.after.descriptors > self.before.descriptors or self.after.threads > self.before.threads
        return more or self.after.memory_mb > 1.1 * self.before.memory_mb

    @property
    def passed(self) -> bool:
        return self.account.sound and not self.leaks


def strike_once(rig: SessionRig, kind: str, seconds: float, size: int) -> float:
    """Let a fault happen; returns how long after its end reads came again."""
    connected = rig.session.health().connected
    rig.strike(kind, seconds, size)
    struck_s = time.monotonic()
    if kind in ENDS_CONNECTION:
        rig.wait(lambda: rig.session.health().connected > connected, RECOVERY_LIMIT_S)
    rig.read_more(10 if kind == "silent" else 1, RECOVERY_LIMIT_S)
    return max(0.0, time.monotonic() - struck_s - max(0.0, seconds))


def storm(
    seconds: float,
    seed: int = 1,
    timing: Timing | None = None,
    settle_s: float = 10.0,
    tell: Callable[[str], None] = lambda text: None,
) -> Weather:
    """Random faults for `seconds`, each after the one before it was over. Raises TagsightError if reads do
    not come back within RECOVERY_LIMIT_S.
    """
    rng = random.Random(seed)
    strikes: dict[str, int] = {}
    worst_s: dict[str, float] = {}
    with SessionRig(RATE_HZ, seconds + settle_s + RECOVERY_LIMIT_S, timing, seed) as rig:
        rig.read_more(10)
        for kind in KINDS:
            strike_once(rig, kind, 0.1, 1)
        time.sleep(settle_s)
        before, end_s = footprint(), time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            kind = rng.choices(list(KINDS), [weight for weight, _, _ in KINDS.values()])[0]
            lasts_s = rng.uniform(*KINDS[kind][1:])
            took_s = strike_once(rig, kind, lasts_s, rng.randint(1, 4))
            strikes[kind] = strikes.get(kind, 0) + 1
            worst_s[kind] = max(worst_s.get(kind, 0.0), took_s)
            tell(f"{left_s:.0f} s to go, {sum(strikes.values())} faults, {rig.ledger.received()} reads")
            time.sleep(rng.uniform(0.2, 1.5))
        rig.read_more(10)
        after, health = footprint(), rig.session.health()
        account = rig.settle()
    return Weather(seconds, strikes, worst_s, account, health.connected, health.malformed, before, after)
