"""The guide screen: one page, the same for everybody who stands before it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fleet.errors import FleetError
from fleet.guide.coupons import Coupon, coupons
from fleet.guide.ranking import OURS, CouponSignals, CouponWeights, scores
from fleet.guide.shops import NOTHING, ShopFigures, shops
from web.pages import Pages
from web.security.guard import Guard
from web.security.private_files import signing_key
from web.security.sessions import Sessions, WebSession
from web.security.users import Users

HERE = Path(__file__).parent
SHOWN = 12
log = logging.getLogger(__name__)


class Guide(NamedTuple):
    """Coupons in their order, and a sentence where something could not be read."""

    coupons: tuple[Coupon, ...]
    fault: str


def ranked(
    listed: list[Coupon], by_site: dict[str, ShopFigures], today: date, weights: CouponWeights = OURS
) -> tuple[Coupon, ...]:
    """Those that still serve, best first; of equal ones the first of the list."""
    valid = [one for one in listed if one.until is None or one.until >= today]
    nothing = np.full(len(valid), np.nan)
    known = [by_site.get(one.site, NOTHING) for one in valid]
    signals = CouponSignals(
        np.array([one.redeemed for one in valid], dtype=float),
        np.array([shop.heat_person_s for shop in known], dtype=float),
        np.array([shop.conversion for shop in known], dtype=float),
        np.array([np.nan if one.value is None else one.value for one in valid], dtype=float),
        nothing,
    )
    return tuple(valid[place] for place in np.argsort(-scores(signals, weights), kind="stable"))


class GuidePages:
    """Both files are read anew for each page: a list that was replaced is shown at the next look."""

    def __init__(
        self, coupons_file: Path, warehouse: Path | None, folder: Path, today: Callable[[], date] = date.today
    ) -> None:
        """Raises FleetError where the list cannot be read now."""
        self._file, self._warehouse, self._today = coupons_file, warehouse, today
        self._last = coupons(coupons_file)
        sessions = Sessions(signing_key(folder / "guide.key"), Users(folder / "none.json"))
        self._pages = Pages(HERE, sessions, "tagsight", {})

    def guide(self) -> Guide:
        """What is shown now; what cannot be read leaves what was read last, and is said."""
        faults = []
        try:
            self._last = coupons(self._file)
        except FleetError as error:
            faults.append(str(error))
        by_site: dict[str, ShopFigures] = {}
        try:
            by_site = shops(self._warehouse) if self._warehouse is not None else {}
        except FleetError as error:
            faults.append(str(error))
        for fault in faults:
            log.warning("%s", fault)
        return Guide(ranked(self._last, by_site, self._today()), "; ".join(faults))

    def app(self, *, loopback: bool = True, names: tuple[str, ...] = ()) -> ASGIApp:
        """The application behind its gate."""
        routes = [Route("/", self._page), Route("/health", self._health), *self._pages.routes()]
        return Guard(Starlette(routes=routes), names=names, loopback=loopback)

    async def _page(self, request: Request) -> Response:
        found = await run_in_threadpool(self.guide)
        request.state.session = WebSession("screen")
        part = "hx-request" in request.headers
        return self._pages.render(
            request, "coupons.html" if part else "guide.html", coupons=found.coupons[:SHOWN]
        )

    async def _health(self, request: Request) -> Response:
        found = await run_in_threadpool(self.guide)
        return JSONResponse({"state": "degraded" if found.fault else "ok", "coupons": len(found.coupons)})
