"""Which processes a store needs, and who talks to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.config import StoreConfig
from runtime.processes import camera, reader, store, uplink, vision

MODULES: dict[str, Any] = {
    "camera": camera,
    "vision": vision,
    "reader": reader,
    "store": store,
    "uplink": uplink,
}

STOP_ORDER = ("camera", "reader", "vision", "store", "uplink")
"""Sources first, so that what they said is judged, written and sent before those who do that stop."""


@dataclass(frozen=True)
class ProcessPlan:
    """One process: its kind, its name (unique), and the spec its `main` is given."""

    kind: str
    name: str
    spec: Any

    @property
    def fixed(self) -> Any:
        """What only a restart can change of it."""
        return self.spec.fixed()

    def spec_at(self, clock: tuple[float, float]) -> Any:
        """The spec for a process that starts now: with the clock as it reads, not as it read at our start."""
        return msgspec.structs.replace(self.spec, clock=clock)


@dataclass(frozen=True)
class Link:
    """A record socket between two processes, and for a camera the ring its frames are in.

    `here` is told `Attach(here_role, here_peer)`, `there` is told `Attach(there_role, there_peer)`.
    """

    here: str
    here_role: str
    here_peer: str
    there: str
    there_role: str
    there_peer: str

    def joins(self, process: str) -> bool:
        return process in (self.here, self.there)


def plan_processes(config: StoreConfig, clock: tuple[float, float]) -> list[ProcessPlan]:
    """The processes of a store, in the order in which they start: those who listen before those who talk."""
    plans = [
        ProcessPlan(kind, kind, MODULES[kind].spec_of(config, kind, clock)) for kind in ("uplink", "store")
    ]
    if config.cameras:
        plans.append(ProcessPlan("vision", "vision", vision.spec_of(config, "vision", clock)))
    plans += [
        ProcessPlan("camera", f"camera:{one.name}", camera.spec_of(config, one.name, clock))
        for one in config.cameras
    ]
    plans += [
        ProcessPlan("reader", f"reader:{one.name}", reader.spec_of(config, one.name, clock))
        for one in config.readers
    ]
    return plans


def plan_links(config: StoreConfig) -> list[Link]:
    """Who talks to whom in a store."""
    links = [Link("store", "records", "uplink", "uplink", "records", "store")]
    if config.cameras:
        links.append(Link("vision", "records", "store", "store", "records", "vision"))
    for one in config.cameras:
        links.append(Link(f"camera:{one.name}", "frames", "vision", "vision", "camera", one.name))
    for source in config.readers:
        name = f"reader:{source.name}"
        links.append(Link(name, "records", "store", "store", "records", name))
    return links
