"""What the antennas read, in words: not connected, deaf, weak, or aimed at another rack (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from contract.facts import ProcessHealth
from runtime.config.sections import Antenna
from runtime.console.shown import ShownStore
from runtime.daybook.states import Level
from runtime.messages import AntennaReads, ReaderReads

KEPT = 60
"""Surveys of a reader, of some seconds each."""
STALE_S = 30.0
SILENT = 6
"""Surveys without a read: the antenna reads nothing."""
FEW_TAGS = 5
"""By fewer nothing is said of where an antenna is aimed."""
MOST = 0.9
"""Of an antenna's tags: so many are read better elsewhere, and it has hardly any of its own. In a small shop
all antennas read all tags, and each has a third of them, or a quarter."""
WEAK = 0.85
"""Of its reads: so many are weak or faint, and it is far from its rack."""


@dataclass(frozen=True)
class AntennaLine:
    """One antenna. `reads_per_s` and `bands` are of the last minutes; None: nothing was told."""

    name: str
    port: int
    covers: str
    reads_per_s: float | None
    bands: tuple[float, float, float, float]
    """Shares of strong, good, weak and faint reads."""
    tags: int
    level: Level
    words: str
    history: tuple[float, ...] = ()
    """Reads a second, survey by survey, the oldest first."""


@dataclass(frozen=True)
class SharedLine:
    """A tag that two racks' antennas have."""

    epc: str
    where: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True)
class ReaderLines:
    """One reader; `never_read` of the tags that the store lists one by one, None where it lists none."""

    name: str
    antennas: tuple[AntennaLine, ...]
    tags: int | None
    never_read: int | None
    shared: tuple[SharedLine, ...]


class AntennaReport:
    """The last surveys of every reader. Used by the server's loop."""

    def __init__(self) -> None:
        self._surveys: dict[str, deque[ReaderReads]] = {}

    def take(self, survey: ReaderReads) -> None:
        """One more survey."""
        self._surveys.setdefault(survey.reader, deque(maxlen=KEPT)).append(survey)

    def lines(
        self, shown: ShownStore, health: Mapping[str, ProcessHealth], now_s: float
    ) -> list[ReaderLines]:
        """Every reader of the configuration."""
        return [
            self._reader(name, antennas, health.get(f"reader:{name}"), now_s)
            for name, antennas in shown.antennas.items()
        ]

    def _reader(
        self, name: str, antennas: list[Antenna], health: ProcessHealth | None, now_s: float
    ) -> ReaderLines:
        surveys = [one for one in self._surveys.get(name, ()) if now_s - one.time_s < KEPT * STALE_S]
        latest = surveys[-1] if surveys and now_s - surveys[-1].time_s < STALE_S else None
        lines = tuple(_antenna(one, antennas, surveys, latest, health) for one in antennas)
        if latest is None:
            return ReaderLines(name, lines, None, None, ())
        places = {one.port: one for one in antennas}
        shared = []
        for epc, readings in latest.shared:
            racks = {_covers(places[port]) for port, _, _ in readings if port in places}
            if len(racks) > 1:
                where = [(_named(places, port), reads, rssi_dbm) for port, reads, rssi_dbm in readings]
                shared.append(SharedLine(epc, tuple(where)))
        never = max(0, latest.stock - latest.stock_read) if latest.stock else None
        return ReaderLines(name, lines, latest.tags, never, tuple(shared))


def _antenna(
    antenna: Antenna,
    all_antennas: list[Antenna],
    surveys: list[ReaderReads],
    latest: ReaderReads | None,
    health: ProcessHealth | None,
) -> AntennaLine:
    counts = [next((one for one in survey.antennas if one.port == antenna.port), None) for survey in surveys]
    seconds = sum(survey.seconds for survey in surveys)
    reads = sum(one.reads for one in counts if one is not None)
    bands = [sum(one.bands[band] for one in counts if one is not None) / max(1, reads) for band in range(4)]
    rate = reads / seconds if latest is not None and seconds else None
    now = counts[-1] if latest is not None and counts else None
    level, words = _verdict(antenna, all_antennas, counts, latest is not None, health, bands)
    history = tuple(
        0.0 if one is None else one.reads / max(survey.seconds, 0.1)
        for one, survey in zip(counts, surveys, strict=True)
    )
    return AntennaLine(
        antenna.name,
        antenna.port,
        _covers(antenna),
        rate,
        (bands[0], bands[1], bands[2], bands[3]),
        0 if now is None else now.tags,
        level,
        words,
        history,
    )


def _verdict(
    antenna: Antenna,
    all_antennas: list[Antenna],
    counts: list[AntennaReads | None],
    is_told: bool,
    health: ProcessHealth | None,
    bands: list[float],
) -> tuple[Level, str]:
    if health is not None and health.values.get(f"antenna_{antenna.port}_lost"):
        return "bad", "is not connected: look at its cable and plug"
    if not is_told:
        return "unknown", "nothing has been told of it yet"
    if all(one is None or one.reads == 0 for one in counts[-SILENT:]):
        return "bad", "reads nothing: is there a tag near it, and is its cable whole?"
    return _by_tags(antenna, all_antennas, counts[-1], bands)


def _by_tags(
    antenna: Antenna, all_antennas: list[Antenna], now: AntennaReads | None, bands: list[float]
) -> tuple[Level, str]:
    if now is None or now.tags < FEW_TAGS:
        return "good", "reads few tags"
    other = next((one for one in all_antennas if one.port == now.elsewhere), None)
    if other is not None and now.louder_elsewhere >= MOST * now.tags and _covers(other) != _covers(antenna):
        return "fair", f"reads mostly tags that {other.name} reads better: turn it, or lower its power"
    if bands[2] + bands[3] >= WEAK:
        return "fair", "reads its tags weakly: bring it nearer, or raise its power"
    return "good", "reads its rack"


def _covers(antenna: Antenna) -> str:
    return antenna.fixture or antenna.zone or antenna.name


def _named(places: Mapping[int, Antenna], port: int) -> str:
    found = places.get(port)
    return f"port {port}" if found is None else _covers(found)
