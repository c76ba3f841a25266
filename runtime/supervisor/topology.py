"""Which processes a store needs, and who talks to whom, by the declarations of `runtime.processes.kinds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.config import StoreConfig
from runtime.processes.kinds import KINDS, Kind, SendsTo, ranked
from runtime.processes.spec import Spec


@dataclass(frozen=True)
class ProcessPlan:
    """One process: its kind, its name (unique), and the spec its `main` is given."""

    kind: Kind
    name: str
    spec: Spec
    instance: str = ""
    """Its camera or reader."""

    @property
    def fixed(self) -> dict[str, Any]:
        """What only a restart can change of it."""
        return self.spec.fixed()

    def spec_at(self, clock: tuple[float, float]) -> Spec:
        """The spec for a process that starts now: with the clock as it reads, not as it read at our start."""
        return msgspec.structs.replace(self.spec, clock=clock)


@dataclass(frozen=True)
class ProcessLink:
    """A record socket between two processes, and for a camera the ring its frames are in.

    `here` gets `Attach(here_role, here_peer)`, `there` gets `Attach(there_role, there_peer)`.
    """

    here: str
    here_role: str
    here_peer: str
    there: str
    there_role: str
    there_peer: str

    def joins(self, process: str) -> bool:
        return process in (self.here, self.there)


def plan_processes(
    config: StoreConfig, clock: tuple[float, float], kinds: Sequence[Kind] = KINDS
) -> list[ProcessPlan]:
    """The processes of a store, in the order in which they start: those who listen before those who talk."""
    plans: list[ProcessPlan] = []
    for kind in (kind for rank in ranked(kinds) for kind in rank if kind.wanted(config)):
        if kind.instances is None:
            plans.append(ProcessPlan(kind, kind.name, kind.spec_of(config, kind.name, clock)))
            continue
        plans += [
            ProcessPlan(kind, f"{kind.name}:{instance}", kind.spec_of(config, instance, clock), instance)
            for instance in kind.instances(config)
        ]
    return plans


def plan_links(plans: Sequence[ProcessPlan]) -> list[ProcessLink]:
    """Who talks to whom among these processes."""
    return [
        _link(plan, other, sends)
        for plan in plans
        for sends in plan.kind.sends_to
        for other in plans
        if other.kind.name == sends.to
    ]


def _link(plan: ProcessPlan, other: ProcessPlan, sends: SendsTo) -> ProcessLink:
    known_as = plan.instance if sends.by_instance else plan.name
    return ProcessLink(plan.name, sends.role, other.name, other.name, sends.as_role, known_as)


def stop_order(kinds: Sequence[Kind] = KINDS) -> list[list[str]]:
    """The names of kinds that stop together, sources first: what they said is judged, written and sent
    before those who do that stop.
    """
    return [[kind.name for kind in rank] for rank in reversed(ranked(kinds))]


def preloaded_modules(kinds: Sequence[Kind] = KINDS) -> list[str]:
    """What the fork server imports once, so that all children share the pages."""
    return [*(kind.module.__name__ for kind in kinds if kind.preload), "runtime.supervisor.children.main"]
