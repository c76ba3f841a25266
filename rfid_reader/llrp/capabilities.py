"""What a reader says it can do, from GET_READER_CAPABILITIES_RESPONSE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfid_reader.errors import LlrpFrameError, ReaderSettingsError
from rfid_reader.llrp.reports import IMPINJ

MAX_TABLE_ENTRIES = 4096


@dataclass(frozen=True)
class Capabilities:
    """A reader's model, antennas, power table and channels.

    `power_dbm[i]` belongs to power index `power_index[i]`. `frequencies_hz[k]` is the frequency of
    ChannelIndex k + 1: for a hopping reader that is the position in its hop table, else in its table of fixed
    frequencies.
    """

    manufacturer: int
    model: int
    firmware: str
    antennas: int
    power_index: tuple[int, ...]
    power_dbm: tuple[float, ...]
    hopping: bool
    hop_table: int
    frequencies_hz: tuple[float, ...]
    modes: tuple[int, ...]
    has_utc_clock: bool

    @property
    def impinj(self) -> bool:
        return self.manufacturer == IMPINJ

    def index_of_power(self, power_dbm: float | None) -> int:
        """Power index of the highest table entry at or below `power_dbm` (None: the highest of all).

        Raises ReaderSettingsError where the table has none.
        """
        entries = sorted(zip(self.power_dbm, self.power_index, strict=True))
        fitting = [index for dbm, index in entries if power_dbm is None or dbm <= power_dbm + 1e-6]
        if not fitting or (power_dbm is not None and power_dbm > entries[-1][0] + 1e-6):
            raise ReaderSettingsError(
                f"the reader cannot transmit {power_dbm} dBm; "
                f"{entries[0][0]:g} to {entries[-1][0]:g} dBm would be right"
            )
        return fitting[-1]

    def frequency_hz(self, channel: int) -> float | None:
        """Frequency of a ChannelIndex, None where the reader did not say."""
        if 1 <= channel <= len(self.frequencies_hz):
            return self.frequencies_hz[channel - 1]
        return None


def parse_capabilities(message: dict[str, Any]) -> Capabilities:
    """Read the fields that matter from a decoded response. Raises LlrpFrameError if one is left out."""
    try:
        general = message["GeneralDeviceCapabilities"]
        band = message["RegulatoryCapabilities"]["UHFBandCapabilities"]
        powers = band["TransmitPowerLevelTableEntry"][:MAX_TABLE_ENTRIES]
        information = band["FrequencyInformation"]
        if information["Hopping"]:
            table = information["FrequencyHopTable"][0]
            hop_table = int(table["HopTableId"])
        else:
            table = information["FixedFrequencyTable"]
            hop_table = 0
        modes = band.get("UHFC1G2RFModeTable", {}).get("UHFC1G2RFModeTableEntry", [])
        return Capabilities(
            manufacturer=int(general["DeviceManufacturerName"]),
            model=int(general["ModelName"]),
            firmware=bytes(general["ReaderFirmwareVersion"]).decode("utf-8", "replace"),
            antennas=int(general["MaxNumberOfAntennaSupported"]),
            power_index=tuple(int(entry["Index"]) for entry in powers),
            power_dbm=tuple(int(entry["TransmitPowerValue"]) / 100 for entry in powers),
            hopping=bool(information["Hopping"]),
            hop_table=hop_table,
            frequencies_hz=tuple(1000.0 * khz for khz in table.get("Frequency", [])[:MAX_TABLE_ENTRIES]),
            modes=tuple(int(mode["ModeIdentifier"]) for mode in modes[:MAX_TABLE_ENTRIES]),
            has_utc_clock=bool(general["HasUTCClockCapability"]),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise LlrpFrameError(f"the reader's capabilities lack {error}") from None
