"""What the reader is asked to do: report every read of every tag, for ever.

The AISpec has a Null stop trigger and reports come at N = 1. A tag-observation stop trigger would end and
restart inventory at every tag, which is what makes the usual client slow.
"""

from __future__ import annotations

import struct
from typing import Any

from rfid_reader.errors import ReaderSettingsError
from rfid_reader.llrp.capabilities import Capabilities
from rfid_reader.llrp.reports import IMPINJ
from rfid_reader.settings import SEARCH_MODES, ReaderSettings

ROSPEC_ID = 1
_CUSTOM, _LINK_MONITOR = 1023, 38
_EVENTS_WANTED = (
    "ROSpecEvent", "ReportBufferFillWarning", "ReaderExceptionEvent", "AntennaEvent",
)  # fmt: skip


def chosen_antennas(settings: ReaderSettings, capabilities: Capabilities) -> tuple[int, ...]:
    """The antennas to read on. Raises ReaderSettingsError for one the reader does not have."""
    for antenna in (*settings.antennas, *settings.antenna_power_dbm):
        if antenna > capabilities.antennas:
            raise ReaderSettingsError(
                f"reader {settings.label}: antenna {antenna} does not exist; "
                f"1 to {capabilities.antennas} would be right"
            )
    return settings.antennas or tuple(range(1, capabilities.antennas + 1))


def _inventory_command(
    settings: ReaderSettings, capabilities: Capabilities, extensions: bool
) -> dict[str, Any]:
    command: dict[str, Any] = {
        "TagInventoryStateAware": False,
        "C1G2SingulationControl": {
            "Session": settings.session,
            "TagPopulation": settings.population,
            "TagTransitTime": 0,
        },
    }
    if settings.mode is not None:
        if settings.mode not in capabilities.modes:
            raise ReaderSettingsError(
                f"reader {settings.label}: mode {settings.mode} does not exist; "
                f"one of {', '.join(map(str, capabilities.modes))} would be right"
            )
        command["C1G2RFControl"] = {"ModeIndex": settings.mode, "Tari": 0}
    if extensions:
        command["ImpinjInventorySearchMode"] = {"InventorySearchMode": SEARCH_MODES[settings.search_mode]}
    return command


def build_rospec(settings: ReaderSettings, capabilities: Capabilities, extensions: bool) -> dict[str, Any]:
    """The ROSpec as fields for sllurp's codec; `extensions` says whether Impinj's were switched on.

    Raises ReaderSettingsError, naming what the reader cannot do.
    """
    antennas = chosen_antennas(settings, capabilities)
    command = _inventory_command(settings, capabilities, extensions)
    configurations = [
        {
            "AntennaID": antenna,
            "RFTransmitter": {
                "HopTableId": capabilities.hop_table,
                "ChannelIndex": 1,
                "TransmitPower": capabilities.index_of_power(
                    settings.antenna_power_dbm.get(antenna, settings.power_dbm)
                ),
            },
            "C1G2InventoryCommand": [command],
        }
        for antenna in antennas
    ]
    report: dict[str, Any] = {
        "ROReportTrigger": "Upon_N_Tags_Or_End_Of_AISpec",
        "N": 1,
        "TagReportContentSelector": {
            "EnableAntennaID": True,
            "EnableChannelIndex": True,
            "EnablePeakRSSI": True,
            "EnableLastSeenTimestamp": True,
            "EnableTagSeenCount": True,
        },
    }
    if extensions:
        report["ImpinjTagReportContentSelector"] = {
            "ImpinjEnableRFPhaseAngle": {"RFPhaseAngleMode": 1},
            "ImpinjEnablePeakRSSI": {"PeakRSSIMode": 1},
            "ImpinjEnableRFDopplerFrequency": {"RFDopplerFrequencyMode": 1},
        }
    return {
        "ROSpecID": ROSPEC_ID,
        "Priority": 0,
        "CurrentState": "Disabled",
        "ROBoundarySpec": {
            "ROSpecStartTrigger": {"ROSpecStartTriggerType": "Null"},
            "ROSpecStopTrigger": {"ROSpecStopTriggerType": "Null", "DurationTriggerValue": 0},
        },
        "AISpec": [
            {
                "AntennaID": list(antennas),
                "AISpecStopTrigger": {"AISpecStopTriggerType": "Null", "DurationTriggerValue": 0},
                "InventoryParameterSpec": [
                    {"InventoryParameterSpecID": 1, "ProtocolID": 1, "AntennaConfiguration": configurations}
                ],
            }
        ],
        "ROReportSpec": report,
    }


def build_reader_config(settings: ReaderSettings) -> dict[str, Any]:
    """SET_READER_CONFIG: factory state, keepalives and events on, nothing held back after a reconnect."""
    return {
        "ResetToFactoryDefaults": True,
        "ReaderEventNotificationSpec": {"EventNotificationState": dict.fromkeys(_EVENTS_WANTED, True)},
        "KeepaliveSpec": {
            "KeepaliveTriggerType": 1,
            "TimeInterval": max(1, round(settings.timing.keepalive_s * 1000)),
        },
    }


def link_monitor(settings: ReaderSettings) -> bytes:
    """ImpinjLinkMonitorConfiguration (Impinj Octane LLRP): the reader closes a connection on which it was
    given no KEEPALIVE_ACK for `Timing.link_down_s`. Without it, a reader keeps serving a client whose power
    was cut, and refuses the same client when it is back."""
    missed = max(3, round(settings.timing.link_down_s / settings.timing.keepalive_s))
    enabled = 1
    body = struct.pack("!IIHH", IMPINJ, _LINK_MONITOR, enabled, min(missed, 0xFFFF))
    return struct.pack("!HH", _CUSTOM, 4 + len(body)) + body
