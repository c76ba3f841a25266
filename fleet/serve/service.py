"""`tagsight fleet serve`: the filling thread and the HTTP server, until told to stop."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from typing import TYPE_CHECKING

from fleet.embedded.replica import restore
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.serve.filling import Filler, in_background
from fleet.serve.reading import Reading
from fleet.serve.settings import FleetSettings

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from fleet.serving import EndingServer

STOP_S = 10.0
LOOK_EVERY_S = 0.2
"""How often one that stands by looks whether the address is free."""
BACKLOG = 128

log = logging.getLogger(__name__)


def serve(settings: FleetSettings, seconds: float | None = None, *, standby: bool = False) -> None:
    """Run until SIGINT or SIGTERM, or for so many seconds. Raises FleetError where it cannot begin.

    One that is on `standby` waits until nobody listens on the address any more, then goes on as that one did.
    """
    try:
        from fleet.board.app import Board
        from fleet.serve.rest import Api
        from fleet.serving import EndingServer, when_told
    except ImportError as error:
        raise FleetError("the service needs a web server; pip install 'tagsight[fleet]'") from error
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    stopping = threading.Event()
    with when_told(stopping.set):
        listening = _when_free(settings, stopping) if standby else _bound(settings)
        if listening is None:
            return
        with listening:
            _open(settings)
            filler = Filler(settings)
            board = Board(settings, Reading(settings)).app()
            server = EndingServer(_config(Api(settings, filler, board).app), stopping)
            _answer(server, listening, filler, seconds)


def _config(app: ASGIApp) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5)


def _answer(server: EndingServer, listening: socket.socket, filler: Filler, seconds: float | None) -> None:
    thread = in_background(filler)
    timer = threading.Timer(seconds or 0.0, server.end)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    log.info("pages and answers on http://%s", _address(*listening.getsockname()[:2]))
    try:
        server.run(sockets=[listening])
    finally:
        filler.stopping.set()
        filler.wake.set()
        thread.join(STOP_S)
        timer.cancel()


def _open(settings: FleetSettings) -> None:
    """Make the warehouse, or its file anew from its copy where that is what is left of it.

    Raises FleetError for a file that is no warehouse.
    """
    copy = None if settings.replica is None else settings.replica.file
    if copy is not None and copy.exists() and not settings.warehouse.exists():
        restore(copy, settings.warehouse)
        log.warning("%s was gone: it goes on from its copy %s", settings.warehouse, copy)
    Warehouse(settings.warehouse).close()


def _when_free(settings: FleetSettings, stopping: threading.Event) -> socket.socket | None:
    """None where it is told to stop before. Raises FleetError where waiting would not help."""
    if settings.port == 0:
        raise FleetError("port: 0 is free at any time; --standby needs the port of the one that serves")
    address = _address(settings.host, settings.port)
    log.info("standing by for http://%s", address)
    while not stopping.wait(LOOK_EVERY_S):
        try:
            found = _bound(settings)
        except AddressInUse:
            continue
        log.warning("nobody answers on %s any more: taking over", address)
        return found
    return None


class AddressInUse(FleetError):
    """Somebody listens there."""


def _bound(settings: FleetSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        kind, right = FleetError, "set host to an address of this machine, port to one above 1023"
        if error.errno == errno.EADDRINUSE:
            kind, right = AddressInUse, "give another port"
        address, why = _address(settings.host, settings.port), (error.strerror or "").partition(" (while")[0]
        raise kind(f"{address}: cannot be listened on ({why}); {right}") from error


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
