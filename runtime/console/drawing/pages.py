"""Drawing the shop: the page, the checks while one draws, saving, and the way back to earlier versions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import msgspec
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runtime.console.drawing.document import MAX_BYTES, Drawing, ShopDocument
from runtime.console.drawing.editing import ShopEditor
from runtime.console.drawing.floor_picture import MAX_UPLOAD_BYTES, take_picture
from runtime.console.drawing.judging import diff_of, judge_shop
from runtime.console.drawing.store_file import KeptVersion, StoreText
from runtime.console.plan import plan_of
from runtime.console.shown import ShownCamera, ShownStore
from runtime.geometry import GeometryError, Homography
from tagsight.redaction import redact
from web.access import Access
from web.errors import WebError
from web.pages import Pages

LARGER = {
    "/draw/check": 2 * MAX_BYTES,
    "/draw/save": 2 * MAX_BYTES,
    "/draw/text": 2 * MAX_BYTES,
    "/draw/plan": MAX_UPLOAD_BYTES,
}
"""Paths to which more may be sent than a form."""

log = logging.getLogger(__name__)


class SentDrawing(msgspec.Struct, frozen=True):
    """What the page sends: the drawing, and the version of the file that it was made of."""

    drawing: Drawing
    version: str


_sent = msgspec.json.Decoder(SentDrawing)


class DrawPages:
    """`shown` gives the store as it is in force, `fault` what the daemon says of a newer one."""

    def __init__(
        self,
        pages: Pages,
        editor: ShopEditor,
        shown: Callable[[], ShownStore],
        fault: Callable[[], str],
        zone: tzinfo,
    ) -> None:
        self._pages = pages
        self._editor = editor
        self._shown = shown
        self._fault = fault
        self._zone = zone

    def routes(self, access: Access) -> list[BaseRoute]:
        """All for technicians."""
        technician = access.technician
        return [
            Route("/draw", technician(self._page), methods=["GET"]),
            Route("/draw/shop.json", technician(self._shop), methods=["GET"]),
            Route("/draw/state.json", technician(self._state), methods=["GET"]),
            Route("/draw/versions", technician(self._versions), methods=["GET"]),
            Route("/draw/check", technician(self._check), methods=["POST"]),
            Route("/draw/save", technician(self._save), methods=["POST"]),
            Route("/draw/text", technician(self._text), methods=["POST"]),
            Route("/draw/plan", technician(self._plan), methods=["POST"]),
            Route("/draw/back", technician(self._back), methods=["POST"]),
            Route("/draw/picture/{name}", technician(self._picture), methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        shown = self._shown()
        return self._pages.render(
            request,
            "draw.html",
            file=self._editor.file.path.name,
            plan=plan_of(shown),
            pictures=shown.pictures,
            kept=self._kept_rows(),
            done=_DONE.get(request.query_params.get("done", ""), ""),
        )

    async def _shop(self, request: Request) -> Response:
        def reading() -> dict[str, Any]:
            stands = self._editor.file.read()
            return {"version": stands.version, "drawing": ShopDocument(stands.text).drawing()}

        told = await self._editor.in_thread(reading)
        shown = self._shown()
        told["views"] = {camera.name: view for camera in shown.cameras if (view := _view(camera, shown))}
        told["extent_m"] = shown.extent_m
        return _json(told)

    async def _state(self, request: Request) -> Response:
        """Whether what is on disk is in force, asked after saving."""

        def looking() -> dict[str, Any]:
            stands = self._editor.file.read()
            judged = judge_shop(stands.text, self._editor.file.path)
            return {"version": stands.version, "in_force": judged.shown == self._shown()}

        told = await self._editor.in_thread(looking)
        return _json({**told, "fault": "" if told["in_force"] else self._fault()})

    async def _check(self, request: Request) -> Response:
        sent = await _drawing_of(request)
        stands, text, judged = await self._editor.in_thread(lambda: self._editor.judged(sent.drawing))
        return _json(
            {
                "version": stands.version,
                "is_sound": judged.is_sound,
                "mistakes": judged.mistakes,
                "diff": diff_of(stands.text, text),
            }
        )

    async def _save(self, request: Request) -> Response:
        sent = await _drawing_of(request)
        saved = await self._editor.save(sent.drawing, sent.version, request.state.session.user)
        return _json({"version": saved.version})

    async def _text(self, request: Request) -> Response:
        """The whole file as drawn, to be put in place by hand."""
        sent = await _drawing_of(request)
        _, text, _ = await self._editor.in_thread(lambda: self._editor.judged(sent.drawing))
        if redact(text) != text:
            raise HTTPException(403, "A password stands in store.yaml in the clear, so it is not shown here.")
        return Response(text, media_type="text/plain; charset=utf-8")

    async def _plan(self, request: Request) -> Response:
        data = await request.body()
        try:
            taken = await self._editor.in_thread(
                lambda: take_picture(data, self._editor.file.path.resolve().parent)
            )
        except WebError as error:
            raise HTTPException(400, str(error)) from None
        log.info("%s brought a picture of the floor, %s", request.state.session.user, taken.file)
        return _json(taken)

    async def _picture(self, request: Request) -> Response:
        """A picture that was brought and is not in force yet."""
        name = request.path_params["name"]
        file = self._editor.file.path.resolve().parent / name
        if not name.startswith("plan-") or not name.endswith(".png") or not file.is_file():
            raise HTTPException(404, "There is no such picture.")
        return Response(file.read_bytes(), media_type="image/png")

    async def _versions(self, request: Request) -> Response:
        """What an earlier version is different in, from what stands."""
        kept = self._kept(request.query_params.get("number", ""))
        stands = await self._editor.in_thread(self._editor.file.read)
        return self._pages.render(
            request,
            "draw_version.html",
            200,
            when=self._when(kept),
            number=kept.number,
            version=stands.version,
            diff=diff_of(stands.text, kept.text),
        )

    async def _back(self, request: Request) -> Response:
        form, who = await request.form(), request.state.session.user
        kept, version = self._kept(str(form.get("number", ""))), str(form.get("version", ""))

        def going_back() -> StoreText:
            if not judge_shop(kept.text, self._editor.file.path, kept.text).is_sound:
                raise HTTPException(400, "Nothing would run with that version any more; nothing was changed.")
            return self._editor.file.replace(kept.text, version, who)

        await self._editor.written(going_back, who)
        return Response(status_code=303, headers={"Location": "/draw?done=back"})

    def _kept(self, number: str) -> KeptVersion:
        for kept in self._editor.file.kept():
            if kept.number == number:
                return kept
        raise HTTPException(404, "That version is not kept any more.")

    def _kept_rows(self) -> list[tuple[str, str, str]]:
        return [(kept.number, self._when(kept), kept.by) for kept in self._editor.file.kept()]

    def _when(self, kept: KeptVersion) -> str:
        return f"{datetime.fromtimestamp(kept.saved_s, self._zone):%A, %-d %B %Y, %H:%M:%S}"


_DONE = {"back": "The earlier version is back, and the daemon takes it up."}


async def _drawing_of(request: Request) -> SentDrawing:
    try:
        return _sent.decode(await request.body())
    except msgspec.DecodeError:
        raise HTTPException(400, "What was sent is no drawing; load the page again.") from None


def _view(camera: ShownCamera, shown: ShownStore) -> dict[str, Any] | None:
    """What a camera with a map sees: floor metres to pixels, and the floor in its picture."""
    if camera.floor_map is None or camera.image_size is None:
        return None
    width, height = camera.image_size
    try:
        floor = Homography(np.array(camera.floor_map), (width / 2, height - 1.0))
    except GeometryError:
        return None
    x0, y0, x1, y1 = shown.extent_m
    seen = floor.floor_in_frame([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], camera.image_size)
    return {
        "to_image": floor.inverse.tolist(),
        "to_floor": floor.matrix.tolist(),
        "size": [width, height],
        "seen": [[round(x, 2), round(y, 2)] for x, y in seen.tolist()],
    }


def _json(told: Any) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
