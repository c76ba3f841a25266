"""sllurp's own client (not only its codec) reads a reader."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

from sllurp.llrp import LLRPReaderClient, LLRPReaderConfig

WANTED: dict[str, Any] = {
    "antennas": [1, 2, 3, 4],
    "report_every_n_tags": 1,
    "impinj_search_mode": "2",
    "impinj_tag_content_selector": {
        "EnableRFPhaseAngle": True,
        "EnablePeakRSSI": True,
        "EnableRFDopplerFrequency": False,
    },
    "tag_content_selector": {"EnableAntennaID": True, "EnableChannelIndex": True, "EnablePeakRSSI": True},
}


def read_of(report: dict[str, Any]) -> tuple[str, int | None, float | None, float | None]:
    rssi, phase = report.get("ImpinjPeakRSSI"), report.get("ImpinjRFPhaseAngle")
    return (
        report["EPC"].decode(),
        report.get("AntennaID"),
        None if rssi is None else rssi / 100,
        None if phase is None else phase * 2 * math.pi / 4096,
    )


def listen(host: str, port: int, seconds: float) -> list[Any]:
    received: list[dict[str, Any]] = []
    client = LLRPReaderClient(host, port, LLRPReaderConfig(WANTED))
    client.add_tag_report_callback(lambda _, reports: received.extend(reports))
    client.connect()
    time.sleep(seconds)
    client.disconnect(timeout=3)
    return [read_of(report) for report in received]


if __name__ == "__main__":
    print(json.dumps(listen(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
