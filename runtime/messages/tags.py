"""Tags: what readers tell the store process and the console."""

from __future__ import annotations

import msgspec


class TagFlip(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A tag was turned over or picked between `start_s` and `end_s`; `score` is in 0..1."""

    reader: str
    antenna: int
    epc: str
    start_s: float
    end_s: float
    score: float


class TagPresence(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A tag was read by an antenna from `first_s` to `last_s`; `gone` once it is no longer read."""

    reader: str
    antenna: int
    epc: str
    first_s: float
    last_s: float
    reads: int
    gone: bool = False


class TagsRead(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What a reader has read in the last seconds: EPC, then port, reads and mean RSSI in dBm of each antenna.

    Many tags come in several records, all but the last of them with `more`. A reader that reads nothing says
    so with no tags; one that is away says nothing.
    """

    reader: str
    time_s: float
    tags: tuple[tuple[str, tuple[tuple[int, int, float], ...]], ...]
    more: bool = False


class AntennaReads(msgspec.Struct, frozen=True, array_like=True):
    """One antenna in the last `seconds` of its record: see `rfid_reader.survey.AntennaSurvey`."""

    port: int
    reads: int
    bands: tuple[int, int, int, int]
    tags: int
    louder_elsewhere: int = 0
    elsewhere: int = 0


class ReaderReads(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What a reader's antennas have read: `reads` are of `seconds`, tags of the last minutes.

    `shared` are tags that several antennas have: EPC, then port, reads and mean RSSI in dBm of each.
    `stock` is how many tags the store lists one by one, `stock_read` how many tags of its stock are read.
    """

    reader: str
    time_s: float
    seconds: float
    antennas: tuple[AntennaReads, ...]
    tags: int = 0
    stock: int = 0
    stock_read: int = 0
    shared: tuple[tuple[str, tuple[tuple[int, int, float], ...]], ...] = ()
