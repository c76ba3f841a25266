"""llrpkit's client reads a reader."""

from __future__ import annotations

import asyncio
import json
import math
import sys

from llrpkit import Reader

Read = tuple[str, "int | None", "float | None", "float | None"]


async def listen(host: str, port: int, seconds: float) -> list[Read]:
    reads: list[Read] = []
    async with Reader(host, port) as reader:
        async for tag in reader.inventory(include_phase=True, duration=seconds):
            phase_rad = None if tag.phase_deg is None else math.radians(tag.phase_deg)
            reads.append((tag.epc_hex, tag.antenna, tag.rssi_dbm, phase_rad))
    return reads


if __name__ == "__main__":
    print(json.dumps(asyncio.run(listen(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
