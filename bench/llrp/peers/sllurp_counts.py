"""sllurp's own client, set to reconnect for ever: prints how many reads it received, ten times a second."""

from __future__ import annotations

import sys
import time
from typing import Any

from sllurp.llrp import LLRPReaderClient, LLRPReaderConfig

WANTED: dict[str, Any] = {
    "antennas": [1, 2, 3, 4],
    "report_every_n_tags": 1,
    "reconnect": True,
    "reconnect_retries": -1,
    "keepalive_interval": 1000,
}


def count(host: str, port: int, seconds: float) -> None:
    received = 0

    def take(_: object, reports: list[Any]) -> None:
        nonlocal received
        received += len(reports)

    client = LLRPReaderClient(host, port, LLRPReaderConfig(WANTED))
    client.add_tag_report_callback(take)
    end_s = time.monotonic() + seconds
    client.connect()
    while time.monotonic() < end_s:
        print(received, flush=True)
        time.sleep(0.1)


if __name__ == "__main__":
    count(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
