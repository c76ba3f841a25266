"""How far a build is, from the phases within phases that TensorRT reports."""

from __future__ import annotations

from dataclasses import dataclass

MIN_MOVE = 0.01


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """Phases begin inside a step of their parent; the whole never goes back, and ends at 1."""

    def __init__(self) -> None:
        self._phases: dict[str, _Phase] = {}
        self._told = 0.0

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of that many steps begins."""
        self._phases[phase] = _Phase(parent, max(1, steps))

    def complete(self, phase: str, step: int) -> float | None:
        """A step is done; the whole, 0 to 1, where it has moved by a hundredth since it was last told."""
        if phase not in self._phases:
            return None
        known = self._phases[phase]
        known.done = min(known.steps, max(known.done, step + 1))
        whole = self._whole(phase)
        if whole < self._told + MIN_MOVE:
            return None
        self._told = whole
        return whole

    def finish(self, phase: str) -> None:
        """A phase is over."""
        self._phases.pop(phase, None)

    def _whole(self, phase: str) -> float:
        share = self._phases[phase].done / self._phases[phase].steps
        parent = self._phases[phase].parent
        while parent in self._phases:
            above = self._phases[parent]
            share = min(1.0, (above.done + share) / above.steps)
            parent = above.parent
        return share
