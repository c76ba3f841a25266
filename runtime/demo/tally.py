"""What the subscriber has received so far: the latest revision of every fact, and health by process."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TypeVar

from contract.envelope import Event
from contract.facts import Fact, Flip, Footfall, Heatmap, Interaction, ProcessHealth, Visit

FactT = TypeVar("FactT", bound=Fact)


class EventTally:
    """Facts by key, the highest revision of each; safe to read while the subscriber writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: dict[tuple[str, str], Fact] = {}
        self._health: dict[str, ProcessHealth] = {}
        self._fps: list[float] = []
        self.kinds: Counter[str] = Counter()
        self.last_seq = 0

    def receive(self, event: Event) -> None:
        """Take one event in."""
        fact = event.fact
        with self._lock:
            self.kinds[fact.kind] += 1
            self.last_seq = max(self.last_seq, event.envelope.seq)
            if isinstance(fact, ProcessHealth):
                self._health[fact.process] = fact
                if fact.process == "vision" and fact.values.get("fps"):
                    self._fps.append(fact.values["fps"])
                return
            known = self._facts.get((fact.kind, fact.key))
            if known is None or fact.rev >= known.rev:
                self._facts[fact.kind, fact.key] = fact

    def of(self, kind: type[FactT]) -> list[FactT]:
        """Every standing fact of one kind, in order of time."""
        with self._lock:
            facts = [fact for fact in self._facts.values() if isinstance(fact, kind) and not fact.retracted]
        return sorted(facts, key=lambda fact: fact.time_s)

    def health(self, process: str) -> ProcessHealth | None:
        """The last word on one process."""
        with self._lock:
            return self._health.get(process)

    def fps(self) -> float:
        """Mean analysed frames a second over all reports of the vision process; 0 before the first."""
        with self._lock:
            return sum(self._fps) / len(self._fps) if self._fps else 0.0

    def gates(self) -> dict[str, tuple[int, int]]:
        """Entrance -> persons in, persons out."""
        entered: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for count in self.of(Footfall):
            entered[count.entrance] += count.entered
            left[count.entrance] += count.left
        return {name: (entered[name], left[name]) for name in sorted({*entered, *left})}

    def line(self) -> str:
        """The state of things in one line."""
        camera = self.health("vision")
        reader = self.health("reader:ceiling")
        fps = camera.values.get("fps", 0.0) if camera else 0.0
        rate = reader.values.get("reads_per_s", 0.0) if reader else 0.0
        visits = self.of(Visit)
        entered = sum(visit.direction == "in" for visit in visits)
        named = sum(match.visitor is not None for match in self.of(Interaction))
        return (
            f"{fps:.1f} frames/s, {rate:.0f} tag reads/s | {entered} in, {len(visits) - entered} out | "
            f"{len(self.of(Flip))} flips, {named} with a visitor | {self.last_seq} events"
        )

    def heat(self) -> list[Heatmap]:
        """Every heatmap part."""
        return self.of(Heatmap)
