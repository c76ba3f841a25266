"""`tagsight fleet serve`: the filling thread and the HTTP server, until told to stop."""

from __future__ import annotations

import logging
import threading

from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.serve.filling import Filler, in_background
from fleet.serve.settings import FleetSettings

STOP_S = 10.0


def serve(settings: FleetSettings, seconds: float | None = None) -> None:
    """Run until a signal, or for so many seconds. Raises FleetError where it cannot begin."""
    try:
        import uvicorn

        from fleet.serve.rest import Api
    except ImportError as error:
        raise FleetError("the service needs a web server; pip install 'tagsight[fleet]'") from error
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    Warehouse(settings.warehouse).close()
    filler = Filler(settings)
    thread = in_background(filler)
    server = uvicorn.Server(
        uvicorn.Config(
            Api(settings, filler).app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    timer = threading.Timer(seconds or 0.0, lambda: setattr(server, "should_exit", True))
    timer.daemon = True
    if seconds is not None:
        timer.start()
    logging.getLogger(__name__).info("answers on http://%s:%d", settings.host, settings.port)
    try:
        server.run()
    except SystemExit as error:
        raise FleetError(
            f"{settings.host}:{settings.port}: cannot be listened on; give another port"
        ) from error
    finally:
        filler.stopping.set()
        filler.wake.set()
        thread.join(STOP_S)
        timer.cancel()
