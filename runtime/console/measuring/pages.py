"""Camera to floor by clicking: the same place in the picture and on the plan, judged point by point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated

import anyio
import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from calibration.errors import CalibrationError
from runtime.console.drawing.document import ShopDocument
from runtime.console.drawing.editing import ShopEditor
from runtime.console.measuring.judging import MapVerdict, ShopFloor, judge
from runtime.console.pictures import MAX_VIEWERS, CameraPictures
from runtime.console.plan import plan_of
from runtime.console.shown import ShownCamera, ShownStore
from web.access import Access
from web.errors import WebError
from web.pages import Pages

MAX_PAIRS = 60
STILL_WITHIN_S = 12.0
MAX_TAPES = 10
_rows = msgspec.json.Decoder(list[tuple[float, float, float, float]])
_tapes = msgspec.json.Decoder(list[tuple[float, float, float, float, Annotated[float, Meta(ge=0.3, le=50)]]])


class CalibratePages:
    """`shown` gives the store as it is configured now."""

    def __init__(
        self,
        pages: Pages,
        pictures: CameraPictures,
        shown: Callable[[], ShownStore],
        editor: ShopEditor,
    ) -> None:
        self._pages = pages
        self._pictures = pictures
        self._shown = shown
        self._editor = editor
        self._fitting = anyio.CapacityLimiter(1)

    def routes(self, access: Access) -> list[BaseRoute]:
        """All for technicians."""
        return [
            Route("/calibrate", access.technician(self._page), methods=["GET"]),
            Route("/calibrate/{camera}/still.jpg", access.technician(self._still), methods=["GET"]),
            Route("/calibrate/{camera}/judge", access.technician(self._judge), methods=["POST"]),
            Route("/calibrate/{camera}/save", access.technician(self._save), methods=["POST"]),
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
            version=await self._version(),
        )

    async def _version(self) -> str:
        """Of store.yaml; empty where the map can only be taken away by hand."""
        try:
            return str((await self._editor.in_thread(self._editor.file.read)).version)
        except (HTTPException, WebError):
            return ""

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
        judged, _ = await self._judged(request)
        return Response(msgspec.json.encode(judged), media_type="application/json")

    async def _judged(self, request: Request) -> tuple[MapVerdict, tuple[int, int]]:
        self._camera(request)
        form = await request.form()
        try:
            rows = _rows.decode(str(form.get("pairs", "")))
            tapes = _tapes.decode(str(form.get("tapes", "[]")))
            size = int(str(form.get("width"))), int(str(form.get("height")))
        except (msgspec.DecodeError, ValueError):
            raise HTTPException(
                400, "Pairs are lists of four numbers: u, v, x, y; tapes are 0.3 to 50 m long."
            ) from None
        if len(rows) > MAX_PAIRS or len(tapes) > MAX_TAPES or not all(16 <= each <= 16_384 for each in size):
            raise HTTPException(400, f"At most {MAX_PAIRS} pairs and {MAX_TAPES} tapes, of a picture.")
        shown = self._shown()
        work = partial(judge, rows, size, ShopFloor(shown.extent_m, shown.zones), tapes)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._fitting), size
        except CalibrationError as error:
            raise HTTPException(400, str(error)) from None

    async def _save(self, request: Request) -> Response:
        """Into store.yaml, where nobody else has written it since the page was opened."""
        judged, size = await self._judged(request)
        if not judged.lines:
            raise HTTPException(400, f"Nothing was saved: {'; '.join(judged.refused) or 'there is no map'}.")
        form, name = await request.form(), request.path_params["camera"]
        stands = await self._editor.in_thread(self._editor.file.read)
        cameras = ShopDocument(stands.text).drawing()["cameras"]
        for camera in cameras:
            if camera["was"] == name:
                camera |= {"homography": judged.homography, "image_size": list(size), "points": None}
        version = str(form.get("version", ""))
        saved = await self._editor.save({"cameras": cameras}, version, request.state.session.user)
        return Response(msgspec.json.encode({"version": saved.version}), media_type="application/json")

    def _camera(self, request: Request) -> ShownCamera:
        name = request.path_params["camera"]
        for camera in self._shown().cameras:
            if camera.name == name:
                return camera
        raise HTTPException(404, "There is no such camera.")
