"""The web server: in a thread of its own, on a socket that is bound before.

A port that is taken, or a certificate that cannot be read, is said in health and tried again: the box counts
meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from runtime.console.shown import Setup, own_addresses
from tagsight.errors import TagsightError
from web.errors import WebError
from web.security.certificates import fingerprint, self_signed

BACKLOG = 64
MAX_CONNECTIONS = 96
KEEP_ALIVE_S = 10
STOP_S = 0.8

log = logging.getLogger(__name__)


class ServerError(TagsightError):
    """The pages cannot be served."""


class Address:
    """A bound socket, and the certificate and key where there is TLS. Raises ServerError."""

    def __init__(self, setup: Setup) -> None:
        self.tls: tuple[Path, Path] | None = None
        try:
            if setup.cert is not None and setup.key is not None:
                self.tls = (setup.cert, setup.key)
            elif setup.has_tls:
                self.tls = self_signed(setup.folder, [*setup.names, *own_addresses(setup.host)])
            self.fingerprint = "" if self.tls is None else fingerprint(self.tls[0])
            if self.tls is not None:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self.tls)
        except (WebError, ssl.SSLError, OSError) as error:
            raise ServerError(f"console: the certificate cannot be used ({error})") from error
        self.socket = _bound(setup.host, setup.port)


class WebServer:
    """Serves one application until stopped."""

    def __init__(self, address: Address, app: ASGIApp, on_stop: Callable[[], None]) -> None:
        self._address = address
        self._on_stop = on_stop
        cert, key = address.tls or (None, None)
        self._server = _Quiet(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,
                ws="none",
                lifespan="off",
                loop="asyncio",
                http="h11",
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
                ssl_certfile=None if cert is None else str(cert),
                ssl_keyfile=None if key is None else str(key),
            )
        )
        # Greetings, and a line for each byte of rubbish that a scanner sends, are no news; faults are.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Let the server's loop do that; from any thread. Nothing happens before it has begun."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(function, *arguments)

    def stop(self) -> None:
        """Let everybody go and end."""
        self._server.should_exit = True
        self.call(self._on_stop)
        self._thread.join(STOP_S)
        self._address.socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("the console's server has ended by a fault")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._address.socket])


class _Quiet(uvicorn.Server):
    """Signals are the supervisor's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """None of them."""
        yield


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ServerError(
            f"console: {host}:{port} cannot be listened on ({error.strerror}); "
            "set console.port to a free one, console.host to an address of this machine"
        ) from error
    sock.setblocking(False)
    return sock
