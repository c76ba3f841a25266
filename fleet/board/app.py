"""The pages, put together: who may see which stores, and what is on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fleet.board import views
from fleet.board.asked import PageQuestions, Shown, named, shown
from fleet.board.floor import plan_of
from fleet.board.sign_in import SignIn, TokenUsers, new_sessions
from fleet.board.words import FILTERS
from fleet.errors import FleetError
from fleet.serve.reading import Reading
from fleet.serve.settings import LOOPBACK_HOSTS, FleetSettings, GarmentFiles
from web.access import Access, Handler
from web.pages import Pages
from web.security.guard import Guard

if TYPE_CHECKING:
    from fleet.board.garment_search import GarmentSearch

HERE = Path(__file__).parent
LINKS = {
    "/": "Stores",
    "/day": "Day",
    "/week": "Week",
    "/garments": "Garments",
    "/floor": "Floor",
    "/time-outs": "Time-outs",
    "/quality": "Data",
}
View: TypeAlias = Callable[[PageQuestions, Shown, "views.Given"], dict[str, Any]]


class Board:
    """Everything behind the pages. `now` gives UTC seconds."""

    def __init__(
        self, settings: FleetSettings, reading: Reading, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._reading = reading
        self._now = now
        self._search = None if settings.garments is None else _search_of(settings.garments)
        self._users = TokenUsers(settings)
        self._sessions = new_sessions(self._users)
        self._pages = Pages(HERE, self._sessions, "tagsight · fleet", LINKS, filters=FILTERS)
        self._access = Access(
            self._sessions, secure=settings.board.https, cookie=f"tagsight-board-{settings.port}"
        )

    def app(self) -> ASGIApp:
        """The application behind its gate."""
        access, settings = self._access, self._settings
        check = access.viewer if settings.users else access.anyone
        sign_in = SignIn(settings, self._pages, access, self._sessions, self._users)
        app = Starlette(
            routes=[
                *self._search_routes(check),
                Route("/", check(self._page("stores.html", views.stores))),
                Route("/named", check(self._named)),
                Route("/day", check(self._page("day.html", views.day))),
                Route("/week", check(self._page("week.html", views.week))),
                Route("/garments", check(self._page("garments.html", views.garments))),
                Route("/floor", check(self._page("floor.html", views.floor))),
                Route("/floor/heat", check(self._page("heat.html", views.floor))),
                Route("/floor/plan.css", check(self._plan_css)),
                Route("/time-outs", check(self._page("time_outs.html", views.time_outs))),
                Route("/quality", check(self._page("quality.html", views.quality))),
                *sign_in.routes(),
                *self._pages.routes(),
            ],
            exception_handlers={HTTPException: self._refused, FleetError: self._failed},
        )
        loopback = settings.host in LOOPBACK_HOSTS
        return Guard(app, names=settings.board.names, loopback=loopback, secure=settings.board.https)

    def _search_routes(self, check: Callable[[Handler], Handler]) -> list[Route]:
        search = self._search
        if search is None:
            return []

        def found(asking: PageQuestions, about: Shown, given: views.Given) -> dict[str, Any]:
            return search.page(asking, about, given.text)

        async def picture(request: Request) -> Response:
            held = await run_in_threadpool(search.picture, request.path_params["sku"])
            if held is None:
                raise HTTPException(404, "There is no picture of it.")
            return Response(held[0], media_type=held[1], headers={"Cache-Control": "private, max-age=3600"})

        return [
            Route("/garments/search", check(self._page("garment_search.html", found))),
            Route("/garments/pictures/{sku:path}", check(picture)),
        ]

    def _asking(self, request: Request) -> PageQuestions:
        user = self._users.api_user(request.state.session.user)
        return PageQuestions(self._reading, None if user is None else self._settings.sites_of(user))

    def _page(self, template: str, view: View) -> Handler:
        async def handler(request: Request) -> Response:
            asking, given = self._asking(request), views.Given.of(request.query_params, self._now())

            def answered() -> tuple[Shown | None, dict[str, Any]]:
                about = shown(asking, given.site, given.day, given.now_s)
                return about, {} if about is None else view(asking, about, given)

            given = given._replace(forecast=self._settings.forecast)
            about, context = await run_in_threadpool(answered)
            if about is None:
                text = "No store has told anything yet. Its first events appear here within seconds."
                return self._message(request, 200, "Nothing yet", text)
            query = urlencode({"site": about.site, "day": about.day.isoformat()})
            return self._pages.render(
                request,
                template,
                about=about,
                query=query,
                given=given,
                can_search=self._search is not None,
                is_replica=asking.is_replica,
                is_cut=asking.is_cut,
                **context,
            )

        return handler

    async def _named(self, request: Request) -> Response:
        text = request.query_params.get("site", "")
        names = await run_in_threadpool(named, self._asking(request), text)
        return self._pages.render(request, "named.html", names=names)

    async def _plan_css(self, request: Request) -> Response:
        asking, given = self._asking(request), views.Given.of(request.query_params, self._now())

        def answered() -> str:
            about = shown(asking, given.site, given.day, given.now_s)
            layout = "" if about is None else views.layout_of(asking, about)
            plan = plan_of(layout) if layout else None
            return "" if plan is None else plan.css()

        return Response(await run_in_threadpool(answered), media_type="text/css")

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        text = error.detail if error.detail[-1:] in ".!?" else f"{error.detail}."
        return self._message(request, error.status_code, "Not possible", text)

    async def _failed(self, request: Request, error: Exception) -> Response:
        return self._message(request, 400, "Not possible", f"{error}.")

    def _message(self, request: Request, status: int, heading: str, text: str) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page or not hasattr(request.state, "session"):
            return JSONResponse({"error": text}, status)
        return self._pages.render(
            request,
            "said.html",
            status,
            heading=heading,
            text=text,
            about=None,
            query="",
            is_replica=False,
            is_cut=False,
        )


def _search_of(files: GarmentFiles) -> GarmentSearch:
    """Read only where it is wanted: numpy and the vocabulary are."""
    from fleet.board.garment_search import GarmentSearch

    return GarmentSearch(files)
