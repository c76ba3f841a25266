"""Camera to floor by clicking: the same place in the picture and on the plan, judged point by point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from calibration.errors import CalibrationError
from runtime.console.measuring.judging import ShopFloor, judge
from runtime.console.pictures import MAX_VIEWERS, CameraPictures
from runtime.console.plan import plan_of
from runtime.console.shown import ShownCamera, ShownStore
from web.access import Access
from web.pages import Pages

MAX_PAIRS = 60
STILL_WITHIN_S = 12.0
_rows = msgspec.json.Decoder(list[tuple[float, float, float, float]])


class CalibratePages:
    """`shown` gives the store as it is configured now."""

    def __init__(self, pages: Pages, pictures: CameraPictures, shown: Callable[[], ShownStore]) -> None:
        self._pages = pages
        self._pictures = pictures
        self._shown = shown
        self._fitting = anyio.CapacityLimiter(1)

    def routes(self, access: Access) -> list[BaseRoute]:
        """All for technicians."""
        return [
            Route("/calibrate", access.technician(self._page), methods=["GET"]),
            Route("/calibrate/{camera}/still.jpg", access.technician(self._still), methods=["GET"]),
            Route("/calibrate/{camera}/judge", access.technician(self._judge), methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        shown = self._shown()
        names = [camera.name for camera in shown.cameras]
        wanted = request.query_params.get("camera") or (names[0] if names else "")
        if wanted and wanted not in names:
            raise HTTPException(404, "There is no such camera.")
        return self._pages.render(
            request,
            "calibrate.html",
            camera=wanted,
            cameras=names,
            plan=plan_of(shown),
            pictures=shown.pictures,
        )

    async def _still(self, request: Request) -> Response:
        camera = self._camera(request)
        if not self._shown().pictures:
            raise HTTPException(403, "Pictures are turned off in store.yaml (console.pictures).")
        viewer = self._pictures.open(camera.name, request.state.session.user, whole=True)
        if viewer is None:
            raise HTTPException(503, f"{MAX_VIEWERS} people look at pictures already, which is the most.")
        try:
            jpeg = await asyncio.wait_for(viewer.first(), STILL_WITHIN_S)
        except asyncio.TimeoutError:
            raise HTTPException(
                503, "Nobody looks for heads in this camera's pictures, so none is shown."
            ) from None
        finally:
            self._pictures.close(viewer)
        return Response(jpeg, media_type="image/jpeg")

    async def _judge(self, request: Request) -> Response:
        self._camera(request)
        form = await request.form()
        try:
            rows = _rows.decode(str(form.get("pairs", "")))
            width, height = int(str(form.get("width"))), int(str(form.get("height")))
        except (msgspec.DecodeError, ValueError):
            raise HTTPException(400, "Pairs are lists of four numbers: u, v, x, y.") from None
        if len(rows) > MAX_PAIRS or not (16 <= width <= 16_384 and 16 <= height <= 16_384):
            raise HTTPException(400, f"At most {MAX_PAIRS} pairs, of a picture.")
        shown = self._shown()
        shop = ShopFloor(shown.extent_m, shown.zones)
        try:
            judged = await anyio.to_thread.run_sync(judge, rows, (width, height), shop, limiter=self._fitting)
        except CalibrationError as error:
            raise HTTPException(400, str(error)) from None
        return Response(msgspec.json.encode(judged), media_type="application/json")

    def _camera(self, request: Request) -> ShownCamera:
        name = request.path_params["camera"]
        for camera in self._shown().cameras:
            if camera.name == name:
                return camera
        raise HTTPException(404, "There is no such camera.")
