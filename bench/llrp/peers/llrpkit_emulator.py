"""llrpkit's emulated reader: prints its port, then serves until its input ends."""

from __future__ import annotations

import asyncio
import sys

from llrpkit.emulator import LLRPEmulator


async def serve() -> None:
    async with LLRPEmulator() as emulator:
        print(emulator.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
