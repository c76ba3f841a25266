"""A web server that ends with 0 on a signal: uvicorn's own way raises the signal again once it is done."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from fleet.errors import FleetError

STOP_S = 2


class ScreenServer(uvicorn.Server):
    """For pages on one address; no log of who asked for what."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._address = f"{host}:{port}"

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: `until_told` has handlers of its own."""
        yield

    async def until_told(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises FleetError where the address cannot be listened on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, setattr, self, "should_exit", True)
        try:
            await self.serve()
        except SystemExit:
            raise FleetError(
                f"{self._address}: cannot be listened on; give another port with --port"
            ) from None
