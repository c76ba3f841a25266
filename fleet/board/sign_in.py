"""A user of fleet.yaml signs in with their token; sessions end with the service."""

from __future__ import annotations

import logging
import secrets
from collections import Counter

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fleet.serve.settings import ApiUser, FleetSettings
from web.access import Access, local_path
from web.pages import Pages
from web.security.limits import RateLimit
from web.security.sessions import Sessions
from web.security.users import User

ATTEMPTS, ATTEMPT_EVERY_S = 20, 5.0
"""From an address, behind which may be a whole office. Tokens are long: nobody guesses one."""
MAX_REVOKED = 10_000

log = logging.getLogger(__name__)


class TokenUsers:
    """The users of fleet.yaml as sessions know them: by a name of their own, until their token is another."""

    def __init__(self, settings: FleetSettings) -> None:
        shared = Counter(user.name for user in settings.users)
        self._users: dict[str, ApiUser] = {}
        for place, user in enumerate(settings.users, 1):
            name = user.name if shared[user.name] == 1 else f"{user.name} ({place})"
            self._users[name] = user
        self._revoked: dict[str, None] = {}

    def find(self, name: str) -> User | None:
        """The user that sessions of that name are of."""
        user = self._users.get(name)
        return None if user is None else User(name, "viewer", "", user.token_sha256)

    def api_user(self, name: str) -> ApiUser | None:
        """What fleet.yaml says of them."""
        return self._users.get(name)

    def of_token(self, settings: FleetSettings, token: str) -> User | None:
        """Whose token it is."""
        found = settings.user_of(token)
        return next((self.find(name) for name, user in self._users.items() if user is found), None)

    def revoke(self, session: str, until_s: float, now_s: float) -> None:
        """That session has been signed out."""
        self._revoked[session] = None
        while len(self._revoked) > MAX_REVOKED:
            del self._revoked[next(iter(self._revoked))]

    def is_revoked(self, session: str) -> bool:
        """Whether that session has been signed out."""
        return session in self._revoked


def new_sessions(users: TokenUsers) -> Sessions:
    """Their key is drawn anew at each start."""
    return Sessions(secrets.token_bytes(32), users)


class SignIn:
    """The pages where one signs in and out."""

    def __init__(
        self, settings: FleetSettings, pages: Pages, access: Access, sessions: Sessions, users: TokenUsers
    ) -> None:
        self._settings = settings
        self._pages = pages
        self._access = access
        self._sessions = sessions
        self._users = users
        self._attempts = RateLimit(ATTEMPTS, ATTEMPT_EVERY_S)

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            Route("/sign-in", self._access.anyone(self._show), methods=["GET"]),
            Route("/sign-in", self._access.anyone(self._sign_in), methods=["POST"]),
            Route("/sign-out", self._access.viewer(self._sign_out), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        if request.state.session.user or not self._settings.users:
            return RedirectResponse("/", 303)
        return self._page(request)

    def _page(self, request: Request, fault: str = "", status: int = 200) -> Response:
        to = local_path(request.query_params.get("next", ""))
        return self._pages.render(request, "token.html", status, fault=fault, next=to)

    async def _sign_in(self, request: Request) -> Response:
        address = "nobody" if request.client is None else request.client.host
        if wait_s := self._attempts.wait_s(address):
            return self._page(request, f"Too many attempts: try again in {wait_s + 1:.0f} s.", 429)
        form = await request.form()
        user = self._users.of_token(self._settings, str(form.get("secret", "")).strip())
        if user is None:
            log.warning("signing in to the board was refused to %s", address)
            return self._page(request, "That is nobody's token here.", 401)
        response = RedirectResponse(local_path(str(form.get("next", ""))), 303)
        self._access.give(response, self._sessions.begin(user)[1])
        return response

    async def _sign_out(self, request: Request) -> Response:
        self._sessions.end(request.state.session)
        response = RedirectResponse("/sign-in", 303)
        self._access.take_away(response)
        return response
