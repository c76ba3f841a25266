"""The simulated reader with another shape of tag reports, as other readers send them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from rfid_reader.llrp.reports import PHASE_STEP_RAD
from rfid_reader.reads import COLUMNS, ReadTable
from rfid_reader.simulator.llrp import client
from rfid_reader.simulator.llrp.parameters import impinj, tlv, tv, u16, u32, u64
from rfid_reader.simulator.llrp.rospecs import ROSpec


@dataclass
class Sighting:
    """What a reader knows of one read."""

    epc: bytes
    antenna: int
    rssi_dbm: int
    channel: int
    stamp_us: int
    phase_steps: int


Parts = dict[str, bytes]
Shape = Callable[[Sighting, Parts], Parts]


def usual(sighting: Sighting) -> Parts:
    """The parameters of a report, in order, by name."""
    return {
        "epc": tv(13, sighting.epc),
        "antenna": tv(1, u16(sighting.antenna)),
        "rssi": tv(6, struct.pack("!b", sighting.rssi_dbm)),
        "channel": tv(7, u16(sighting.channel)),
        "stamp": tv(4, u64(sighting.stamp_us)),
        "seen": tv(8, u16(1)),
        "phase": impinj(56, u16(sighting.phase_steps)),
    }


@dataclass
class Reshaping:
    """Numbers every read in its EPC, so that each can be told from all others; `true_s` has the time (of the
    scenario) at which it was read. Reports are gathered until there are `at_once`, and sent in `order`,
    `a_message` together."""

    shape: Shape
    order: Callable[[list[bytes]], list[bytes]] = list
    at_once: int = 1
    a_message: int = 1
    true_s: dict[str, float] = field(default_factory=dict)
    sightings: dict[str, Sighting] = field(default_factory=dict)
    _held: list[bytes] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "tag_reports", self._reports)

    def _reports(self, reads: ReadTable, spec: ROSpec, shift_us: float, extensions: bool) -> Iterator[bytes]:
        for time_s, _, antenna, channel, rssi_dbm, phase_rad in zip(
            *(getattr(reads, name).tolist() for name in COLUMNS), strict=True
        ):
            epc = b"\xe2\x80\x11\x60" + len(self.true_s).to_bytes(8, "big")
            stamp_us = max(0, round(time_s * 1e6 + shift_us))
            steps = round(phase_rad / PHASE_STEP_RAD) % 4096
            sighting = Sighting(epc, antenna, round(rssi_dbm), channel, stamp_us, steps)
            self.true_s[epc.hex()], self.sightings[epc.hex()] = time_s, sighting
            parts = usual(sighting)
            if not extensions:
                del parts["phase"]
            self._held.append(tlv(240, *self.shape(sighting, parts).values()))
        if len(self._held) >= self.at_once:
            held, self._held = self.order(self._held), []
            for start in range(0, len(held), self.a_message):
                yield b"".join(held[start : start + self.a_message])


def without(*names: str) -> Shape:
    return lambda _, parts: {name: part for name, part in parts.items() if name not in names}


def with_part(name: str, make: Callable[[Sighting], bytes]) -> Shape:
    """The usual report with one parameter made otherwise, or one more."""
    return lambda sighting, parts: {**parts, name: make(sighting)}


def shuffled(reports: list[bytes]) -> list[bytes]:
    return random.Random(len(reports)).sample(reports, len(reports))


def every_other_swapped(reports: list[bytes]) -> list[bytes]:
    """Two reports in one go, the later half first."""
    middle = len(reports) // 2
    return shuffled(reports[middle:]) + shuffled(reports[:middle])


UNKNOWN_CUSTOM = tlv(1023, u32(161), u32(107), u16(7))
ACCESS_RESULT = tlv(349, b"\0", u16(1), u16(2), b"\x12\x34\x56\x78")
