"""Web servers that end with 0 on a signal: uvicorn's own raise the signal again once they are done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from fleet.errors import FleetError

STOP_S = 2


@contextlib.contextmanager
def when_told(stop: Callable[[], object]) -> Iterator[None]:
    """SIGINT and SIGTERM call `stop` meanwhile; outside the main thread signals are somebody else's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class EndingServer(uvicorn.Server):
    """Serves until SIGINT or SIGTERM, and returns; at once where `stopping` has been set before."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event | None = None) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal ends the serving and is not raised again."""
        with when_told(self.end):
            if self._stopping is not None and self._stopping.is_set():
                self.end()
            yield

    def end(self) -> None:
        """Let everybody go and return; from any thread."""
        self.should_exit = True


class ScreenServer(EndingServer):
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

    async def until_told(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises FleetError where the address cannot be listened on."""
        try:
            await self.serve()
        except SystemExit:
            raise FleetError(
                f"{self._address}: cannot be listened on; give another port with --port"
            ) from None
