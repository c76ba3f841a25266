"""pyllrp (with bitstring < 5) reads a reader."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

from pyllrp import pyllrp as llrp
from pyllrp.LLRPConnector import LLRPConnector

ROSPEC_ID = 123


def rospec() -> Any:
    """An ROSpec that starts at ENABLE and reports every read with antenna, RSSI and Impinj's phase."""
    selector = llrp.ImpinjTagReportContentSelector_Parameter(
        Parameters=[
            llrp.ImpinjEnableRFPhaseAngle_Parameter(RFPhaseAngleMode=llrp.ImpinjRFPhaseAngleMode.Enabled),
            llrp.ImpinjEnablePeakRSSI_Parameter(PeakRSSIMode=llrp.ImpinjPeakRSSIMode.Enabled),
        ]
    )
    content = llrp.TagReportContentSelector_Parameter(
        EnableAntennaID=True, EnableChannelIndex=True, EnablePeakRSSI=True
    )
    immediate = llrp.ROSpecStartTriggerType.Immediate
    boundary = llrp.ROBoundarySpec_Parameter(
        Parameters=[
            llrp.ROSpecStartTrigger_Parameter(ROSpecStartTriggerType=immediate),
            llrp.ROSpecStopTrigger_Parameter(ROSpecStopTriggerType=llrp.ROSpecStopTriggerType.Null),
        ]
    )
    inventory = llrp.AISpec_Parameter(
        AntennaIDs=[0],
        Parameters=[
            llrp.AISpecStopTrigger_Parameter(AISpecStopTriggerType=llrp.AISpecStopTriggerType.Null),
            llrp.InventoryParameterSpec_Parameter(
                InventoryParameterSpecID=1, ProtocolID=llrp.AirProtocols.EPCGlobalClass1Gen2
            ),
        ],
    )
    report = llrp.ROReportSpec_Parameter(
        ROReportTrigger=llrp.ROReportTriggerType.Upon_N_Tags_Or_End_Of_ROSpec,
        N=1,
        Parameters=[content, selector],
    )
    return llrp.ROSpec_Parameter(
        ROSpecID=ROSPEC_ID,
        CurrentState=llrp.ROSpecState.Disabled,
        Parameters=[boundary, inventory, report],
    )


def read_of(report: Any) -> tuple[str, int | None, float | None, float | None]:
    epc = report.getFirstParameterByClass(llrp.EPC_96_Parameter).EPC
    antenna = report.getFirstParameterByClass(llrp.AntennaID_Parameter)
    rssi = report.getFirstParameterByClass(llrp.ImpinjPeakRSSI_Parameter)
    phase = report.getFirstParameterByClass(llrp.ImpinjRFPhaseAngle_Parameter)
    return (
        llrp.HexFormatToStr(epc).lower().rjust(24, "0"),
        antenna and antenna.AntennaID,
        rssi and rssi.RSSI / 100,
        phase and phase.PhaseAngle * 2 * math.pi / 4096,
    )


def listen(host: str, port: int, seconds: float) -> list[Any]:
    reports: list[Any] = []

    def take(_: object, message: Any) -> None:
        reports.extend(message.Parameters)

    connector = LLRPConnector()
    connector.connect(host, port)
    for request in (
        llrp.IMPINJ_ENABLE_EXTENSIONS_Message(),
        llrp.ADD_ROSPEC_Message(Parameters=[rospec()]),
        llrp.ENABLE_ROSPEC_Message(ROSpecID=ROSPEC_ID),
    ):
        answer = connector.transact(request)
        if not answer.success():
            raise SystemExit(f"{type(request).__name__} was refused: {answer}")
    connector.addHandler(llrp.RO_ACCESS_REPORT_Message, take)
    connector.startListener()
    time.sleep(seconds)
    connector.stopListener()
    connector.disconnect()

    return [read_of(report) for report in reports]


if __name__ == "__main__":
    print(json.dumps(listen(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
