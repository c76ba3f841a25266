"""`tagsight fleet serve`: the filling thread and the HTTP server, until told to stop."""

from __future__ import annotations

import logging
import socket
import threading
import time
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

STOP_S = 10.0
LOOK_EVERY_S = 0.2
"""How often one that stands by looks whether the address is free."""
BACKLOG = 128

log = logging.getLogger(__name__)


def serve(settings: FleetSettings, seconds: float | None = None, *, standby: bool = False) -> None:
    """Run until a signal, or for so many seconds. Raises FleetError where it cannot begin.

    One that is on `standby` waits until nobody listens on the address any more, then goes on as that one did.
    """
    try:
        import uvicorn

        from fleet.board.app import Board
        from fleet.serve.rest import Api
    except ImportError as error:
        raise FleetError("the service needs a web server; pip install 'tagsight[fleet]'") from error
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    with _when_free(settings) if standby else _bound(settings) as listening:
        _open(settings)
        filler = Filler(settings)
        board = Board(settings, Reading(settings)).app()
        _answer(uvicorn.Server(_config(Api(settings, filler, board).app)), listening, filler, seconds)


def _config(app: ASGIApp) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5)


def _answer(server: uvicorn.Server, listening: socket.socket, filler: Filler, seconds: float | None) -> None:
    thread = in_background(filler)
    timer = threading.Timer(seconds or 0.0, lambda: setattr(server, "should_exit", True))
    timer.daemon = True
    if seconds is not None:
        timer.start()
    log.info("pages and answers on http://%s:%d", *listening.getsockname()[:2])
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


def _when_free(settings: FleetSettings) -> socket.socket:
    log.info("standing by for http://%s:%d", settings.host, settings.port)
    while True:
        try:
            found = _bound(settings)
        except FleetError:
            time.sleep(LOOK_EVERY_S)
        else:
            log.warning("nobody answers on %s:%d any more: taking over", settings.host, settings.port)
            return found


def _bound(settings: FleetSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise FleetError(
            f"{settings.host}:{settings.port}: cannot be listened on; give another port"
        ) from error
