"""Which session a request belongs to, and whether that may do what it asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeAlias
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.security.guard import SAFE
from web.security.sessions import SESSION_S, Sessions, WebSession
from web.security.users import Role

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
TOKEN_FIELD, TOKEN_HEADER = "token", "x-csrf-token"


class Access:
    """Cookies in and out, and the check before each handler. With `secure` cookies travel by TLS only."""

    def __init__(self, sessions: Sessions, *, secure: bool, cookie: str = "tagsight") -> None:
        self._sessions = sessions
        self._secure = secure
        self._cookie = f"__Host-{cookie}" if secure else cookie

    def anyone(self, handler: Handler) -> Handler:
        """For a page that needs no signing in; its forms are checked all the same."""
        return self._checked(handler, None)

    def viewer(self, handler: Handler) -> Handler:
        """For everybody who has signed in."""
        return self._checked(handler, "viewer")

    def technician(self, handler: Handler) -> Handler:
        """For technicians."""
        return self._checked(handler, "technician")

    def session_of(self, request: Request) -> WebSession | None:
        """The session that its cookie names, as it stands now."""
        return self._sessions.read(request.cookies.get(self._cookie))

    def give(self, response: Response, cookie: str) -> None:
        """Let the browser keep the session."""
        response.set_cookie(
            self._cookie,
            cookie,
            max_age=SESSION_S,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def take_away(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="strict")

    def _checked(self, handler: Handler, role: Role | None) -> Handler:
        @wraps(handler)
        async def checking(request: Request) -> Response:
            session, cookie = self.session_of(request), None
            if session is None:
                session, cookie = self._sessions.begin()
            request.state.session = session
            if role is not None and not session.user:
                return _sign_in(request)
            if role is not None and not session.may(role):
                raise HTTPException(403, "Only a technician may do that.")
            if request.method not in SAFE and not await self._has_token(request, session):
                raise HTTPException(
                    403, "This form is out of date: load the page again. Nothing was changed."
                )
            response = await handler(request)
            if cookie is not None and "set-cookie" not in response.headers:
                self.give(response, cookie)
            return response

        return checking

    async def _has_token(self, request: Request, session: WebSession) -> bool:
        token = request.headers.get(TOKEN_HEADER)
        if token is None:
            token = str((await request.form()).get(TOKEN_FIELD, ""))
        return self._sessions.is_token(session, token)


def _sign_in(request: Request) -> Response:
    """To the page where one signs in, and back; 401 for what is no page."""
    wants_page = "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
    if request.method not in SAFE or not wants_page:
        raise HTTPException(401, "Sign in first.")
    return RedirectResponse(f"/sign-in?next={quote(request.url.path, safe='/')}", 303)


def local_path(path: str) -> str:
    """A page of ours to go on to; the first one for anything else."""
    good = path.startswith("/") and not path.startswith("//") and "\\" not in path and "\n" not in path
    return path if good and path.isprintable() else "/"
