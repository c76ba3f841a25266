"""The mirror as a process: follows try-ons, tells screens, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn
from starlette.concurrency import run_in_threadpool

from fleet.errors import FleetError
from fleet.mirror.following import TryOnFollower
from fleet.mirror.pages import MirrorPages

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
    server = _Server(
        uvicorn.Config(
            pages.app(names=names, loopback=host in ("127.0.0.1", "::1", "localhost")),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        following = asyncio.create_task(follow(pages, events, site))
        ending = asyncio.create_task(_close_at_end(server, pages))
        try:
            await server.serve()
        finally:
            for task in (following, ending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    try:
        asyncio.run(run())
    except SystemExit:
        raise FleetError(f"{host}:{port}: cannot be listened on; give another port with --port") from None


class _Server(uvicorn.Server):
    """Ends with 0 on a signal: uvicorn's own way raises it again once it is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: `serve` has handlers of its own."""
        yield


async def _close_at_end(server: uvicorn.Server, pages: MirrorPages) -> None:
    while not server.should_exit:
        await asyncio.sleep(EVERY_S)
    pages.close()
