"""Where the simulated reader's reads come from: a simulated store, or a recording."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.radio.hopping import PLANS, HopPlan
from rfid_reader.simulator.radio.inventory import DEFAULT_MODE
from rfid_reader.simulator.scenarios.files import ScenarioFile
from rfid_reader.simulator.world import InventorySetup, World


class ReadSource(Protocol):
    """Reads in rising time; times are seconds since the source's epoch."""

    @property
    def antennas(self) -> int: ...
    @property
    def plan(self) -> HopPlan: ...
    @property
    def mode(self) -> int: ...
    def reads(self, until_s: float, setup: InventorySetup) -> ReadTable: ...
    def skip_to(self, time_s: float) -> None: ...
    def finished_flips(self, until_s: float) -> list[TrueFlip]: ...


class ScenarioSource:
    """Reads of a simulated store."""

    def __init__(self, scenario: ScenarioFile, seed: int | None = None) -> None:
        self.world = World(scenario, seed)
        self.antennas = scenario.scenario.reader.antennas
        self.plan = self.world.plan
        self.mode = scenario.scenario.reader.mode

    def reads(self, until_s: float, setup: InventorySetup) -> ReadTable:
        return self.world.reads(until_s, setup)

    def skip_to(self, time_s: float) -> None:
        self.world.skip_to(time_s)

    def finished_flips(self, until_s: float) -> list[TrueFlip]:
        return self.world.finished_flips(until_s)


class RecordedSource:
    """A read table played back at its own pace times `speed`; reads on antennas that are off are not heard.

    Power and mode have no effect on what was recorded. Every EPC must have an even number of digits.
    """

    def __init__(self, reads: ReadTable, speed: float = 1.0) -> None:
        self._reads = reads.in_time_order()
        self._start_s = float(self._reads.time_s[0]) if len(reads) else 0.0
        self._speed = speed
        self._next = 0
        self.antennas = max(4, int(reads.antenna.max()) if len(reads) else 4)
        self.plan = PLANS["fcc"]
        self.mode = DEFAULT_MODE

    @property
    def finished(self) -> bool:
        return self._next >= len(self._reads)

    def _until(self, until_s: float) -> slice:
        end = int(np.searchsorted(self._reads.time_s, self._start_s + until_s * self._speed, side="right"))
        chosen = slice(self._next, max(end, self._next))
        self._next = chosen.stop
        return chosen

    def reads(self, until_s: float, setup: InventorySetup) -> ReadTable:
        reads = self._reads.take(self._until(until_s))
        reads = reads.take(np.isin(reads.antenna, list(setup.power_dbm)))
        played_s = (reads.time_s - self._start_s) / self._speed
        return ReadTable(played_s, reads.epc, reads.antenna, reads.channel, reads.rssi_dbm, reads.phase_rad)

    def skip_to(self, time_s: float) -> None:
        """A recording waits for its listener: nothing is lost before one comes."""

    def finished_flips(self, until_s: float) -> list[TrueFlip]:
        return []
