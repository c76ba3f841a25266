"""The pages, put together: who may see which, and what is on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.console.days.pages import TodayPages
from runtime.console.drawing.editing import ShopEditor
from runtime.console.drawing.pages import LARGER, DrawPages
from runtime.console.drawing.store_file import StoreFile
from runtime.console.health_words import lines, verdict
from runtime.console.link import KEY_FILE
from runtime.console.live import Live
from runtime.console.measuring.pages import CalibratePages
from runtime.console.pictures import BOUNDARY, MAX_VIEWERS, CameraPictures
from runtime.console.plan import DRAWING, plan_of
from runtime.console.radio.antennas import AntennaReport
from runtime.console.radio.pages import RadioPages
from runtime.console.shown import Setup, ShownStore
from runtime.daybook.daybook import Daybook
from web.access import Access
from web.accounts import Accounts
from web.errors import WebError
from web.pages import Pages
from web.security.guard import Guard
from web.security.private_files import signing_key
from web.security.sessions import Sessions
from web.security.users import Role, Users

HERE = Path(__file__).parent
LINKS = {
    "/": "Live",
    "/today": "Today",
    "/rfid": "RFID",
    "/draw": "Draw",
    "/calibrate": "Calibrate",
    "/health": "Health",
    "/people": "Users",
}
FOR_TECHNICIANS = ("/draw", "/calibrate", "/people")
DRAWINGS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
USERS_FILE = "users.json"
VERSIONS = "versions"
"""Folder of the configurations before this one."""


class ShopPages:
    """Everything behind the pages. `now` gives UTC seconds, `watch` hears whether anybody looks at the floor,
    `reload` asks the daemon to read its configuration again.

    Raises WebError where users or key cannot be read or made.
    """

    def __init__(
        self,
        setup: Setup,
        shown: ShownStore,
        now: Callable[[], float],
        watch: Callable[[bool], None],
        watch_cameras: Callable[[], None],
        code: str,
        reload: Callable[[], None] = lambda: None,
    ) -> None:
        zone = ZoneInfo(setup.timezone)
        self.setup = setup
        self.shown = shown
        self.users = Users(setup.folder / USERS_FILE)
        self.live = Live(shown, zone, Daybook(setup.outbox, zone), now, watch)
        self.pictures = CameraPictures(shown, watch_cameras)
        self._now = now
        self._code = code
        self._sessions = Sessions(signing_key(setup.folder / KEY_FILE), self.users)
        self._pages = Pages(HERE, self._sessions, f"tagsight · {setup.site}", LINKS, FOR_TECHNICIANS)
        self._access = Access(self._sessions, secure=setup.has_tls, cookie=f"tagsight-{setup.port}")

        file = None if setup.file is None else StoreFile(setup.file, setup.folder / VERSIONS)
        editor = ShopEditor(file, reload)
        self._draw = DrawPages(self._pages, editor, lambda: self.shown, self._configuration_fault, zone)
        self._calibrate = CalibratePages(self._pages, self.pictures, lambda: self.shown, editor)
        self.radio = AntennaReport()
        self._radio = RadioPages(self._pages, self.radio, self.live, lambda: self.shown, now)
        self._today = TodayPages(self._pages, self.live, lambda: self.shown, zone, now, setup)

    def use(self, shown: ShownStore) -> None:
        """Go on with another plan."""
        self.shown = shown
        self.live.use(shown)
        self.pictures.use(shown)

    def app(self) -> ASGIApp:
        """The application behind its gate."""
        access, setup = self._access, self.setup
        accounts = Accounts(self._pages, access, self._sessions, self.users, self._code)
        viewer = access.viewer
        app = Starlette(
            routes=[
                Route("/", viewer(self._live)),
                Route("/live/now", viewer(self._live_now)),
                Route("/live/stream", viewer(self._stream)),
                Route("/plan.css", viewer(self._plan_css)),
                Route("/cameras/{name}/pictures", access.technician(self._pictures_of)),
                Route(DRAWING, viewer(self._drawing)),
                Route("/health", viewer(self._health)),
                *self._today.routes(access),
                *self._radio.routes(access),
                *self._draw.routes(access),
                *self._calibrate.routes(access),
                *accounts.routes(),
                *self._pages.routes(),
            ],
            exception_handlers={HTTPException: self._refused, WebError: self._failed},
        )
        return Guard(app, names=setup.names, loopback=setup.is_loopback, secure=setup.has_tls, larger=LARGER)

    async def _live(self, request: Request) -> Response:
        await self.live.read()
        return self._pages.render(
            request,
            "live.html",
            plan=plan_of(self.shown),
            now=self.live.snapshot(),
            devices=self.live.devices(),
            pictures=self.shown.pictures and request.state.session.may("technician"),
        )

    async def _live_now(self, request: Request) -> Response:
        await self.live.read()
        return JSONResponse(self.live.snapshot())

    async def _stream(self, request: Request) -> Response:
        await self.live.read()
        response = self.live.feed.response(lambda: self._may_still(request))
        if response is None:
            raise HTTPException(503, "Too many browsers look at this page already.")
        return response

    async def _pictures_of(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self.shown.pictures:
            raise HTTPException(403, "Pictures are turned off in store.yaml (console.pictures).")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403, "Pictures are for our own pages only.")
        if all(camera.name != name for camera in self.shown.cameras):
            raise HTTPException(404, "There is no such camera.")
        viewer = self.pictures.open(name, request.state.session.user)
        if viewer is None:
            raise HTTPException(503, f"{MAX_VIEWERS} people look at pictures already, which is the most.")
        return StreamingResponse(
            self.pictures.stream(viewer, lambda: self._may_still(request, "technician")),
            media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        )

    def _configuration_fault(self) -> str:
        """What the supervisor says of a newer configuration, if anything."""
        found = self.live.daybook.health().get("supervisor")
        return found.detail if found is not None and "the configuration on disk" in found.detail else ""

    def _may_still(self, request: Request, role: Role = "viewer") -> bool:
        session = self._access.session_of(request)
        return session is not None and session.may(role)

    async def _plan_css(self, request: Request) -> Response:
        return Response(plan_of(self.shown).css(), media_type="text/css")

    async def _drawing(self, request: Request) -> Response:
        file = self.shown.floor_image
        kind = None if file is None else DRAWINGS.get(file.suffix.lower())
        if file is None or kind is None or not file.is_file():
            raise HTTPException(404, "There is no drawing of this floor.")
        return FileResponse(file, media_type=kind)

    async def _health(self, request: Request) -> Response:
        await self.live.read()
        found = lines(
            self.shown, self.live.daybook.health(), self._now(), _disk_used(self.setup.outbox.parent)
        )
        part = "hx-request" in request.headers
        return self._pages.render(
            request,
            "health_lines.html" if part else "health.html",
            lines=found,
            verdict=verdict(found),
            fault=self.live.daybook.fault,
        )

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        text = error.detail if error.detail[-1:] in ".!?" else f"{error.detail}."
        return self._message(request, error.status_code, "Not possible", text)

    async def _failed(self, request: Request, error: Exception) -> Response:
        return self._message(request, 503, "Not possible now", str(error))

    def _message(self, request: Request, status: int, heading: str, text: str) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page or not hasattr(request.state, "session"):
            return JSONResponse({"error": text}, status)
        return self._pages.render(request, "message.html", status, heading=heading, text=text)


def _disk_used(folder: Path) -> float | None:
    """Share of the disk of the outbox that is used; None where it cannot be said."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.used / usage.total if usage.total else None
