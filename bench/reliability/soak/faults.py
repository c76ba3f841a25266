"""What happens to the soaked store, at random: each fault strikes, lasts a while and is mended."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bench.reliability.soak.store import CAMERAS, SoakStore

Mend = Callable[[], None]
FOOTFALL_S = (10, 15)
"""The two interval lengths between which a reload changes to and fro."""


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault: how often it comes relative to the others, how long it lasts, what it does.

    `strike` hurts the store and returns what mends it.
    """

    name: str
    weight: float
    lasts_s: tuple[float, float]
    strike: Callable[[SoakStore, random.Random], Mend]


@dataclass(frozen=True)
class _Open:
    kind: FaultKind
    until_s: float
    mend: Mend


def _nothing() -> None:
    return None


def _victim(store: SoakStore, rng: random.Random) -> int:
    pids = store.pids
    pids.pop("supervisor")
    return pids[rng.choice(sorted(pids))]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _kill(store: SoakStore, rng: random.Random) -> Mend:
    _signal(_victim(store, rng), signal.SIGKILL)
    return _nothing


def _hang(store: SoakStore, rng: random.Random) -> Mend:
    pid = _victim(store, rng)
    _signal(pid, signal.SIGSTOP)
    return lambda: _signal(pid, signal.SIGCONT)


def _kill_broker(store: SoakStore, rng: random.Random) -> Mend:
    store.broker.kill()
    return store.broker.start


def _take_the_cloud_away(store: SoakStore, rng: random.Random) -> Mend:
    store.cloud.leave()
    return store.cloud.arrive


def _pull_the_readers_plug(store: SoakStore, rng: random.Random) -> Mend:
    store.kill_reader()
    return store.start_reader


def _cut_the_readers_line(store: SoakStore, rng: random.Random) -> Mend:
    store.proxy.deaf = True

    def mend() -> None:
        store.proxy.forget()
        store.proxy.give_up()

    return mend


def _unplug_a_camera(store: SoakStore, rng: random.Random) -> Mend:
    camera = rng.choice(CAMERAS)
    store.unplug(camera)
    _signal(store.pids[f"camera:{camera}"], signal.SIGKILL)
    return lambda: store.plug_in(camera)


def _reload(store: SoakStore, rng: random.Random) -> Mend:
    store.write_config({"intervals": {"footfall_s": rng.choice(FOOTFALL_S), "heatmap_s": 20, "flow_s": 20}})
    store.reload()
    return _nothing


KINDS = (
    FaultKind("process killed", 5, (0, 0), _kill),
    FaultKind("process hung", 1, (30, 30), _hang),
    FaultKind("broker killed", 2, (1, 30), _kill_broker),
    FaultKind("cloud away", 1, (5, 60), _take_the_cloud_away),
    FaultKind("reader unplugged", 1, (5, 30), _pull_the_readers_plug),
    FaultKind("reader's line cut silently", 1, (20, 60), _cut_the_readers_line),
    FaultKind("camera unplugged", 2, (20, 60), _unplug_a_camera),
    FaultKind("configuration reloaded", 1, (0, 0), _reload),
)
NEEDS_A_BROKER = ("broker killed", "cloud away")
"""Only one of these at a time: the cloud can neither leave nor arrive in order without a broker."""


class Faults:
    """Strikes about every `every_s` on average; `struck` counts by kind. Time is an argument."""

    def __init__(self, store: SoakStore, every_s: float, seed: int, now_s: float) -> None:
        self.struck: Counter[str] = Counter()
        self._store = store
        self._every_s = every_s
        self._rng = random.Random(seed)
        self._open: list[_Open] = []
        self._next_s = now_s + self._wait_s()

    def advance(self, now_s: float) -> list[tuple[str, bool]]:
        """Mend what has lasted its time, strike where it is due; what was done, True for a strike."""
        done: list[tuple[str, bool]] = []
        for fault in [fault for fault in self._open if fault.until_s <= now_s]:
            self._open.remove(fault)
            fault.mend()
            done.append((fault.kind.name, False))
        if now_s >= self._next_s:
            self._next_s = now_s + self._wait_s()
            kind = self._choose()
            mend = kind.strike(self._store, self._rng)
            self._open.append(_Open(kind, now_s + self._rng.uniform(*kind.lasts_s), mend))
            self.struck[kind.name] += 1
            done.append((kind.name, True))
        return done

    def mend_all(self) -> None:
        """Mend everything that is still broken, and strike no more."""
        while self._open:
            self._open.pop().mend()
        self._next_s = float("inf")

    def _wait_s(self) -> float:
        return self._rng.expovariate(1 / self._every_s)

    def _choose(self) -> FaultKind:
        """Any kind that is not going on already."""
        going_on = {fault.kind.name for fault in self._open}
        if going_on.intersection(NEEDS_A_BROKER):
            going_on.update(NEEDS_A_BROKER)
        able = [kind for kind in KINDS if kind.name not in going_on]
        return self._rng.choices(able, [kind.weight for kind in able])[0]
