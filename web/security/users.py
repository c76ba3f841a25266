"""The people who may use the pages, in one file that only its owner reads.

Passwords are kept as argon2id hashes with the parameters that OWASP's Password Storage Cheat Sheet gives
first: 19 MiB, 2 passes, 1 lane.
"""

from __future__ import annotations

import re
import secrets
import threading
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from web.errors import WebError
from web.security.private_files import read_private, write_private

Role: TypeAlias = Literal["technician", "viewer"]
"""A viewer looks at figures; a technician also changes things, and may look at pictures."""

MAX_USERS = 50
MAX_REVOKED = 2_000
LEAST_PASSWORD, MOST_PASSWORD = 10, 256
RESERVED = "terminal"
"""Who signs in from the box's own terminal is called so."""
NAME = re.compile(r"^\w[\w .@-]{0,39}$")

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _hasher.hash(secrets.token_hex(16))
"""Checked where there is no such user, so that an answer takes as long."""


class User(msgspec.Struct, frozen=True):
    """One person. Another `stamp` ends every session of theirs."""

    name: str
    role: Role
    password_hash: str
    stamp: str


class _File(msgspec.Struct):
    users: list[User] = []
    revoked: dict[str, float] = {}
    """Sessions that were signed out, until they would have ended anyhow (UTC seconds)."""


class Users:
    """The users of one box or board. Threads may share one; changes of the file by others are seen."""

    def __init__(self, path: Path) -> None:
        """Raises WebError for a file that cannot be used."""
        self._path = path
        self._lock = threading.RLock()
        self._version: tuple[int, int] | None = None
        self._file = _File()
        self._refresh()

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._lock:
            self._refresh()
            return sorted(self._file.users, key=lambda user: user.name)

    def find(self, name: str) -> User | None:
        """The user of that name."""
        return next((user for user in self.all() if user.name == name), None)

    def check(self, name: str, password: str) -> User | None:
        """The user, if that is their password. Takes as long for a name that nobody has."""
        user = self.find(name)
        try:
            _hasher.verify(_NOBODY if user is None else user.password_hash, password[:MOST_PASSWORD])
        except (Argon2Error, InvalidHashError):
            return None
        return user

    def add(self, name: str, role: Role, password: str) -> User:
        """A new user. Raises WebError."""
        if not NAME.match(name):
            raise WebError("A name has 1 to 40 letters, digits, spaces and . @ - _")
        with self._lock:
            if self.find(name) is not None or name == RESERVED:
                raise WebError(f"There is a user called {name} already.")
            if len(self._file.users) >= MAX_USERS:
                raise WebError(f"There are {MAX_USERS} users, which is the most.")
            user = User(name, role, hashed(password), secrets.token_hex(8))
            self._save([*self._file.users, user])
        return user

    def add_first(self, name: str, password: str) -> User:
        """The first user, a technician. Raises WebError, also where there is somebody already."""
        with self._lock:
            if self.all():
                raise WebError("There is a user already: sign in.")
            return self.add(name, "technician", password)

    def set_password(self, name: str, password: str) -> User:
        """Another password; sessions with the old one end. Raises WebError."""
        with self._lock:
            user = self.find(name)
            if user is None:
                raise WebError(f"There is no user called {name}.")
            new = User(name, user.role, hashed(password), secrets.token_hex(8))
            self._save([new if one.name == name else one for one in self._file.users])
        return new

    def remove(self, name: str) -> None:
        """They are signed out at once. Raises WebError, also for the last technician."""
        with self._lock:
            left = [user for user in self.all() if user.name != name]
            if len(left) == len(self._file.users):
                raise WebError(f"There is no user called {name}.")
            if not any(user.role == "technician" for user in left):
                raise WebError(f"{name} is the only technician: add another one first.")
            self._save(left)

    def revoke(self, session: str, until_s: float, now_s: float) -> None:
        """That session has been signed out. Raises WebError."""
        with self._lock:
            self._refresh()
            kept = [(one, end_s) for one, end_s in self._file.revoked.items() if end_s > now_s]
            self._file.revoked = dict([*kept, (session, until_s)][-MAX_REVOKED:])
            self._save(self._file.users)

    def is_revoked(self, session: str) -> bool:
        """Whether that session has been signed out."""
        with self._lock:
            return session in self._file.revoked

    def _save(self, users: list[User]) -> None:
        new = _File(users, self._file.revoked)
        write_private(self._path, msgspec.json.format(msgspec.json.encode(new), indent=2) + b"\n")
        self._refresh()

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            self._version, self._file = None, _File()
            return
        if version == self._version:
            return
        data = read_private(self._path)
        try:
            self._file = _File() if data is None else msgspec.json.decode(data, type=_File)
        except msgspec.DecodeError as error:
            raise WebError(
                f"{self._path}: not a list of users ({error}); restore it, or remove it to begin anew"
            ) from None
        self._version = version


def hashed(password: str) -> str:
    """The hash to keep. Raises WebError for a password that will not do."""
    if len(password) < LEAST_PASSWORD:
        raise WebError(f"A password has at least {LEAST_PASSWORD} characters; a few words do well.")
    if len(password) > MOST_PASSWORD:
        raise WebError(f"A password has at most {MOST_PASSWORD} characters.")
    return _hasher.hash(password)
