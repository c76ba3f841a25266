"""The screens: one a fitting room, one for the staff. Who has a screen's address may see that screen only."""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from contract.facts import TryOn
from fleet.errors import FleetError
from fleet.mirror.catalogue import Catalogue
from fleet.mirror.rooms import Rooms
from fleet.mirror.shown_log import ShownLog
from fleet.mirror.suggesting import Screen, screen
from web.feed import Feed
from web.pages import Pages
from web.security.guard import Guard
from web.security.private_files import signing_key
from web.security.sessions import Sessions, WebSession
from web.security.users import Users

HERE = Path(__file__).parent
STAFF = "staff"
JPEG = b"\xff\xd8"
log = logging.getLogger(__name__)


class MirrorPages:
    """`folder` keeps the key that addresses are made of. `compared` draws for the comparison of two rankers.

    Used by one event loop. Raises WebError where the key cannot be made.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        folder: Path,
        shown_log: ShownLog,
        compared: random.Random | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue
        self.rooms = Rooms(catalogue.sku_of)
        self.fault = ""
        self._key = signing_key(folder / "mirror.key")
        self._log, self._compared, self._now = shown_log, compared, now
        self._feed = Feed(lambda: {}, lambda _: None)
        self._screens: dict[str, Screen] = {}
        self._pages = Pages(HERE, Sessions(self._key, Users(folder / "none.json")), "tagsight", {})

    def address(self, room: str) -> str:
        """The path of a room's screen, or with STAFF of the staff's."""
        name = quote(room, safe="")
        return f"/{self._key_of(room)}/{name}"

    def take(self, facts: Sequence[TryOn]) -> None:
        """Try-ons as they come; screens are told at once."""
        now_s = self._now()
        changed = {fact.room for fact in facts if self.rooms.take(fact, now_s)}
        changed.update(self.rooms.expire(now_s))
        if self.catalogue.refresh():
            changed.update(self.rooms.occupied())
        for room in sorted(changed):
            self._screens.pop(room, None)
            self._feed.tell("room", room)

    def close(self) -> None:
        """Let all screens go."""
        self._feed.close()

    def app(self, *, names: Sequence[str] = (), loopback: bool = True) -> ASGIApp:
        """The application behind its gate."""
        routes = [
            Route("/health", self._health),
            *self._pages.routes(),
            Route("/{key}/{room}", self._page),
            Route("/{key}/{room}/now", self._part),
            Route("/{key}/{room}/stream", self._stream),
            Route("/{key}/{room}/pictures/{sku:path}", self._picture),
            Route("/{key}/{room}/call", self._call, methods=["POST"]),
            Route("/{key}/{room}/coming", self._coming, methods=["POST"]),
            Route("/{key}/{room}/tapped/{sku:path}", self._tapped, methods=["POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, FleetError: _failed})
        return Guard(app, names=names, loopback=loopback)

    async def _health(self, request: Request) -> Response:
        state = "degraded" if self.fault or self._log.lost else "ok"
        return JSONResponse({"state": state, "detail": self.fault, "log_lines_lost": self._log.lost})

    async def _page(self, request: Request) -> Response:
        room = self._room(request)
        if room == STAFF:
            return self._rendered(request, "staff.html", rows=self._for_staff())
        return self._rendered(request, "mirror.html", **self._shown(room))

    async def _part(self, request: Request) -> Response:
        room = self._room(request)
        if room == STAFF:
            return self._rendered(request, "staff_rows.html", rows=self._for_staff())
        return self._rendered(request, "mirror_now.html", **self._shown(room))

    async def _stream(self, request: Request) -> Response:
        self._room(request)
        response = self._feed.response(lambda: True)
        if response is None:
            raise HTTPException(503, "Too many screens look already.")
        return response

    async def _picture(self, request: Request) -> Response:
        self._room(request)
        picture = self.catalogue.picture(request.path_params["sku"])
        if picture is None:
            raise HTTPException(404, "There is no picture of it.")
        kind = "image/jpeg" if picture.startswith(JPEG) else "image/png"
        return Response(picture, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})

    async def _call(self, request: Request) -> Response:
        room = self._room(request)
        if self.rooms.call(room, True):
            self._feed.tell("room", room)
        return self._rendered(request, "mirror_now.html", **self._shown(room))

    async def _coming(self, request: Request) -> Response:
        if self._room(request) != STAFF:
            raise HTTPException(403, "Only the staff's screen says that somebody comes.")
        room = str((await request.form()).get("room", ""))
        if self.rooms.call(room, False):
            self._feed.tell("room", room)
        return self._rendered(request, "staff_rows.html", rows=self._for_staff())

    async def _tapped(self, request: Request) -> Response:
        room, sku = self._room(request), request.path_params["sku"]
        found = self._screens.get(room)
        if found is not None:
            for places in (found.alike, found.goes_with):
                self._log.tapped(self._day(), found.garment.kind, places, sku)
        return Response(status_code=204)

    def _screen(self, room: str) -> Screen | None:
        """Made once for what hangs there, so that a list stays as it is while somebody looks."""
        found = self._screens.get(room)
        now = self.rooms.now(room)
        if found is None and now.here:
            found = screen(self.catalogue, now.shown, now.tried, self._compared)
            if found is not None:
                self._screens[room] = found
                for places in (found.alike, found.goes_with):
                    self._log.shown(self._day(), found.garment.kind, places)
        return found

    def _shown(self, room: str) -> dict[str, object]:
        now = self.rooms.now(room)
        return {
            "base": self.address(room),
            "screen": self._screen(room),
            "unknown": now.shown if now.here else [],
            "is_called": now.is_called,
            "fault": self.fault,
            "has_picture": self.catalogue.has_picture,
        }

    def _for_staff(self) -> list[tuple[str, bool, Screen | None]]:
        rooms = [(name, self.rooms.now(name).is_called, self._screen(name)) for name in self.rooms.occupied()]
        return sorted(rooms, key=lambda row: not row[1])

    def _rendered(self, request: Request, template: str, /, **context: object) -> Response:
        request.state.session = WebSession("screen")
        context.setdefault("base", self.address(STAFF))
        return self._pages.render(request, template, **context)

    def _room(self, request: Request) -> str:
        room = str(request.path_params["room"])
        if not hmac.compare_digest(request.path_params["key"].encode(), self._key_of(room).encode()):
            raise HTTPException(404, "There is no such screen.")
        return room

    def _key_of(self, room: str) -> str:
        return hmac.new(self._key, b"screen " + room.encode(), hashlib.sha256).hexdigest()[:32]

    def _day(self) -> str:
        return datetime.fromtimestamp(self._now(), timezone.utc).astimezone().date().isoformat()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}.\n", 503)
