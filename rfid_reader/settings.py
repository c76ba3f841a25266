"""What a person decides about one reader."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_reader.errors import ReaderSettingsError

LLRP_PORT = 5084
SEARCH_MODES = {"dual_target": 2, "single_target": 1, "single_target_suppression": 3, "reader_selected": 0}


@dataclass(frozen=True)
class Timing:
    """When a session loses patience, seconds. The defaults suit a store network; tests use shorter ones.

    With the defaults a fault is noticed and the reader reads again within 5 s of being able to, and a reader
    that refuses is asked at most once a second. settings_retry_s: when to try settings again that the reader
    could not fulfil. link_down_s: for how long a reader that can (Impinj) lets KEEPALIVE_ACKs be missing
    before it closes the connection and is free for another.
    """

    keepalive_s: float = 1.0
    missed_keepalives: float = 2.5
    connect_s: float = 3.0
    answer_s: float = 5.0
    backoff_first_s: float = 1.0
    backoff_highest_s: float = 3.0
    settings_retry_s: float = 30.0
    link_down_s: float = 10.0
    batch_s: float = 0.1

    @property
    def silence_s(self) -> float:
        """How long a connected reader may send nothing."""
        return self.keepalive_s * self.missed_keepalives


@dataclass(frozen=True)
class ReaderSettings:
    """Where a reader is and how it should read.

    antennas: LLRP antenna ids, empty for all. power_dbm: one for all, or by antenna; None for the reader's
    highest. mode: the reader's RF mode identifier (Impinj: 0 max throughput, 2 dense M4, 1000 and up
    automatic), None for its own choice. search_mode: one of SEARCH_MODES (Impinj only). session: C1G2 session
    0..3. population: the number of tags expected in view of one antenna.
    """

    host: str
    port: int = LLRP_PORT
    name: str = ""
    tls: bool = False
    tls_ca: str | None = None
    antennas: tuple[int, ...] = ()
    power_dbm: float | None = None
    antenna_power_dbm: dict[int, float] = field(default_factory=dict)
    session: int = 1
    mode: int | None = None
    search_mode: str = "dual_target"
    population: int = 32
    timing: Timing = Timing()

    def __post_init__(self) -> None:
        def refuse(key: str, value: object, right: str) -> None:
            raise ReaderSettingsError(
                f"reader {self.label}: {key} {value!r} is wrong; {right} would be right"
            )

        if not 1 <= self.port <= 65535:
            refuse("port", self.port, "1 to 65535")
        if self.session not in range(4):
            refuse("session", self.session, "0, 1, 2 or 3")
        if self.search_mode not in SEARCH_MODES:
            refuse("search_mode", self.search_mode, " or ".join(SEARCH_MODES))
        if not 1 <= self.population <= 65535:
            refuse("population", self.population, "1 to 65535")
        if any(not 1 <= antenna <= 255 for antenna in self.antennas):
            refuse("antennas", self.antennas, "antenna ids from 1")

    @property
    def label(self) -> str:
        return self.name or f"{self.host}:{self.port}"


def address_of(text: str) -> tuple[str, int]:
    """Host and port of HOST or HOST:PORT; an IPv6 address with a port stands in brackets.

    Raises ReaderSettingsError.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), LLRP_PORT
    if not port.isdigit():
        raise ReaderSettingsError(f"{text!r} is not HOST or HOST:PORT; 192.0.2.20:5084 would be right")
    return host.strip("[]"), int(port)
