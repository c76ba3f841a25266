"""ROSpecs as the simulated reader keeps them: parsed, checked, disabled, inactive or active."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rfid_reader.errors import LlrpFrameError
from rfid_reader.simulator.llrp.capabilities import POWERS_DBM, power_of_index
from rfid_reader.simulator.llrp.parameters import FIELD_ERROR, INVALID, Parameter, fields, parameters
from rfid_reader.simulator.radio.inventory import MODES
from rfid_reader.simulator.world import InventorySetup

DISABLED, INACTIVE, ACTIVE = range(3)
MAX_ROSPECS = 1
TAG_OBSERVATION = 3
_IMPINJ_CUSTOM = 1023

# TagReportContentSelector's bits from the highest (LLRP 1.0.1 section 16.2.7.1).
ROSPEC_ID, SPEC_INDEX, INVENTORY_ID, ANTENNA, CHANNEL, RSSI, FIRST_SEEN, LAST_SEEN, SEEN_COUNT, ACCESS_ID = (
    range(10)
)


class Rejected(Exception):
    """The reader answers a request with an error status instead of doing it."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True)
class ReportSpec:
    """What a tag report holds and how many tags make a message; n = 0: none before the spec ends."""

    n: int = 0
    content: frozenset[int] = frozenset()
    impinj: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ROSpec:
    identifier: int
    state: int
    immediate: bool
    duration_s: float | None
    setup: InventorySetup
    report: ReportSpec = field(default_factory=ReportSpec)

    def at(self, state: int) -> ROSpec:
        return replace(self, state=state)


@dataclass
class _Antennas:
    """What the AntennaConfigurations of one AISpec add up to."""

    power_dbm: dict[int, float]
    mode: int
    session: int = 1
    dual_target: bool = True


def _parse_command(body: bytes, found: _Antennas) -> None:
    for parameter in parameters(body[1:]):
        if parameter.kind == 335:
            mode, _ = fields("!HH", parameter.body)
            if mode not in MODES:
                raise Rejected(FIELD_ERROR, f"mode index {mode}")
            found.mode = mode
        elif parameter.kind == 336:
            found.session = fields("!BHI", parameter.body)[0] >> 6
        elif parameter.kind == _IMPINJ_CUSTOM and parameter.subtype == 23:
            found.dual_target = fields("!H", parameter.body)[0] in (0, 2)


def _parse_antenna(body: bytes, available: int, highest_dbm: float, found: _Antennas) -> None:
    antenna = fields("!H", body)[0]
    if antenna > available:
        raise Rejected(FIELD_ERROR, f"antenna {antenna}")
    power_dbm = highest_dbm
    for parameter in parameters(body[2:]):
        if parameter.kind == 224:
            index = fields("!HHH", parameter.body)[2]
            power = power_of_index(index)
            if power is None:
                raise Rejected(FIELD_ERROR, f"transmit power index {index} (1 to {len(POWERS_DBM)})")
            power_dbm = power
        elif parameter.kind == 330:
            _parse_command(parameter.body, found)
    for number in range(1, available + 1) if antenna == 0 else [antenna]:
        if number in found.power_dbm:
            found.power_dbm[number] = power_dbm


def _parse_aispec(body: bytes, available: int, mode: int, highest_dbm: float) -> InventorySetup:
    count = fields("!H", body)[0]
    asked = fields(f"!{count}H", body[2:])
    if any(antenna > available for antenna in asked):
        raise Rejected(FIELD_ERROR, f"antennas {asked}")
    ports = range(1, available + 1) if 0 in asked else asked
    found = _Antennas(dict.fromkeys(ports, highest_dbm), mode)
    for parameter in parameters(body[2 + 2 * count :]):
        if parameter.kind == 186:
            for inner in parameters(parameter.body[3:]):
                if inner.kind == 222:
                    _parse_antenna(inner.body, available, highest_dbm, found)
    return InventorySetup(found.power_dbm, found.mode, found.session, found.dual_target)


def _tags_until_end(body: bytes) -> int:
    """How many tags end an AISpec by its tag observation trigger (184 holding 185), 0 for another trigger."""
    count = fields("!H", body)[0]
    for parameter in parameters(body[2 + 2 * count :]):
        if parameter.kind == 184 and fields("!BI", parameter.body)[0] == TAG_OBSERVATION:
            for inner in parameters(parameter.body[5:]):
                if inner.kind == 185:
                    return fields("!BBH", inner.body)[2]
    return 0


