"""The mirror as a process: follows try-ons, tells screens, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from fleet.errors import FleetError
from fleet.mirror.following import TryOnFollower
from fleet.mirror.pages import MirrorPages
from fleet.serving import ScreenServer

EVERY_S = 0.2
"""How often new try-ons are looked for: a screen changes within a second of the event."""
AFTER_FAULT_S = 2.0
log = logging.getLogger(__name__)


async def follow(pages: MirrorPages, events: Path, site: str | None) -> None:
    """Give the pages what is written, for ever; a fault is shown and tried again."""
    follower: TryOnFollower | None = None
    while True:
        try:
            if follower is None:
                follower = await run_in_threadpool(TryOnFollower, events, site)
            pages.take(await run_in_threadpool(follower.new))
            pages.fault = ""
            await asyncio.sleep(EVERY_S)
        except FleetError as error:
            if pages.fault != str(error):
                log.warning("%s", error)
            pages.fault = str(error)
            pages.take(())
            if follower is not None:
                follower.close()
            follower = None
            await asyncio.sleep(AFTER_FAULT_S)


def serve(
    pages: MirrorPages, events: Path, site: str | None, host: str, port: int, names: Sequence[str] = ()
) -> None:
    """Until a signal. Raises FleetError where the address cannot be listened on."""
    server = ScreenServer(
        pages.app(names=names, loopback=host in ("127.0.0.1", "::1", "localhost")), host, port
    )

    async def run() -> None:
        following = asyncio.create_task(follow(pages, events, site))
        ending = asyncio.create_task(_close_at_end(server, pages))
        try:
            await server.until_told()
        finally:
            for task in (following, ending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    asyncio.run(run())


async def _close_at_end(server: ScreenServer, pages: MirrorPages) -> None:
    while not server.should_exit:
        await asyncio.sleep(EVERY_S)
    pages.close()
