"""The page RFID."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runtime.console.live import Live
from runtime.console.radio.antennas import AntennaReport
from runtime.console.shown import ShownStore
from web.access import Access
from web.pages import Pages

SPARK_WIDTH, SPARK_HEIGHT = 120.0, 24.0


class RadioPages:
    """`shown` gives the store as it is configured now, `now` UTC seconds."""

    def __init__(
        self,
        pages: Pages,
        report: AntennaReport,
        live: Live,
        shown: Callable[[], ShownStore],
        now: Callable[[], float],
    ) -> None:
        self._pages = pages
        self._report = report
        self._live = live
        self._shown = shown
        self._now = now

    def routes(self, access: Access) -> list[BaseRoute]:
        """For viewers."""
        return [Route("/rfid", access.viewer(self._page))]

    async def _page(self, request: Request) -> Response:
        await self._live.read()
        readers = self._report.lines(self._shown(), self._live.daybook.health(), self._now())
        part = "hx-request" in request.headers
        return self._pages.render(
            request, "rfid_lines.html" if part else "rfid.html", 200, readers=readers, spark=spark
        )


def spark(history: tuple[float, ...]) -> str:
    """Points of a line of SPARK_WIDTH x SPARK_HEIGHT, for SVG."""
    if len(history) < 2:
        return ""
    most = max(*history, 1.0)
    across, up = SPARK_WIDTH / (len(history) - 1), (SPARK_HEIGHT - 2) / most
    return " ".join(
        f"{across * at:.1f},{SPARK_HEIGHT - 1 - up * rate:.1f}" for at, rate in enumerate(history)
    )