def _parse_report(body: bytes) -> ReportSpec:
    trigger, n = fields("!BH", body)
    content: set[int] = set()
    selected: set[int] = set()
    for parameter in parameters(body[3:]):
        if parameter.kind == 238:
            bits = fields("!H", parameter.body)[0]
            content = {place for place in range(10) if bits & 0x8000 >> place}
        elif parameter.kind == _IMPINJ_CUSTOM and parameter.subtype == 50:
            selected = {
                inner.subtype
                for inner in parameters(parameter.body)
                if inner.subtype and any(fields("!H", inner.body))
            }
    return ReportSpec(n if trigger in (1, 2) else 1, frozenset(content), frozenset(selected))


def _parse_boundary(body: bytes) -> tuple[bool, float | None]:
    immediate, duration_s = False, None
    for parameter in parameters(body):
        if parameter.kind == 179:
            immediate = fields("!B", parameter.body)[0] == 1
        elif parameter.kind == 182:
            kind, milliseconds = fields("!BI", parameter.body)
            duration_s = milliseconds / 1000 if kind == 1 else None
    return immediate, duration_s


def parse_rospec(parameter: Parameter, available: int, mode: int, highest_dbm: float) -> ROSpec:
    """An ADD_ROSPEC's ROSpec. Raises Rejected (cannot be done) or LlrpFrameError (is not LLRP)."""
    if parameter.kind != 177:
        raise LlrpFrameError(f"ADD_ROSPEC holds parameter {parameter.kind}; an ROSpec (177) would be right")
    identifier, _, state = fields("!IBB", parameter.body)
    if identifier == 0 or state != DISABLED:
        raise Rejected(FIELD_ERROR, f"ROSpec {identifier} in state {state}: it has to be disabled and not 0")
    immediate, duration_s, setup, report = False, None, None, ReportSpec()
    ends_after = 0
    for inner in parameters(parameter.body[6:]):
        if inner.kind == 178:
            immediate, duration_s = _parse_boundary(inner.body)
        elif inner.kind == 183:
            setup = _parse_aispec(inner.body, available, mode, highest_dbm)
            ends_after = _tags_until_end(inner.body)
        elif inner.kind == 237:
            report = _parse_report(inner.body)
    if setup is None:
        raise Rejected(INVALID, "the ROSpec has no AISpec")
    if report.n == 0:
        report = replace(report, n=ends_after)
    return ROSpec(identifier, DISABLED, immediate, duration_s, setup, report)


class ROSpecs:
    """The reader's ROSpecs and their states. Id 0 means all of them."""

    def __init__(self) -> None:
        self._specs: dict[int, ROSpec] = {}

    def active(self) -> ROSpec | None:
        return next((spec for spec in self._specs.values() if spec.state == ACTIVE), None)

    def add(self, spec: ROSpec) -> None:
        if spec.identifier in self._specs:
            raise Rejected(INVALID, f"ROSpec {spec.identifier} exists already")
        if len(self._specs) >= MAX_ROSPECS:
            raise Rejected(INVALID, f"the reader holds {MAX_ROSPECS} ROSpec")
        self._specs[spec.identifier] = spec

    def _chosen(self, identifier: int) -> list[ROSpec]:
        if identifier == 0:
            return list(self._specs.values())
        if identifier not in self._specs:
            raise Rejected(INVALID, f"there is no ROSpec {identifier}")
        return [self._specs[identifier]]

    def delete(self, identifier: int) -> None:
        for spec in self._chosen(identifier):
            del self._specs[spec.identifier]

    def enable(self, identifier: int) -> None:
        """Disabled to inactive, or straight to active with an immediate start trigger."""
        for spec in self._chosen(identifier):
            if spec.state == DISABLED:
                self._specs[spec.identifier] = spec.at(ACTIVE if spec.immediate else INACTIVE)

    def disable(self, identifier: int) -> None:
        for spec in self._chosen(identifier):
            self._specs[spec.identifier] = spec.at(DISABLED)

    def start(self, identifier: int) -> None:
        for spec in self._chosen(identifier):
            if spec.state == DISABLED:
                raise Rejected(INVALID, f"ROSpec {spec.identifier} is disabled")
            self._specs[spec.identifier] = spec.at(ACTIVE)

    def stop(self, identifier: int) -> None:
        """Active to inactive; with an immediate start trigger it is active again at once."""
        for spec in self._chosen(identifier):
            if spec.state == ACTIVE:
                self._specs[spec.identifier] = spec.at(ACTIVE if spec.immediate else INACTIVE)

    def clear(self) -> None:
        self._specs.clear()
