"""Drawing the shop: the page, the checks while one draws, saving, and the way back to earlier versions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import anyio
import msgspec
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runtime.console.drawing.document import MAX_BYTES, Drawing, ShopDocument
from runtime.console.drawing.floor_picture import MAX_UPLOAD_BYTES, take_picture
from runtime.console.drawing.judging import JudgedShop, diff_of, judge_shop
from runtime.console.drawing.store_file import ChangedMeanwhile, KeptVersion, StoreFile, StoreText
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
    """`shown` gives the store as it is in force, `reload` asks the daemon to read its file again."""

    def __init__(
        self,
        pages: Pages,
        file: StoreFile | None,
        shown: Callable[[], ShownStore],
        fault: Callable[[], str],
        reload: Callable[[], None],
        zone: tzinfo,
    ) -> None:
        self._pages = pages
        self._file = file
        self._shown = shown
        self._fault = fault
        self._reload = reload
        self._zone = zone
        self._working = anyio.CapacityLimiter(1)

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

    @property
    def _store(self) -> StoreFile:
        if self._file is None:
            raise HTTPException(404, "This console knows no store.yaml.")
        return self._file

    async def _page(self, request: Request) -> Response:
        shown = self._shown()
        return self._pages.render(
            request,
            "draw.html",
            file=self._store.path.name,
            plan=plan_of(shown),
            pictures=shown.pictures,
            kept=self._kept_rows(),
            done=_DONE.get(request.query_params.get("done", ""), ""),
        )

    async def _shop(self, request: Request) -> Response:
        def reading() -> dict[str, Any]:
            stands = self._store.read()
            return {"version": stands.version, "drawing": ShopDocument(stands.text).drawing()}

        told = await self._in_thread(reading)
        shown = self._shown()
        told["views"] = {camera.name: view for camera in shown.cameras if (view := _view(camera, shown))}
        told["extent_m"] = shown.extent_m
        return _json(told)

    async def _state(self, request: Request) -> Response:
        """Whether what is on disk is in force, asked after saving."""

        def looking() -> dict[str, Any]:
            stands = self._store.read()
            judged = judge_shop(stands.text, self._store.path)
            return {"version": stands.version, "in_force": judged.shown == self._shown()}

        told = await self._in_thread(looking)
        return _json({**told, "fault": "" if told["in_force"] else self._fault()})

    async def _check(self, request: Request) -> Response:
        sent = await _drawing_of(request)
        stands, text, judged = await self._in_thread(lambda: self._judged(sent.drawing))
        return _json(
            {
                "version": stands.version,
                "is_sound": judged.is_sound,
                "mistakes": judged.mistakes,
                "diff": diff_of(stands.text, text),
            }
        )

    def _judged(self, drawing: Drawing) -> tuple[StoreText, str, JudgedShop]:
        stands = self._store.read()
        text = ShopDocument(stands.text).with_drawing(drawing)
        return stands, text, judge_shop(text, self._store.path, stands.text)

    async def _save(self, request: Request) -> Response:
        sent, who = await _drawing_of(request), request.state.session.user

        def saving() -> StoreText:
            stands, text, judged = self._judged(sent.drawing)
            if stands.version != sent.version:
                raise ChangedMeanwhile(
                    "Somebody else has saved the shop since you looked at the differences. Nothing was "
                    "overwritten: what you drew is still on this page."
                )
            if not judged.is_sound:
                raise HTTPException(400, "There are mistakes in the drawing; nothing was saved.")
            return self._store.replace(text, sent.version, who)

        saved = await self._saved(saving, who)
        return _json({"version": saved.version})

    async def _saved(self, saving: Callable[[], StoreText], who: str) -> StoreText:
        try:
            saved: StoreText = await self._in_thread(saving)
        except ChangedMeanwhile as error:
            raise HTTPException(409, str(error)) from None
        except WebError as error:
            log.error("%s", error)
            raise HTTPException(507, str(error)) from None
        log.info("%s saved the shop (%s)", who, self._store.path)
        self._reload()
        return saved

    async def _text(self, request: Request) -> Response:
        """The whole file as drawn, to be put in place by hand."""
        sent = await _drawing_of(request)
        _, text, _ = await self._in_thread(lambda: self._judged(sent.drawing))
        if redact(text) != text:
            raise HTTPException(403, "A password stands in store.yaml in the clear, so it is not shown here.")
        return Response(text, media_type="text/plain; charset=utf-8")

    async def _plan(self, request: Request) -> Response:
        data = await request.body()
        try:
            taken = await self._in_thread(lambda: take_picture(data, self._store.path.resolve().parent))
        except WebError as error:
            raise HTTPException(400, str(error)) from None
        log.info("%s brought a picture of the floor, %s", request.state.session.user, taken.file)
        return _json(taken)

    async def _picture(self, request: Request) -> Response:
        """A picture that was brought and is not in force yet."""
        name = request.path_params["name"]
        file = self._store.path.resolve().parent / name
        if not name.startswith("plan-") or not name.endswith(".png") or not file.is_file():
            raise HTTPException(404, "There is no such picture.")
        return Response(file.read_bytes(), media_type="image/png")

    async def _versions(self, request: Request) -> Response:
        """What an earlier version is different in, from what stands."""
        kept = self._kept(request.query_params.get("number", ""))
        stands = await self._in_thread(self._store.read)
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
            if not judge_shop(kept.text, self._store.path, kept.text).is_sound:
                raise HTTPException(400, "Nothing would run with that version any more; nothing was changed.")
            return self._store.replace(kept.text, version, who)

        await self._saved(going_back, who)
        return Response(status_code=303, headers={"Location": "/draw?done=back"})

    def _kept(self, number: str) -> KeptVersion:
        for kept in self._store.kept():
            if kept.number == number:
                return kept
        raise HTTPException(404, "That version is not kept any more.")

    def _kept_rows(self) -> list[tuple[str, str, str]]:
        return [(kept.number, self._when(kept), kept.by) for kept in self._store.kept()]

    def _when(self, kept: KeptVersion) -> str:
        return f"{datetime.fromtimestamp(kept.saved_s, self._zone):%A, %-d %B %Y, %H:%M:%S}"

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(work, limiter=self._working)


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
    seen = floor.floor_in_picture([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], camera.image_size)
    return {
        "to_image": floor.inverse.tolist(),
        "to_floor": floor.matrix.tolist(),
        "size": [width, height],
        "seen": [[round(x, 2), round(y, 2)] for x, y in seen.tolist()],
    }


def _json(told: Any) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
