"""The pages where people sign in and out, and where a technician says who may."""

from __future__ import annotations

import hmac
import logging
import secrets
from functools import partial

import anyio
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from web.access import Access, local_path
from web.errors import WebError
from web.pages import Pages
from web.security.limits import RateLimit
from web.security.sessions import TERMINAL, Sessions
from web.security.users import LEAST_PASSWORD, Role, User, Users

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Of codes that people type: nothing that looks like something else."""
ATTEMPTS, ATTEMPT_EVERY_S = 5, 20.0
"""For a name: so many at once, then one every 20 s."""
ATTEMPTS_FROM, ATTEMPT_FROM_EVERY_S = 20, 5.0
"""From an address, behind which may be a whole shop."""

_ROLES: dict[str, Role] = {"technician": "technician", "viewer": "viewer"}

log = logging.getLogger(__name__)


def new_code() -> str:
    """A code of 12 characters (59 bits) to be typed once, in groups."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(12))
    return "-".join((text[:4], text[4:8], text[8:]))


class Accounts:
    """Signing in, out and up. `code` is what the first user has to know, who has seen the box's terminal."""

    def __init__(self, pages: Pages, access: Access, sessions: Sessions, users: Users, code: str) -> None:
        self._pages = pages
        self._access = access
        self._sessions = sessions
        self._users = users
        self._code = code
        self._attempts = RateLimit(ATTEMPTS, ATTEMPT_EVERY_S)
        self._attempts_from = RateLimit(ATTEMPTS_FROM, ATTEMPT_FROM_EVERY_S)
        self._hashing = anyio.CapacityLimiter(1)

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        anyone, viewer, technician = self._access.anyone, self._access.viewer, self._access.technician
        return [
            Route("/sign-in", anyone(self._show_sign_in), methods=["GET"]),
            Route("/sign-in", anyone(self._sign_in), methods=["POST"]),
            Route("/first-run", anyone(self._first_run), methods=["POST"]),
            Route("/enter/{link}", anyone(self._show_enter), methods=["GET"]),
            Route("/enter/{link}", anyone(self._enter), methods=["POST"]),
            Route("/sign-out", viewer(self._sign_out), methods=["POST"]),
            Route("/people", technician(self._show_people), methods=["GET"]),
            Route("/people", technician(self._add), methods=["POST"]),
            Route("/people/remove", technician(self._remove), methods=["POST"]),
            Route("/password", viewer(self._show_password), methods=["GET"]),
            Route("/password", viewer(self._change_password), methods=["POST"]),
        ]

    async def _show_sign_in(self, request: Request) -> Response:
        if request.state.session.user:
            return RedirectResponse("/", 303)
        return self._sign_in_page(request)

    def _sign_in_page(self, request: Request, fault: str = "", status: int = 200) -> Response:
        return self._pages.render(
            request,
            "sign_in.html" if self._users.all() else "first_run.html",
            status,
            fault=fault,
            next=local_path(request.query_params.get("next", "")),
            least=LEAST_PASSWORD,
        )

    async def _sign_in(self, request: Request) -> Response:
        form = await request.form()
        name, password = _field(form, "name"), _field(form, "password")
        if fault := self._too_often(request, name):
            return self._sign_in_page(request, fault, 429)
        user = await anyio.to_thread.run_sync(self._users.check, name, password, limiter=self._hashing)
        if user is None:
            log.warning("signing in was refused to %s", _address(request))
            return self._sign_in_page(request, "Name and password do not go together.", 401)
        self._attempts.forgive(name[:64])
        return self._signed_in(user, local_path(_field(form, "next")))

    async def _first_run(self, request: Request) -> Response:
        form = await request.form()
        if fault := self._too_often(request, "first user"):
            return self._sign_in_page(request, fault, 429)
        given = _field(form, "code").strip().upper().replace(" ", "")
        if not hmac.compare_digest(given.encode(), self._code.encode()):
            log.warning("a wrong first-run code came from %s", _address(request))
            return self._sign_in_page(request, "That is not the code that the terminal shows.", 401)
        name, password = _field(form, "name").strip(), _field(form, "password")
        try:
            user = await anyio.to_thread.run_sync(
                self._users.add_first, name, password, limiter=self._hashing
            )
        except WebError as error:
            return self._sign_in_page(request, str(error), 400)
        log.info("%s is the first technician", name)
        return self._signed_in(user, "/")

    async def _show_enter(self, request: Request) -> Response:
        link = request.path_params["link"]
        return self._pages.render(request, "enter.html", 200, link=link)

    async def _enter(self, request: Request) -> Response:
        if fault := self._too_often(request, TERMINAL):
            return self._sign_in_page(request, fault, 429)
        begun = self._sessions.begin_by_link(request.path_params["link"])
        if begun is None:
            why = "That link has been used or is over: ask the terminal for a new one (tagsight view)."
            return self._sign_in_page(request, why, 401)
        log.info("a technician signed in by a link of the terminal, from %s", _address(request))
        response = RedirectResponse("/", 303)
        self._access.give(response, begun[1])
        return response

    async def _sign_out(self, request: Request) -> Response:
        self._sessions.end(request.state.session)
        response = RedirectResponse("/sign-in", 303)
        self._access.take_away(response)
        return response

    async def _show_people(self, request: Request) -> Response:
        return self._people_page(request)

    def _people_page(self, request: Request, fault: str = "", done: str = "", status: int = 200) -> Response:
        users = [(user.name, user.role) for user in self._users.all()]
        return self._pages.render(
            request, "people.html", status, users=users, fault=fault, done=done, least=LEAST_PASSWORD
        )

    async def _add(self, request: Request) -> Response:
        form = await request.form()
        name, password = _field(form, "name").strip(), _field(form, "password")
        role: Role | None = _ROLES.get(_field(form, "role"))
        if role is None:
            return self._people_page(request, "A user is a technician or a viewer.", status=400)
        try:
            await anyio.to_thread.run_sync(
                partial(self._users.add, name, role, password), limiter=self._hashing
            )
        except WebError as error:
            return self._people_page(request, str(error), status=400)
        log.info("%s added the %s %s", request.state.session.user, role, name)
        return self._people_page(request, done=f"{name} may sign in now, as a {role}.")

    async def _remove(self, request: Request) -> Response:
        name = _field(await request.form(), "name")
        try:
            self._users.remove(name)
        except WebError as error:
            return self._people_page(request, str(error), status=400)
        log.info("%s removed %s", request.state.session.user, name)
        if name == request.state.session.user:
            return RedirectResponse("/sign-in", 303)
        return self._people_page(request, done=f"{name} is signed out and gone.")

    async def _show_password(self, request: Request) -> Response:
        return self._password_page(request)

    def _password_page(self, request: Request, fault: str = "", status: int = 200) -> Response:
        return self._pages.render(request, "password.html", status, fault=fault, least=LEAST_PASSWORD)

    async def _change_password(self, request: Request) -> Response:
        form = await request.form()
        name, old, new = request.state.session.user, _field(form, "old"), _field(form, "password")
        if fault := self._too_often(request, name):
            return self._password_page(request, fault, 429)
        if await anyio.to_thread.run_sync(self._users.check, name, old, limiter=self._hashing) is None:
            return self._password_page(request, "That is not your password; it stays as it was.", 401)
        try:
            user = await anyio.to_thread.run_sync(self._users.set_password, name, new, limiter=self._hashing)
        except WebError as error:
            return self._password_page(request, str(error), 400)
        log.info("%s has another password", name)
        return self._signed_in(user, "/")

    def _signed_in(self, user: User, to: str) -> Response:
        response = RedirectResponse(to, 303)
        self._access.give(response, self._sessions.begin(user)[1])
        return response

    def _too_often(self, request: Request, name: str) -> str:
        """A sentence where somebody tries too often, by address or for a name."""
        wait_s = max(self._attempts_from.wait_s(_address(request)), self._attempts.wait_s(name[:64]))
        return f"Too many attempts: try again in {wait_s + 1:.0f} s." if wait_s else ""


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _address(request: Request) -> str:
    return "nobody" if request.client is None else request.client.host
