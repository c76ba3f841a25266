"""Signed cookies that say who somebody is, tokens against forged forms, and links to sign in by once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Protocol

from itsdangerous import BadData, URLSafeTimedSerializer

from web.security.users import RESERVED, Role, User

SESSION_S = 12 * 3600
"""A session ends so long after signing in."""
LINK_S = 600
"""A sign-in link serves for so long, once."""
MAX_COOKIE = 1_024
TERMINAL = RESERVED
"""Who signs in by a link that was made on the box itself."""


@dataclass(frozen=True)
class WebSession:
    """One browser's session. `user` is empty before signing in: it then only carries the token of forms."""

    number: str
    user: str = ""
    role: Role | None = None
    ends_s: float = 0.0

    def may(self, role: Role) -> bool:
        """Whether somebody of that role may; a technician may all that a viewer may."""
        return self.role is not None and role in (self.role, "viewer")


class KnownUsers(Protocol):
    """Who may have a session, and which sessions were signed out."""

    def find(self, name: str) -> User | None:
        """The user of that name."""

    def is_revoked(self, session: str) -> bool:
        """Whether that session has been signed out."""

    def revoke(self, session: str, until_s: float, now_s: float) -> None:
        """That session has been signed out; it would have ended at `until_s`."""


class Sessions:
    """Makes and reads cookies by one key."""

    def __init__(self, key: bytes, users: KnownUsers) -> None:
        self._key = key
        self._users = users
        self._cookies = URLSafeTimedSerializer(key, salt="session")
        self._links = SignInLinks(key)

    def begin(self, user: User | None = None) -> tuple[WebSession, str]:
        """A new session and its cookie's value; without a user one that is not signed in."""
        number = secrets.token_hex(12)
        said = [number] if user is None else [number, user.name, user.stamp]
        session = self._session(said, time.time())
        return session or WebSession(number), str(self._cookies.dumps(said))

    def begin_by_link(self, link: str) -> tuple[WebSession, str] | None:
        """A technician's session by a link of `SignInLinks`; None where it does not serve (any more)."""
        number = self._links.take(link)
        if number is None:
            return None
        said = [number, TERMINAL, ""]
        session = self._session(said, time.time())
        return None if session is None else (session, str(self._cookies.dumps(said)))

    def read(self, cookie: str | None) -> WebSession | None:
        """The session of a cookie; None where it is not ours, over, or the user is no more."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        try:
            said, made = self._cookies.loads(cookie, max_age=SESSION_S, return_timestamp=True)
        except BadData:
            return None
        return self._session(said, made.timestamp())

    def end(self, session: WebSession) -> None:
        """Sign out. Raises WebError where that cannot be kept."""
        self._users.revoke(session.number, session.ends_s, time.time())

    def token(self, session: WebSession) -> str:
        """What a form of this session has to bring along."""
        return hmac.new(self._key, b"form " + session.number.encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: WebSession, token: str) -> bool:
        """Whether that is its token."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def _session(self, said: object, made_s: float) -> WebSession | None:
        match said:
            case [str(number)]:
                return WebSession(number)
            case [str(number), str(name), str(stamp)] if not self._users.is_revoked(number):
                if name == TERMINAL and not stamp:
                    return WebSession(number, TERMINAL, "technician", made_s + SESSION_S)
                user = self._users.find(name)
                if user is not None and hmac.compare_digest(user.stamp.encode(), stamp.encode()):
                    return WebSession(number, user.name, user.role, made_s + SESSION_S)
        return None


class SignInLinks:
    """Links that whoever can read the box's key may make; each serves once, for ten minutes."""

    MAX_USED = 1_000

    def __init__(self, key: bytes) -> None:
        self._links = URLSafeTimedSerializer(key, salt="sign-in link")
        self._used: dict[str, None] = {}

    def make(self) -> str:
        """A new one."""
        return str(self._links.dumps(secrets.token_hex(12)))

    def is_good(self, link: str) -> bool:
        """Whether it would serve."""
        return self._number(link) is not None

    def take(self, link: str) -> str | None:
        """The number of the session that it begins; None where it does not serve (any more)."""
        number = self._number(link)
        if number is not None:
            self._used[number] = None
            while len(self._used) > self.MAX_USED:
                del self._used[next(iter(self._used))]
        return number

    def _number(self, link: str) -> str | None:
        if len(link) > MAX_COOKIE:
            return None
        try:
            number = self._links.loads(link, max_age=LINK_S)
        except BadData:
            return None
        return number if isinstance(number, str) and number not in self._used else None
